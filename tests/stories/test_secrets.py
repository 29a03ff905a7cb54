"""Secrets planted through every key and verb, in whatever form: nothing that is written, shown or started has one."""

from __future__ import annotations

import base64
import http.client
import importlib
import importlib.util
import json
import os
import pickle
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import optuna
import psutil
import pytest
from omegaconf import OmegaConf
from PIL import Image
from sqlalchemy import make_url

from srexp.cli import VERBS, run
from srexp.commands import ui
from srexp.config import frozen_files
from srexp.config.compose import composed
from srexp.config.override_grammar import override
from srexp.config.sections.base import Config
from srexp.search.optuna import storage
from srexp.system.masking.credentials import VARIABLE


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    return tmp_path / "project"


#: What a password begins and ends with, whatever stands between and however it is written.
ENDS = ("q7Xv", "9zKw")
RESERVED = ":/?#[]@!$&'()*+,;=%\"` {}\\<>|^~"


def password(middle: str) -> str:
    return middle.join(ENDS)


ADDRESSES = {
    "reserved": f"http://ann:{password(RESERVED)}@127.0.0.1:9",
    "encoded": f"postgresql://ann:{quote(password(RESERVED), safe='')}@127.0.0.1:9/runs",
    "quotes": f"mysql://ann:{password(chr(39) + chr(34))}@127.0.0.1:9/runs",
    "query": f"postgresql://127.0.0.1:9/runs?user=ann&passwd={password(' /@#+')}&sslmode=disable",
    "token": f"https://{password('-')}@127.0.0.1:9/x?api_key={password('.')}",
}


@dataclass
class Watched:
    """Everything that a command writes below a folder, shows, and starts."""

    folder: Path
    capfd: pytest.CaptureFixture[str]
    commands: set[str] = field(default_factory=set)

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Note the command lines of all processes that descend from this one, again and again."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.02):
                for process in psutil.Process().children(recursive=True):
                    with suppress(psutil.Error):
                        self.commands.add(" ".join(process.cmdline()))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()

    def leaks(self) -> list[str]:
        """Say where a part of a password stands, with what is before it."""
        caught = self.capfd.readouterr()
        files = [path for path in self.folder.rglob("*") if not path.is_symlink()]
        texts = {"standard output": caught.out, "standard error": caught.err, "commands": "\n".join(self.commands)}
        texts["names"] = "\n".join(str(path.relative_to(self.folder)) for path in files)
        texts |= {str(path): path.read_bytes().decode("latin-1") for path in files if path.is_file()}
        parts = re.compile(f".{{0,60}}(?:{'|'.join(ENDS)})")
        return [f"{where}: {found[0]}" for where, text in texts.items() if (found := parts.search(text))]


