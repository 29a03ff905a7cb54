from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf.errors import OmegaConfBaseException
from PIL import Image

import srexp
from srexp import cli
from srexp.cli import VERBS, run
from srexp.config.hydra_messages import explained
from srexp.errors import RequestError, SrexpError

#: Verbs that run nothing without a key.
NEEDS = {"model_uri": ("enhance", "export", "serve"), "input": ("enhance",), "output": ("enhance",)}
HEAVY = ("tensorflow", "keras", "mlflow", "optuna", "matplotlib", "sqlalchemy")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))


def one_message(capfd) -> str:
    """Nothing but a message reaches the user: no traceback, no line of Hydra's."""
    caught = capfd.readouterr()
    assert caught.err.startswith("srexp: ")
    assert "Traceback" not in caught.err + caught.out
    assert "Error executing job" not in caught.err + caught.out
    return caught.err


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        # Refused when it is composed, which all verbs are in the same way.
        ("check optimzer.lr=1", "did you mean optimizer.lr?"),
        ("model=vdsrr", "did you mean vdsr?"),
        ("check +optimizer.lrr=1", "did you mean optimizer.lr?"),
        ("optimizer.lr=abc", "optimizer.lr='abc'"),
        ("check dataset=folder", "dataset.root is missing"),
        ("trian", "did you mean train?"),
        ("chekc model=vdsr", "did you mean check?"),
        ("model._target_=os.system", "not allowed"),
        ("check hydra/launcher=jobblib", "did you mean joblib?"),
        # Refused by what fits together.
        *(
            (f"{verb} {typed}", said)
            for verb in ("", "check")
            for typed, said in [
                ("trainer.patch_size=47", "trainer.patch_size=48"),
                ("trainer.patches_per_image=3", "trainer.patches_per_image"),
                ("degradation=identity scale=2", "scale=1"),
            ]
        ),
    ],
)
def test_a_wrong_request_exits_2_with_one_message(words, said, capfd):
    assert run(words.split()) == 2
    assert said in one_message(capfd)


@pytest.fixture
def unusable(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no image")
    (tmp_path / "small").mkdir()
    for number in range(5):
        Image.fromarray(np.full((20, 20), 40 * number, np.uint8)).save(tmp_path / "small" / f"{number}.png")
    return {name: tmp_path / name for name in ("missing", "empty", "texts", "small")}


@pytest.mark.parametrize(
    ("kind", "said"),
    [("missing", "is not there"), ("empty", "it is empty"), ("texts", ".txt"), ("small", "smaller than a patch of 48")],
)
@pytest.mark.parametrize("verb", [[], ["check"]])
def test_an_unusable_folder_exits_2_and_is_named(kind, said, verb, unusable, capfd):
    assert run([*verb, "dataset=folder", f"dataset.root={unusable[kind]}"]) == 2
    message = one_message(capfd)
    assert said in message
    assert kind in message or kind == "small"


def test_check_writes_what_was_composed(tmp_path: Path):
    assert run(["check", "model=vdsr", f"hydra.run.dir={tmp_path}/out"]) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["choices"]["model"] == "vdsr"
    assert result["experiment_name"] == "samples-bicubic-x2"


def readable_by_others(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.stat().st_mode & 0o077]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "words", [["check"], ["-m", "check", "seed=1,2"], ["data"]], ids=["run", "multirun", "with names"]
)
def test_only_the_user_reads_what_is_written_unless_it_is_shared(words, tmp_path: Path):
    before = os.umask(0o022)
    try:
        assert run(words) == 0
        assert [*(tmp_path / "project").rglob("result.json")]
        assert readable_by_others(tmp_path / "project") == []
        assert run([*words, "paths.shared=true", f"paths.root={tmp_path}/shared"]) == 0
        [result, *_] = (tmp_path / "shared").rglob("result.json")
        assert result.stat().st_mode & 0o777 == 0o644
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


LINKS = ["result.json", ".hydra", "report.html", "deep/test.csv"]


