"""Secrets planted through every key and verb, in whatever form: nothing that is written or shown has one."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from srexp.cli import VERBS, run
from srexp.config import frozen_files
from srexp.config.compose import composed
from srexp.config.override_grammar import override
from tests.stories.secrets.planted import ADDRESSES, ENDS, Watched, password


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


@pytest.mark.one_in(2)
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
    """Every key with `check`, and with each verb those of its own and some that all have.

    Forms of addresses take turns, and so do `check` with an address without quotes, and over several jobs.
    """
    common = text_keys("check")
    keys = [*common, "+hydra.job.env_set.X", "hydra.output_subdir", "hydra.run.dir", "hydra.sweep.dir"]
    assert {"tracking.uri", "dataset.root", "dataset.url", "run_name", "paths.root"} <= set(keys)
    if verb != "check":
        keys = [*keys[first :: len(VERBS)], *(key for key in text_keys(verb) if key not in common)]
    for number, key in enumerate(keys, first):
        form = list(ADDRESSES)[number % len(ADDRESSES)]
        quoted = typed(key, ADDRESSES[form])
        run([verb, *quoted])
        if verb == "check":
            run([verb, "-m", "seed=1", *quoted] if number % 2 else [verb, f"{key}={ADDRESSES[form]}"])
        assert watched.leaks() == [], key


def test_a_multirun_without_hydras_files_leaves_no_file_with_its_command_line(watched: Watched) -> None:
    """Hydra writes `multirun.yaml` whatever `hydra.output_subdir` says."""
    run(["check", "-m", "seed=1,2", "hydra.output_subdir=null", override("tracking.uri", ADDRESSES["token"])])
    written = {path.name for path in watched.folder.rglob("*") if path.is_file()}
    assert "job.json" in written
    assert not {"multirun.yaml", "overrides.yaml", "hydra.yaml", "config.yaml"} & written
    assert watched.leaks() == []
