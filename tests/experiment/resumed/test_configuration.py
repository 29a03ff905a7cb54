"""Under which configuration a run goes on."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import time
from types import SimpleNamespace

import pytest

from srexp.config.compose import compose
from srexp.config.frozen_files import Files, frozen
from srexp.config.identity import IDENTITY_TAG, identity
from srexp.experiment import batch_size, resume, start
from srexp.experiment.recorded_config import kept_by, run_of, task_tags
from srexp.experiment.task import Task
from srexp.system.kernels import choice
from srexp.tracking.names import CHECKPOINTS_TAG
from srexp.tracking.runs import environment, queries
from srexp.training.checkpoint import Checkpoint, Checkpoints
from srexp.training.memory import Measured
from tests.experiment.resumed.interruption import TASK, go_on, put, refused


def test_the_configuration_is_that_of_the_run(interrupted, conducted, asked, tmp_path):
    result = go_on(f"resume={interrupted}", "trainer.workers=1", "tracking.max_images=0", "checkpoint.minutes=null")
    _, config = asked
    taken = conducted["task"].config
    assert (taken.seed, taken.trainer.patch_size, taken.model) == (4, 16, config.model)
    assert (taken.trainer.workers, taken.checkpoint.minutes, conducted["tracking"].max_images) == (1, None, 0)
    assert taken.overrides == config.overrides
    assert taken.run_dir == tmp_path / "run"
    earlier = conducted["earlier"]
    assert (earlier.run_id, earlier.logged, earlier.times, earlier.warnings) == (interrupted, True, 1, [])
    assert (tmp_path / "run" / "result.json").is_file()
    assert result["run_id"] == interrupted
    assert not (tmp_path / "run" / "resume.lock").exists()


def test_a_damaged_note_of_the_code_is_a_warning_and_no_end(interrupted, conducted, tracking):
    note = tracking.folder / "artifacts" / interrupted / "artifacts" / "environment.json"
    note.write_bytes(b"{")
    assert go_on(f"resume={interrupted}")["run_id"] == interrupted
    [warning] = conducted["earlier"].warnings
    assert f"environment.json of run {interrupted} can't be read" in warning


def test_a_run_that_logged_nothing_yet_is_composed_from_its_overrides(interrupted, conducted, asked, monkeypatch):
    monkeypatch.setattr(resume, "kept_by", lambda *_: {})
    go_on(f"resume={interrupted}")
    assert identity(conducted["task"].config, "") == identity(asked[1], "")
    assert conducted["earlier"].logged is False


def test_tags_that_earlier_versions_let_a_run_have_are_left_to_it(interrupted, conducted, monkeypatch):
    """MLflow's own are refused today, and nobody can take them out of a configuration that a run has logged."""
    earlier = {"mlflow.note.content": "a note", "srexp.mine": "1", "ward": "7"}
    monkeypatch.setattr(resume, "kept_by", lambda *given: {**kept_by(*given), "tags": earlier})
    assert go_on(f"resume={interrupted}")["run_id"] == interrupted
    assert conducted["task"].config.tags == {"ward": "7"}


def test_a_copied_run_that_lost_its_configuration_finds_the_images_that_came_along(
    interrupted, conducted, root, *, tracking, tmp_path, monkeypatch
):
    folder = root / "mlruns" / "outputs" / "lost" / "checkpoints" / "0123"
    Checkpoints(folder).save(Checkpoint(step=1))
    put(tracking, interrupted, **{CHECKPOINTS_TAG: str(folder)})
    copied = shutil.copytree(root, tmp_path / "copied")
    (copied / "mlruns" / "artifacts" / interrupted / "artifacts" / "config.yaml").unlink()
    monkeypatch.setenv("SREXP_ROOT", str(copied))
    go_on(f"resume={interrupted}")
    taken = conducted["task"].config
    assert (taken.dataset.root, taken.run_dir) == (str(copied / "images"), copied / "mlruns" / "outputs" / "lost")


@pytest.mark.parametrize(
    ("option", "settled"),
    [("batch_size=auto", {"batch_size": 4}), ("start=models:/x@champion", {"start": "models:/x/3"})],
)
def test_a_run_that_logged_nothing_goes_on_with_what_was_settled(
    option, settled, *, tracking, asked, conducted, monkeypatch, tmp_path
):
    monkeypatch.setattr(batch_size, "_tried", lambda task: [Measured(4, 1.0, 0)])
    monkeypatch.setattr(start, "_found", lambda config, address: SimpleNamespace(address="models:/x/3"))
    monkeypatch.setattr(start, "findings", lambda *_: [])
    typed, folder = [*asked[0], f"trainer.{option}"], tmp_path / "run" / "checkpoints" / "0123"
    same = identity(start.settled(compose("train", typed)[0]), Task(asked[1]).prepared.fingerprint)
    tags = {"overrides": shlex.join(typed), IDENTITY_TAG: same, CHECKPOINTS_TAG: str(folder)}
    Checkpoints(folder).save(Checkpoint(step=0))
    with contextlib.suppress(KeyboardInterrupt), tracking.run(TASK, name="settled", tags=tags) as run:
        raise KeyboardInterrupt
    put(tracking, run.id, "KILLED", **environment.origin_tags())
    assert go_on(f"resume={run.id}")["run_id"] == run.id
    trainer = conducted["task"].config.trainer
    assert {key: getattr(trainer, key) for key in settled} == settled