@pytest.mark.parametrize(
    ("verb", "name", "multirun"),
    [*((verb, LINKS[place % len(LINKS)], False) for place, verb in enumerate(VERBS)), ("check", "0/result.json", True)],
)
def test_no_verb_writes_through_a_link_that_leads_out_of_its_folder(verb, name, multirun, tmp_path: Path, capfd):
    """Whoever may write to the folder of a run, or sent it, has no file of the user's changed."""
    out, mine = tmp_path / "out", tmp_path / "mine"
    (out / name).parent.mkdir(parents=True)
    mine.write_text("kept")
    (out / name).symlink_to(mine)
    needed = [f"{key}=a" for key in ("model_uri", "input", "output") if verb in NEEDS.get(key, ())]
    words = ["-m", "seed=1", f"hydra.sweep.dir={out}"] if multirun else [f"hydra.run.dir={out}"]
    assert run([verb, *needed, *words]) == 2
    assert f"a link in the folder of the run leads out of it\n  got:      '{out / name}'" in capfd.readouterr().err
    assert mine.read_text() == "kept"
    assert [path for path in out.rglob("*") if not path.is_dir()] == [out / name]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: srexp.run(["model=vdsr"]), "the verb is no text"),
        (lambda: srexp.run("trian"), "there is no such verb"),
        (lambda: srexp.compose([], verb="trian"), "did you mean train?"),
        (lambda: srexp.run("check", "model=vdsr seed=2"), "fix:      ['model=vdsr', 'seed=2']"),
        (lambda: srexp.run("check", {"model": "vdsr"}), "overrides are no list of texts"),
        (lambda: srexp.run("check", [1]), "overrides are no list of texts"),
        (lambda: srexp.compose(None), "overrides are no list of texts"),
        (lambda: srexp.load(None), "this is no address of a model"),
        (lambda: srexp.load(3), "zoo/NAME"),
    ],
)
def test_arguments_from_python_are_refused_in_words(call, said):
    with pytest.raises(RequestError) as refusal:
        call()
    assert said in str(refusal.value)