@pytest.fixture
def watched(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> Watched:
    """A project, a home, a folder for temporary files and a current folder, all empty, in which all is looked at."""
    for name in ("home", "temporary", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path / "here")
    return Watched(tmp_path, capfd)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each verb do no more than fail with what it was given, and what that stands for, in its message."""
    for verb in VERBS:
        command = importlib.import_module(f"srexp.commands.{verb}")

        def fail(config: Config) -> dict[str, Any]:
            told = [value for name, value in os.environ.items() if name != VARIABLE]
            meant = [*json.loads(os.environ[VARIABLE]).values(), *told]
            raise ValueError(f"{config} {json.dumps(config.resolved, default=str)} {[*meant, *map(unquote, meant)]}")

        monkeypatch.setattr(command, "run", fail)


def text_keys(verb: str) -> list[str]:
    """Give the keys of a verb that may hold a text, in whatever choice of data set or engine."""

    def walk(node: Any, place: str) -> Iterator[str]:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                yield from walk(value, f"{place}.{key}" if place else str(key))
        elif isinstance(node, str | None) or node in ([], {}):
            yield place

    choices = [["dataset=folder"], ["dataset=nih_sample"], ["dataset=paired"], ["tracking=mlflow"]]
    trees = [OmegaConf.to_container(composed(verb, chosen)) for chosen in choices]
    return sorted({key for tree in trees for key in walk(tree, "")})


def typed(key: str, address: str) -> list[str]:
    """Plant an address behind a key, as it can be typed, with what makes the key one of the configuration."""
    choices = {"dataset.url": "nih_sample", "dataset.low": "paired", "dataset.high": "paired"}
    choice = [f"dataset={choices.get(key, 'folder')}"] if key.startswith("dataset.") else []
    return [*choice, override(key, address)]


#: Where an address stays what it is until a command asks somebody for it.
HELD = ["tracking.uri", "run_name", "+tags.note", "+hydra.job.env_set.MY_STORE", "hydra.output_subdir"]


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_lets_a_secret_out(verb: str, watched: Watched, failing: None) -> None:
    """Hydra's files, the log with the traceback, the message; the address is right, so that the verb itself fails."""
    needed = {"export": ["model_uri=x"], "enhance": ["model_uri=x", "input=x", "output=x"], "serve": ["model_uri=x"]}
    planted = [override(key, address) for key, address in zip(HELD, ADDRESSES.values(), strict=True)]
    database = [override("search.storage", ADDRESSES["query"])] if verb == "search" else []
    public = ["dataset=montgomery", override("dataset.url", ADDRESSES["quotes"])]
    url = [] if verb == "init" else public  # which looks at a folder
    token = f"+hydra.job.env_set.MLFLOW_TRACKING_TOKEN={password('')}"
    assert run([verb, *needed.get(verb, []), *planted, *database, *url, token]) == 1
    [log] = watched.folder.rglob("srexp.log")
    assert "ValueError" in log.read_text()
    assert watched.leaks() == []


#: Addresses as they are typed by mistake.
MISTYPED = {
    "one slash": f"http:/ann:{password('-')}@127.0.0.1:9",
    "no slash": f"postgresql:ann:{password('/')}@127.0.0.1:9/runs",
    "no scheme": f"ann:{password('.')}@127.0.0.1:9",
}
FORMS = list((ADDRESSES | MISTYPED).values())
#: Command lines with an address as it was typed, without Hydra's quotes: most of these Hydra can't read.
LINES = [
    *(["check", f"{key}={{}}"] for key in ("tracking.uri", "seed", "dataset", "+experiment", "no.such.key")),
    *(["check", f"{key}={{}}"] for key in ("tracking.artifacts", "model.depth")),
    ["check", "{}"],
    ["{}", "check"],
    ["check", "--config-dir={}"],
    ["check", "-m", f"tracking.uri={{}},{ADDRESSES['token']}", "seed=x,y"],
    ["check", "--cfg", "job", "--resolve", "run_name={}"],
]


def type_in(line: list[str], address: str) -> None:
    run([word.replace("{}", address) for word in line])


def test_no_address_comes_out_of_a_refusal(watched: Watched) -> None:
    """Every line and every form; each with each is in the slow lane."""
    for number, line in enumerate(LINES):
        type_in(line, FORMS[number % len(FORMS)])
    assert watched.leaks() == []


@pytest.mark.slow
@pytest.mark.parametrize("address", FORMS)
def test_no_address_of_any_form_comes_out_of_any_refusal(address: str, watched: Watched) -> None:
    for line in LINES:
        type_in(line, address)
        assert watched.leaks() == [], line


def test_no_secret_of_the_environment_comes_out(watched: Watched, failing: None, monkeypatch) -> None:
    monkeypatch.setenv("MY_STORE", ADDRESSES["reserved"])
    monkeypatch.setenv("MY_TOKEN", password("-"))
    words = ["tracking.uri=${oc.env:MY_STORE}", "hydra.job.env_copy=[MY_STORE,MY_TOKEN]"]
    assert run(["check", *words]) == 1
    assert run(["check", "--cfg", "all", "--resolve", *words]) == 0
    assert run(["check", "-m", "seed=1,2", *words]) == 1
    assert watched.leaks() == []


def test_no_secret_of_a_file_comes_out(own_conf: Path, watched: Watched, failing: None) -> None:
    """The file itself keeps it; a multirun sends the files along, as a pickle."""
    lines = [f"  - {json.dumps(address)}  # {address}" for address in ADDRESSES.values()]
    preset = own_conf / "experiment" / "mine.yaml"
    preset.write_text("\n".join(["# @package _global_", f"run_name: |\n  {ADDRESSES['token']}", "extensions:", *lines]))
    files = frozen_files.Files()
    with frozen_files.frozen(files):
        assert run(["check", "+experiment=mine"]) == 2
    assert str(preset) in files.used
    assert not any(end.encode() in pickle.dumps(files) for end in ENDS)
    tags = [f"  {form}: {json.dumps(address)}  # {address}" for form, address in ADDRESSES.items()]
    preset.write_text("\n".join(["# @package _global_", f"run_name: '{ADDRESSES['token']}'", "tags:", *tags]))
    assert run(["check", "-m", "+experiment=mine", "seed=1,2"]) == 1
    preset.unlink()
    assert watched.leaks() == []


def test_variables_of_a_job_have_the_secret(watched: Watched, monkeypatch) -> None:
    from srexp.commands import check

    seen = {}
    monkeypatch.setattr(check, "run", lambda config: seen.update(os.environ) or {})
    words = [override(f"+hydra.job.env_set.{name}", ADDRESSES["quotes"]) for name in ("ONE", "TWO")]
    assert run(["check", *words, f"+hydra.job.env_set.A_TOKEN={password('')}"]) == 0
    assert (seen["ONE"], seen["TWO"], seen["A_TOKEN"]) == (ADDRESSES["quotes"], ADDRESSES["quotes"], password(""))


def test_artifacts_are_asked_for_without_a_secret(capfd) -> None:
    """MLflow would write it into its database, and hand it to the UI on a command line."""
    for address in ADDRESSES.values():
        assert run(["runs", override("tracking.artifacts", address)]) == 2
        assert "tracking.artifacts has a secret in it" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("first", "verb"), list(enumerate(VERBS)))
