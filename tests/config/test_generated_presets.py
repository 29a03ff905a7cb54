"""Presets made at random: composed under any verb, they make no file, start no process and change no environment."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from srexp import cli

TARGETS = st.sampled_from(
    ["os.mkdir", "pathlib.Path.touch", "${run_name}", "${oc.env:NAMED_TARGET}", "${oc.decode:os.mkdir}",
     "${hydra.job.num}", "os.${oc.select:nothing,mkdir}", "${srexp.by:${hydra.job.num},{0:os.mkdir}}", "logging.os"]
)  # fmt: skip
BUILT = st.builds(
    lambda key, target, inner: {key: target, "path": "TRACE", "args": ["TRACE"]} | inner,
    st.sampled_from(["_target_", "class", "()", "<<"]), TARGETS, st.sampled_from([{}, {"_partial_": True}]),
)  # fmt: skip
TEXTS = st.sampled_from(["TRACE", "a\nmkdir TRACE", "$(mkdir TRACE)", "${oc.env:HOME}", "[os]", "extensions=[os]"])
SAID = st.recursive(BUILT | TEXTS, lambda inner: st.lists(inner, max_size=2) | st.builds(lambda x: {"mine": x}, inner))
PLACES = st.sampled_from(
    ["hydra.callbacks", "hydra.callbacks.sweep_folder", "hydra.job_logging.handlers", "hydra.job_logging.handlers.file",
     "hydra.job_logging.formatters.simple", "hydra.hydra_logging", "hydra.launcher", "hydra.launcher.setup",
     "hydra.job", "hydra.job.env_set", "hydra.job.env_copy", "hydra.overrides.task", "hydra.overrides.hydra",
     "hydra.searchpath", "hydra.sweeper", "hydra.sweeper.params", "hydra.sweep.dir", "hydra.run.dir",
     "hydra.output_subdir", "hydra", "model", "model.kernels", "loss", "optimizer", "tags", "run_name", "extensions",
     "verb", "paths.outputs", "defaults", "tracking", "dataset", "search.space", "_target_",
     "hydra.sweeper.params.extensions", "hydra.sweeper.params.seed"]
)  # fmt: skip
PACKAGES = st.sampled_from(["_global_", "hydra", "hydra.callbacks.mine", "hydra.job_logging.handlers.file", "model"])
#: Where a file lies, and by which words it is chosen.
CHOSEN = st.sampled_from(
    ["+experiment", "+debug", "+sweeps", "model", "dataset", "+mine", "hydra/launcher", "hydra/job_logging",
     "+hydra/callbacks", "hydra/sweeper", "+mine@hydra.callbacks.mine", "+experiment@hydra", "+mine@model.kernels"]
)  # fmt: skip
#: What no tree of plain data becomes when it is written.
LINES = st.sampled_from(
    ["", "", "run_name: !!python/object/apply:os.mkdir [TRACE]", "--- {a: b}\n--- {_target_: os.mkdir}",
     "tags: &a {_target_: os.mkdir, path: TRACE}\nmodel: *a", "%TAG ! tag:yaml.org,2002:",
     "<<: {model: {_target_: os.mkdir, path: TRACE}}", "? [hydra, callbacks]\n: {mine: {_target_: os.mkdir}}",
     "defaults: [{override hydra/callbacks: mine}, _self_]", "defaults: [{/model@hydra.callbacks.mine: srcnn}]",
     "defaults: [{override /hydra/launcher: joblib}]"]
)  # fmt: skip
#: What a preset may not make Python do, by its own audit, outside of the folder of the run.
WATCHED = {"open", "os.mkdir", "os.rename", "os.symlink", "os.link", "os.system", "os.exec",
           "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "pickle.find_class"}  # fmt: skip


class Audit:
    """What Python did while it was listened to; a hook stays for as long as the process."""

    def __init__(self) -> None:
        self.within, self.heard = "", []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given_: tuple[Any, ...]) -> None:
        if not self.within or event not in WATCHED:
            return
        written = event != "open" or (isinstance(given_[2], int) and given_[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if written and not str(given_[0]).startswith((self.within, os.devnull)) and "__pycache__" not in str(given_[0]):
            self.heard.append((event, *map(str, given_)))


_audit = functools.cache(Audit)


def composed(written: tuple[dict[str, Any], str, str, str], asked: tuple[str, bool]) -> set[tuple[str, str]]:
    """Choose a file that says this, and let a verb compose it; give what its jobs find changed in the environment."""
    (said, more, package, chosen), (verb, multirun) = written, asked
    changed: set[tuple[str, str]] = set()
    audit = _audit()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        tree: dict[str, Any] = {}
        for place, value in said.items():
            *above, last = place.split(".")
            functools.reduce(_below, above, tree)[last] = value
        file = Path(folder, "presets", chosen.lstrip("+").partition("@")[0], "hostile.yaml")
        file.parent.mkdir(parents=True)
        text = f"# @package {package}\n{yaml.safe_dump(tree) if tree else ''}{more}\n"
        file.write_text(text.replace("TRACE", f"{folder}/trace"))
        patch.setenv("SREXP_ROOT", f"{folder}/project")
        patch.setenv("NAMED_TARGET", "os.mkdir")
        given_ = {*os.environ.items()}
        patch.setattr(cli, "LIGHT", set(cli.VERBS))
        patch.setattr(cli, "execute", lambda config: changed.update({*os.environ.items()} - given_))
        typed = [f"{chosen}=hostile", f"--config-dir={folder}/presets", f"hydra.run.dir={folder}/run"]
        typed += ["-m", "seed=1", f"hydra.sweep.dir={folder}/sweep"] if multirun else []
        audit.within, audit.heard = folder, []
        try:
            assert cli.run([verb, *typed]) in (0, 2)
        finally:
            audit.within = ""
        assert audit.heard == []
        assert {each.name for each in Path(folder).iterdir()} <= {"presets", "run", "sweep", "project"}
        return {(name, value.replace(folder, "FOLDER")) for name, value in changed}


@functools.cache
def _usual() -> set[tuple[str, str]]:
    """Give what libraries change in the environment of a job that a preset says nothing to."""
    plain = ({}, "", "_global_", "+experiment")
    return composed(plain, ("check", False)) | composed(plain, ("train", True))


def assert_harmless(written: Any, asked: Any) -> None:
    usual, before = _usual(), dict(os.environ)
    assert composed(written, asked) <= usual
    assert dict(os.environ) == before


WRITTEN = st.tuples(st.dictionaries(PLACES, SAID, max_size=3), LINES, PACKAGES, CHOSEN)
ASKED = st.tuples(st.sampled_from(sorted(cli.VERBS)), st.booleans())


@pytest.mark.parametrize("event", ["file", "folder", "process"])
def test_what_a_preset_may_not_do_is_heard(event: str, tmp_path: Path) -> None:
    audit = _audit()
    audit.within, audit.heard = f"{tmp_path}/run", []
    try:
        if event == "file":
            (tmp_path / "trace").write_text("")
        elif event == "folder":
            os.mkdir(tmp_path / "trace")  # noqa: PTH102 - what the presets name
        else:
            subprocess.run(["true"], check=True)
    finally:
        audit.within = ""
    assert audit.heard


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
@given(WRITTEN, ASKED)
def test_no_preset_makes_a_file_or_changes_the_environment(written: Any, asked: Any) -> None:
    assert_harmless(written, asked)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=100, phases=[Phase.explicit, Phase.generate])
@given(WRITTEN, ASKED)
def test_no_preset_of_many_does(written: Any, asked: Any) -> None:
    assert_harmless(written, asked)


def _below(node: dict[str, Any], key: str) -> dict[str, Any]:
    inner = node.get(key)
    if not isinstance(inner, dict):
        inner = node[key] = {}
    return inner