def test_a_notebook_writes_through_no_link_either_and_a_link_to_a_folder_is_one(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    (tmp_path / "out" / "kept.txt").write_text("kept")
    (tmp_path / "out" / "within").symlink_to("kept.txt")
    srexp.run("check", [f"hydra.run.dir={tmp_path}/link"])
    (tmp_path / "out" / "without").symlink_to(tmp_path)
    with pytest.raises(RequestError, match="leads out of it"):
        srexp.run("check", [f"hydra.run.dir={tmp_path}/link"])


@pytest.mark.slow
@pytest.mark.system
def test_what_a_training_writes_only_the_user_reads(tmp_path: Path):
    """The store and its database, the journal, caches and logs, from a process of its own and from a notebook."""
    before = os.umask(0o022)
    try:
        short = ["+debug=fast", "trainer.epochs=1", "trainer.steps_per_epoch=1"]
        assert run(["-m", *short, "seed=1,2"]) == 0
        srexp.run("train", [*short, "seed=3"])
        assert [*(tmp_path / "project").rglob("mlflow.db")]
        assert readable_by_others(tmp_path / "project") == []
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


@pytest.mark.parametrize("words", ["--help", "help", "-h"])
def test_help_lists_the_verbs(words, capfd):
    assert run([words]) == 0
    shown = capfd.readouterr().out
    assert all(verb in shown for verb in VERBS)
    assert "optimizer.lr=" in shown


def test_help_of_a_verb_is_the_same_before_and_behind_it(capfd):
    shown = []
    for words in (["help", "enhance"], ["enhance", "--help"], ["-h", "enhance"]):
        assert run(words) == 0
        shown.append(capfd.readouterr().out)
    assert shown[0] == shown[1] == shown[2]
    assert "self_ensemble=false" in shown[0]
    assert run(["help", "enhnace"]) == 2
    assert "did you mean enhance?" in one_message(capfd)


def test_help_versions_and_completion_load_neither_hydra_nor_much_else():
    """What a shell waits for: a budget of the processor's time, ten times what it takes, and of imports."""
    asked = [["--version"], ["-sc", "query=bash"], *([verb, "--help"] for verb in VERBS)]
    heavy = [*HEAVY, "hydra", "omegaconf", "pydantic", "numpy"]
    code = (
        f"import sys, time; from srexp.cli import run\nfor arguments in {asked!r}:\n"
        "    before = time.process_time()\n    assert run(arguments) == 0\n"
        "    assert time.process_time() - before < 2, arguments\n"
        f"print('heavy:', [name for name in {heavy!r} if name in sys.modules])\n"
    )
    environment = {**os.environ, "COMP_LINE": "srexp evaluate model_u"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert done.stderr == ""


def test_light_commands_import_nothing_heavy():
    light = [["--help"], ["model=vdsrr"], ["--cfg", "job"], ["check"]]
    code = (
        f"import sys; from srexp.cli import run\nfor arguments in {light!r}:\n    run(arguments)\n"
        f"    print('heavy:', arguments, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = [line for line in done.stdout.splitlines() if line.startswith("heavy:")]
    assert said == [f"heavy: {arguments} []" for arguments in light]


def test_a_verb_may_stand_behind_an_option(tmp_path: Path):
    assert run(["-m", "check", "seed=1,2", f"hydra.sweep.dir={tmp_path}/sweep"]) == 0
    assert sorted(path.parent.name for path in (tmp_path / "sweep").glob("*/result.json")) == ["0", "1"]


def test_a_launcher_that_is_not_installed_is_named_with_its_extra():
    from hydra.errors import MissingConfigException

    with pytest.raises(RequestError, match=r'pip install "srexp\[slurm\]"'), explained(list, []):
        raise MissingConfigException("not found", "hydra/launcher/submitit_slurm", ["basic"])


def test_a_value_of_another_shape_is_told_with_the_key_that_has_it():
    with pytest.raises(RequestError, match=r"model\.kernels can't take this value") as refused, explained(list, []):
        raise OmegaConfBaseException("Error merging override model.kernels={a:1}")
    assert "[a,b], in place of a list" in str(refused.value)


def test_a_file_that_no_group_has_is_told_without_where_it_was_looked_for():
    from hydra.errors import MissingConfigException

    said = "Cannot find primary config 'mine'.\nSearch path in Config:\n  /srv/conf"
    with pytest.raises(RequestError) as refused, explained(list, []):
        raise MissingConfigException(said, "mine")
    assert refused.value.what == "Cannot find primary config 'mine'."


def test_what_is_no_fault_of_an_override_stays_what_it_is():
    with pytest.raises(ValueError, match="a fault"), explained(list, ["model=vdsr"]):
        raise ValueError("a fault")


def test_failures_of_a_multirun_are_told_one_by_one(tmp_path: Path, capfd):
    assert run(["-m", "check", "trainer.patch_size=47,48,49", f"hydra.sweep.dir={tmp_path}/sweep"]) == 2
    said = capfd.readouterr().err
    assert said.count("trainer.patch_size is no multiple") == 2
    assert "trainer.patch_size=47" in said


def test_the_exit_code_is_that_of_the_verb(monkeypatch):
    monkeypatch.setattr(cli, "run", lambda _: 3)
    assert left_with(monkeypatch) == 3


def test_a_fault_that_the_user_wants_to_see_ends_with_its_traceback(monkeypatch, capfd):
    def run(_):
        raise SrexpError("a fault")

    monkeypatch.setattr(cli, "run", run)
    assert left_with(monkeypatch) == 1
    assert re.search(r"Traceback.*\n.*SrexpError: a fault", capfd.readouterr().err, re.DOTALL)


def left_with(monkeypatch) -> int:
    """The code with which the command line would end this process."""
    codes = []
    monkeypatch.setattr(cli, "outlive_reader", lambda: None)
    monkeypatch.setattr(cli, "mask_tracebacks", lambda: None)
    monkeypatch.setattr(cli, "leave", codes.append)
    cli.main()
    return codes[0]