def test_no_key_of_any_verb_lets_a_secret_out(first: int, verb: str, watched: Watched, failing: None) -> None:
    """Every key with `check`, and with each verb those of its own and some that all have; forms take turns."""
    common = text_keys("check")
    keys = [*common, "+hydra.job.env_set.X", "hydra.output_subdir", "hydra.run.dir", "hydra.sweep.dir"]
    assert {"tracking.uri", "dataset.root", "dataset.url", "run_name", "paths.root"} <= set(keys)
    if verb != "check":
        keys = [*keys[first :: len(VERBS)], *(key for key in text_keys(verb) if key not in common)]
    for number, key in enumerate(keys, first):
        form = list(ADDRESSES)[number % len(ADDRESSES)]
        run([verb, *typed(key, ADDRESSES[form])])
        if verb == "check":
            run([verb, f"{key}={ADDRESSES[form]}"])
            run([verb, "-m", "seed=1", *typed(key, ADDRESSES[form])])
        assert watched.leaks() == [], key


def test_a_multirun_without_hydras_files_leaves_no_file_with_its_command_line(watched: Watched) -> None:
    """Hydra writes `multirun.yaml` whatever `hydra.output_subdir` says."""
    run(["check", "-m", "seed=1,2", "hydra.output_subdir=null", override("tracking.uri", ADDRESSES["token"])])
    written = {path.name for path in watched.folder.rglob("*") if path.is_file()}
    assert "job.json" in written
    assert not {"multirun.yaml", "overrides.yaml", "hydra.yaml", "config.yaml"} & written
    assert watched.leaks() == []


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


TRAINED = ["+debug=fast", "dataset=folder", "trainer.patch_size=16", "tracking.wait_seconds=1"]
AWAY = [override("tracking.uri", ADDRESSES["reserved"]), override("run_name", ADDRESSES["quotes"])]


@pytest.mark.slow
def test_a_server_that_is_away_leaves_no_password(images: Path, watched: Watched) -> None:
    """Journal, results, logs, checkpoints; then the address of its store is asked for again."""
    with watched.looked_at():
        assert run([*TRAINED, *AWAY, f"dataset.root={images}"]) == 0
        assert run(["runs", "sync=true", *AWAY]) == 1
    assert watched.leaks() == []


@pytest.mark.slow
def test_processes_of_commands_have_no_secret(images: Path, watched: Watched) -> None:
    """Jobs of a multirun and workers of a search are processes, which are told what they need through pipes."""
    words = [*TRAINED, f"dataset.root={images}"]
    store = f"sqlite:///{watched.folder}/runs.db?timeout=60&secret={password('-')}"
    with watched.looked_at():
        assert run(["-m", "seed=1,2", *words, *AWAY]) == 0
        assert run(["search", "+sweeps=srcnn_tpe", "search.trials=1", *words, override("run_name", store)]) == 0
        run(["search", "+sweeps=srcnn_tpe", *words, override("search.storage", ADDRESSES["encoded"])])
    assert len(watched.commands) > 2
    assert watched.leaks() == []


