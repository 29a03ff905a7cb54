"""What is composed while work goes on comes from the files with which it began, in whatever process."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher

import srexp
from srexp import cli
from srexp.config.frozen_files import frozen
from srexp.experiment.multirun import driver, execution, job

PRESET = "# @package _global_\noptimizer:\n  lr: {}\n"


def lr(*typed: str) -> Any:
    return srexp.compose(list(typed)).optimizer.lr


@pytest.fixture
def preset(own_conf: Path) -> Path:
    """A preset with a learning rate of 0.1."""
    path = own_conf / "experiment" / "mine.yaml"
    path.write_text(PRESET.format(0.1))
    return path


def edit(path: Path) -> None:
    path.write_text(PRESET.format(0.2))


def remove(path: Path) -> None:
    path.unlink()


def spoil(path: Path) -> None:
    path.write_text("{")


@pytest.mark.parametrize("change", [edit, remove, spoil])
def test_an_edit_is_for_the_next_command(change: Callable[[Path], None], preset: Path) -> None:
    with frozen():
        assert lr("+experiment=mine") == 0.1
        change(preset)
        assert lr("+experiment=mine") == 0.1
    edit(preset)
    assert lr("+experiment=mine") == 0.2


@pytest.mark.parametrize(
    ("file", "typed", "key", "line"),
    [
        ("conf/base.yaml", [], "scale", "scale: 4"),
        ("conf/model/vdsr.yaml", ["model=vdsr"], "model.depth", "depth: 3"),
        ("conf/trainer/default.yaml", [], "trainer.epochs", "epochs: 7"),
    ],
)
def test_files_that_nothing_was_composed_from_yet_are_kept_too(
    file: str, typed: list[str], key: str, line: str, own_conf: Path
) -> None:
    def value() -> Any:
        section, _, inner = key.partition(".")
        found = srexp.compose(typed).resolved[section]
        return found[inner] if inner else found

    before, path = value(), own_conf.parent / file
    with frozen():
        srexp.compose([])
        name = line.partition(":")[0]
        kept = [each for each in path.read_text().splitlines() if not each.startswith(name)]
        path.write_text("\n".join([*kept, line]) + "\n")
        assert value() == before
    assert value() != before


def test_recipes_and_presets_that_searches_found_are_kept(own_conf: Path, tmp_path: Path) -> None:
    found = tmp_path / "mlruns" / "studies" / "experiment" / "best_mine.yaml"
    found.parent.mkdir(parents=True)
    found.write_text(PRESET.format(0.1))
    recipe = own_conf.parent / "sweeps" / "srcnn_tpe.yaml"
    with frozen():
        before = srexp.compose(["+sweeps=srcnn_tpe"], verb="search").search
        edit(found)
        recipe.write_text("# @package _global_\n")
        assert lr("+experiment=best_mine") == 0.1
        assert srexp.compose(["+sweeps=srcnn_tpe"], verb="search").search == before


def test_the_files_travel_to_another_process(preset: Path) -> None:
    with frozen() as files:
        srexp.compose([])
    sent = pickle.dumps(files)
    edit(preset)
    with frozen(pickle.loads(sent)):
        assert lr("+experiment=mine") == 0.1
        with frozen() as again:
            assert again.texts == files.texts


def test_the_environment_decides_as_before(own_conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with frozen():
        assert srexp.compose([]).paths.root == tmp_path / "mlruns"
        monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "other"))
        assert srexp.compose([]).paths.root == tmp_path / "other" / "mlruns"


def test_the_files_that_changed_are_named(preset: Path, own_conf: Path) -> None:
    for path in own_conf.rglob("*.yaml"):
        os.utime(path, (time.time() - 100, time.time() - 100))
    with frozen() as files:
        srexp.compose(["+experiment=mine"])
    moment = time.time() - 50
    assert files.changed_since(moment) == []
    edit(preset)
    edit(own_conf / "experiment" / "paper_vdsr.yaml")  # which nothing was composed from
    assert files.changed_since(moment) == [str(preset)]
    preset.unlink()
    assert files.changed_since(moment) == [str(preset)]


HERE = BasicLauncher.launch


def elsewhere(launcher: Any, job_overrides: Any, initial_job_idx: int) -> Any:
    """Start each job as launchers do that send it away: from a pickle, later, in a process that knows nothing."""
    state = {key: getattr(launcher, key) for key in ("config", "hydra_context", "task_function")}
    sent = [cloudpickle.dumps((state, overrides)) for overrides in job_overrides]

    def start(pickled: bytes, number: int) -> Any:
        received, overrides = pickle.loads(pickled)
        return HERE(SimpleNamespace(**received), [overrides], number)[0]  # type: ignore[arg-type]

    return [Context().run(start, each, number) for number, each in enumerate(sent, initial_job_idx)]


@pytest.mark.parametrize("launch", [HERE, elsewhere])
@pytest.mark.slow
def test_jobs_of_a_multirun_and_what_they_compose_are_of_one_configuration(
    launch: Callable[..., Any], preset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, composed, rows = [], [], []

    def train(_: Any, config: Any, *__: Any) -> None:
        seen.append(config.optimizer.lr)
        with frozen():  # what goes along to the process of the job
            composed.append(lr("+experiment=mine"))
        result = {"run_id": "r", "validation": {"psnr": 1.0}, "test": {"psnr": 1.0, "ssim": 1.0}, "gain_db": 0.0}
        job.finish(config.run_dir, {**result, "data_fingerprint": "f", "protocol": {}})
        edit(preset)

    monkeypatch.setattr(execution, "_execute_alone", train)
    monkeypatch.setattr(driver, "skipped", lambda _: None)
    monkeypatch.setattr("hydra._internal.core_plugins.basic_launcher.BasicLauncher.launch", launch)
    monkeypatch.setattr("srexp.commands.printing.console.multirun", lambda summary, _: rows.extend(summary.rows))
    assert cli.run(["-m", "+experiment=mine", "seed=1,2,3"]) == 0
    assert (seen, composed) == ([0.1] * 3, [0.1] * 3)
    [row] = rows
    assert row.seeds == 3
    assert len(row.configuration) == 64
    assert lr("+experiment=mine") == 0.2


def test_brackets_without_end_are_looked_through_in_no_time(tmp_path: Path) -> None:
    (tmp_path / "deep.yaml").write_text("tags: {a: 'http://ann:pw@host', b: " + "[" * 900_000 + "}")
    before = time.process_time()
    with frozen() as files:
        (text,) = files.of(str(tmp_path)).values()
    assert time.process_time() - before < 20
    assert b"ann:pw" not in text