@pytest.fixture
def files(own_conf, root, monkeypatch):
    """The folder `conf`, last written to before the run began."""
    monkeypatch.setenv("SREXP_ROOT", str(root))
    for path in own_conf.rglob("*.yaml"):
        os.utime(path, (time.time() - 100, time.time() - 100))
    return own_conf


def test_a_run_that_logged_nothing_is_not_composed_from_files_that_changed(interrupted, conducted, files, monkeypatch):
    monkeypatch.setattr(resume, "kept_by", lambda *_: {})
    path = files / "optimizer" / "adam.yaml"
    path.write_text(path.read_text() + "# a remark decides nothing\n")
    assert go_on(f"resume={interrupted}")["run_id"] == interrupted
    path.write_text(path.read_text().replace("\nlr:", "\nlr: 0.5  #"))
    said = refused(f"resume={interrupted}")
    assert "composed to another one now" in said
    assert f"changed since it began: {path}" in said


@pytest.fixture
def composed_from_beside(tracking, asked, root, tmp_path, monkeypatch):
    """The id of a training with a preset of --config-dir that was killed before it logged anything, and that folder."""
    preset = root / "mine" / "experiment" / "own.yaml"
    preset.parent.mkdir(parents=True, exist_ok=True)
    preset.write_text("# @package _global_\noptimizer:\n  lr: 0.002\n")
    monkeypatch.setattr(resume, "kept_by", lambda *_: {})
    with frozen(Files(beside=str(root / "mine"))):
        config = compose("train", [*asked[0], "+experiment=own"])[0]
    folder = tmp_path / "run" / "checkpoints" / "0124"
    same = identity(config, Task(config).prepared.fingerprint)
    Checkpoints(folder).save(Checkpoint(step=0))
    tags = {**task_tags(Task(config)), IDENTITY_TAG: same, CHECKPOINTS_TAG: str(folder)}
    with contextlib.suppress(KeyboardInterrupt), tracking.run(TASK, name="beside", tags=tags) as run:
        raise KeyboardInterrupt
    put(tracking, run.id, "KILLED", **environment.origin_tags())
    yield run.id, root / "mine"
    put(tracking, run.id, "FINISHED")
    shutil.rmtree(root / "mine", ignore_errors=True)


def test_a_run_is_composed_again_from_the_folder_beside_that_it_began_with(composed_from_beside, conducted):
    run_id, folder = composed_from_beside
    go_on(f"resume={run_id}")
    taken = conducted["task"].config
    assert taken.optimizer.options["lr"] == 0.002
    assert taken.typed[0] == f"--config-dir={folder}"


def test_a_folder_beside_that_is_gone_is_named_and_may_be_elsewhere(composed_from_beside, conducted, tmp_path):
    run_id, folder = composed_from_beside
    elsewhere = shutil.move(folder, tmp_path / "elsewhere")
    said = refused(f"resume={run_id}")
    assert f"--config-dir={folder}" in said
    assert "--config-dir=FOLDER where it is now" in said
    with frozen(Files(beside=str(elsewhere))):
        go_on(f"resume={run_id}")
    assert conducted["task"].config.optimizer.options["lr"] == 0.002


def test_the_configuration_of_a_run_is_the_one_it_logged_whatever_files_say(interrupted, conducted, asked, files):
    path = files / "optimizer" / "adam.yaml"
    path.write_text(path.read_text().replace("\nlr:", "\nlr: 0.5  #"))
    go_on(f"resume={interrupted}")
    assert identity(conducted["task"].config, "") == identity(asked[1], "")


def test_a_run_goes_on_with_the_kernels_that_it_began_with(interrupted, conducted, tracking, monkeypatch):
    told = []
    monkeypatch.setattr(choice, "settle_as", told.append)
    go_on(f"resume={interrupted}")
    put(tracking, interrupted, "KILLED", **{choice.KERNELS: choice.in_force()})
    go_on(f"resume={interrupted}")
    assert told == [None, choice.in_force()]
    assert conducted["earlier"].warnings == []
    put(tracking, interrupted, "KILLED", **{choice.KERNELS: "eigen"})  # and the suite has the other kind
    go_on(f"resume={interrupted}")
    [warning] = conducted["earlier"].warnings
    assert "srexp.kernels eigen, now onednn" in warning
    opened = run_of(conducted["task"], tracking, name="", tags={}, resume=interrupted)
    with contextlib.suppress(KeyboardInterrupt), opened:
        raise KeyboardInterrupt
    assert queries.get_run(tracking.store, interrupted).tags[choice.KERNELS] == "eigen"


def test_images_that_moved_are_found_where_they_are(interrupted, conducted, root, tmp_path):
    moved = shutil.copytree(root / "images", tmp_path / "elsewhere")
    go_on(f"resume={interrupted}", "dataset=folder", f"dataset.root={moved}")
    assert conducted["task"].config.dataset.root == str(moved)
    assert "dataset is another one" in refused(f"resume={interrupted}", "dataset=chestmnist")


def test_other_code_is_told(interrupted, conducted, monkeypatch):
    monkeypatch.setattr(environment, "code", lambda: {"commit": "n3w"})
    go_on(f"resume={interrupted}")
    [warning] = conducted["earlier"].warnings
    assert ", now n3w" in warning