@pytest.mark.slow
@pytest.mark.parametrize("form", ["encoded", "quotes", "query"])
def test_a_database_that_is_away_lets_no_secret_out(form: str, images: Path, watched: Watched) -> None:
    """What libraries say of an address that they read, or misread, in the end."""
    for words in (
        ["runs", override("tracking.uri", ADDRESSES[form])],
        [
            "search",
            "+sweeps=srcnn_tpe",
            *TRAINED,
            f"dataset.root={images}",
            override("search.storage", ADDRESSES[form]),
        ],
    ):
        assert run(words) in (1, 2), words
        assert watched.leaks() == [], words


@pytest.mark.parametrize("address", [*ADDRESSES.values(), *MISTYPED.values()])
def test_a_dashboard_whose_database_is_away_or_none_says_no_secret(address: str, watched: Watched) -> None:
    assert run(["ui", "study=tried", override("storage", address)]) in (1, 2)
    assert run(["ui", override("study", address)]) == 2
    assert watched.leaks() == []


@pytest.mark.skipif(importlib.util.find_spec("optuna_dashboard") is None, reason="optuna-dashboard is not installed")
def test_a_dashboard_shows_no_secret(watched: Watched, monkeypatch) -> None:
    """Its pages, what they are made of, and the terminal, of a database that is a file here."""
    database = make_url(f"sqlite:///file:{watched.folder}/studies.db?uri=true&passwd={password('-')}&user=ann")
    optuna.create_study(study_name="tried", storage=database.render_as_string()).add_trial(
        optuna.create_trial(value=1.0)
    )
    monkeypatch.setattr(storage, "parse_url", lambda *_: database)
    pages, make = ["/dashboard/", "/api/studies", "/api/studies/1", "/api/meta", "/nowhere"], ui.server
    answers: list[str] = []

    def asking(*given: Any) -> Any:
        server = make(*given)

        def ask() -> None:
            try:
                for page in pages:
                    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
                    connection.request("GET", page)
                    answer = connection.getresponse()
                    answers.append(f"{answer.status} {answer.headers} {answer.read().decode()}")
            finally:
                server.shutdown()

        threading.Thread(target=ask).start()
        return server

    monkeypatch.setattr(ui, "server", asking)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    typed = [f"port={port}", override("storage", ADDRESSES["query"])]
    with watched.looked_at():
        assert run(["ui", "study=tried", *typed]) == 0
        assert run(["ui", "study=another", *typed]) == 2
    assert [answer.partition(" ")[0] for answer in answers] == ["200"] * 4 + ["404"]
    assert "tried" in answers[1]
    assert not [end for end in ENDS if end in "".join(answers)]
    assert watched.leaks() == []


@pytest.fixture
def asked() -> Iterator[tuple[int, list[str]]]:
    """A tracking server that knows nothing, by its port, and who came to it."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode())
            self.send_error(404)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], came
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plugin", "launcher"),
    [
        ("hydra_joblib_launcher", ["joblib", "hydra.launcher.n_jobs=2"]),
        ("hydra_submitit_launcher", ["submitit_local", "hydra.launcher.timeout_min=5"]),
        ("hydra_ray_launcher", ["ray"]),
    ],
)
def test_a_launcher_takes_the_secret_to_its_jobs_and_leaves_it_nowhere(plugin, launcher, asked, watched) -> None:
    if importlib.util.find_spec(f"hydra_plugins.{plugin}") is None:
        pytest.skip(f"{plugin} isn't installed")
    port, came = asked
    address = f"http://ann:{password(RESERVED)}@127.0.0.1:{port}"
    kind, *settings = launcher
    with watched.looked_at():
        run(["-m", "runs", f"hydra/launcher={kind}", *settings, "seed=1,2", override("tracking.uri", address)])
    assert set(came) == {f"ann:{password(RESERVED)}"}
    assert watched.leaks() == []
