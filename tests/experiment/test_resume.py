"""Which runs go on, under which configuration, and what each refusal says."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

import srexp
from srexp.config.compose import compose
from srexp.config.frozen_files import Files, frozen
from srexp.config.identity import IDENTITY_TAG, identity
from srexp.errors import RequestError
from srexp.experiment import batch_size, resume, start
from srexp.experiment.pipeline import Outcome
from srexp.experiment.recorded_config import run_of, task_tags
from srexp.experiment.task import Task
from srexp.system import process_identity
from srexp.system.kernels import choice
from srexp.system.masking import pseudonyms
from srexp.tracking.names import CHECKPOINTS_TAG
from srexp.tracking.runs import environment, queries
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect
from srexp.training.checkpoint import Checkpoint, Checkpoints
from srexp.training.memory import Measured

TASK = "folder-bicubic-x2"


@pytest.fixture(scope="module")
def root(tmp_path_factory, made_store):
    folder = tmp_path_factory.mktemp("resume")
    (folder / "mlruns").mkdir()
    shutil.copy(made_store, folder / "mlruns" / "mlflow.db")
    (folder / "images").mkdir()
    rng = np.random.default_rng(1)
    for patient in range(10):
        pixels = rng.integers(0, 256, (24, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{patient:08}_000.png")
    return folder


@pytest.fixture(scope="module")
def asked(root):
    """What was typed, and what it was composed to."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SREXP_ROOT", str(root))
        places = ["dataset=folder", f"dataset.root={root / 'images'}", r"dataset.patients='^(\d{8})'"]
        typed = [*places, "trainer.patch_size=16", "seed=4"]
        return typed, compose("train", typed)[0]


@pytest.fixture(scope="module")
def same(asked):
    return identity(asked[1], Task(asked[1]).prepared.fingerprint)


@pytest.fixture
def tracking(root, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(root))
    return Tracking(folder=root / "mlruns", system_metrics=False)


@pytest.fixture
def interrupted(tracking, asked, same, tmp_path):
    """The id of a training that was killed after it had said what it would do."""
    typed, config = asked
    folder = tmp_path / "run" / "checkpoints" / "0123"
    tags = {"model": "srcnn", "overrides": shlex.join(typed), IDENTITY_TAG: same, CHECKPOINTS_TAG: str(folder)}
    Checkpoints(folder).save(Checkpoint(step=300))
    with contextlib.suppress(KeyboardInterrupt), tracking.run(TASK, name="srcnn seed 4", tags=tags) as run:
        run.log_config(config.resolved, OmegaConf.to_yaml(OmegaConf.create(config.resolved)))
        run.log_environment(typed)
        raise KeyboardInterrupt
    put(tracking, run.id, "KILLED", **environment.origin_tags())
    yield run.id
    put(tracking, run.id, "FINISHED")


def go_on(*words):
    return srexp.run("train", list(words))


@pytest.fixture
def conducted(monkeypatch):
    """What would be done; nothing is trained."""
    seen = {}

    def conduct(task, tracking, _watch, plan):
        seen.update(task=task, tracking=tracking, earlier=plan.earlier, tags=plan.tags)
        return Outcome({"run_id": plan.earlier.run_id}, "srcnn")

    monkeypatch.setattr("srexp.experiment.pipeline.run", conduct)
    return seen


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


def test_a_run_that_logged_nothing_yet_is_composed_from_its_overrides(interrupted, conducted, asked, monkeypatch):
    monkeypatch.setattr(resume, "kept_by", lambda *_: {})
    go_on(f"resume={interrupted}")
    assert identity(conducted["task"].config, "") == identity(asked[1], "")
    assert conducted["earlier"].logged is False


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


def refused(*words):
    with pytest.raises(RequestError) as error:
        go_on(*words)
    return str(error.value)


def test_an_unknown_run(interrupted):
    assert "no such run" in refused("resume=" + "0" * 32)


@pytest.mark.parametrize(
    "typed",
    ["optimizer.lr=1e-3", "model=vdsr", "trainer.epochs=9", "+debug=fast", "run_name=x", "trainer.memory_mb=512"],
)
def test_what_would_change_the_numbers(interrupted, typed):
    said = refused(f"resume={interrupted}", typed)
    assert "can't be given beside resume" in said
    assert typed in said


def test_a_multirun(interrupted, capfd):
    from srexp.cli import run

    assert run(["-m", f"resume={interrupted},{interrupted}"]) == 2
    assert "this is a multirun" in capfd.readouterr().err


def test_other_images(interrupted, root, tmp_path):
    changed = shutil.copytree(root / "images", tmp_path / "changed")
    Image.new("L", (24, 24), 77).save(changed / "00000003_000.png")
    said = refused(f"resume={interrupted}", "dataset=folder", f"dataset.root={changed}")
    assert "its fingerprint differs" in said


@pytest.fixture
def dead():
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        return process_identity.process_tags(process.pid)


def put(tracking, run_id, status=None, **tags):
    client = connect(tracking.store)
    for key, value in tags.items():
        client.set_tag(run_id, key, value)
    if status:
        client.update_run(run_id, status=status)


def test_a_finished_run(interrupted, tracking):
    put(tracking, interrupted, "FINISHED")
    assert "finished; there is nothing to go on with" in refused(f"resume={interrupted}")


def test_a_run_that_still_runs(interrupted, tracking):
    put(tracking, interrupted, "RUNNING", **process_identity.process_tags())
    assert "still runs" in refused(f"resume={interrupted}")


def test_an_open_run_of_another_machine(interrupted, tracking, dead):
    put(tracking, interrupted, "RUNNING", **{**dead, "srexp.host": "far"})
    assert "reap_hosts=[far]" in refused(f"resume={interrupted}")


def test_an_open_run_whose_process_is_gone(interrupted, tracking, dead, conducted):
    put(tracking, interrupted, "RUNNING", **dead)
    assert go_on(f"resume={interrupted}")["run_id"] == interrupted


def test_a_trial_of_a_search(interrupted, tracking):
    put(tracking, interrupted, **{"srexp.search": "vdsr_tpe"})
    assert "belongs to a search" in refused(f"resume={interrupted}")


def test_what_is_no_training(tracking):
    with tracking.run(TASK, tags={"verb": "evaluate"}) as run:
        pass
    assert "no training that can go on" in refused(f"resume={run.id}")


def test_a_folder_that_is_not_here(interrupted, tmp_path):
    shutil.rmtree(tmp_path / "run")
    assert "is not here" in refused(f"resume={interrupted}")


def test_one_process_at_a_time(interrupted, tmp_path):
    from filelock import FileLock

    with FileLock(tmp_path / "run" / "resume.lock"):
        assert "another process goes on" in refused(f"resume={interrupted}")


def test_the_next_start_of_the_same_command_says_that_it_could_go_on(interrupted, tracking, asked, same):
    config = dataclasses.replace(asked[1], overrides=[*asked[0], "tracking.max_images=1"])
    said = resume.resumable(tracking, config, same)
    assert "interrupted at step 300" in said
    assert f"python -m srexp resume={interrupted} tracking.max_images=1" in said

    assert resume.resumable(tracking, config, "another") is None
    for path in Path(queries.get_run(tracking.store, interrupted).tags[CHECKPOINTS_TAG]).iterdir():
        path.unlink()
    assert resume.resumable(tracking, config, same) is None


def test_a_run_of_another_key_of_pseudonyms_does_not_go_on(monkeypatch):
    """Its images would be called by two names."""

    def found(**tags):
        return queries.StoredRun("f1", "srcnn", TASK, "KILLED", 0, tags=tags, metrics={})

    resume._require_same_key(found())
    resume._require_same_key(found(**{pseudonyms.TAG: pseudonyms.fingerprint()}))
    then = pseudonyms.fingerprint()
    monkeypatch.setenv(pseudonyms.VARIABLE, "the key of somebody else")
    with pytest.raises(RequestError) as refused:
        resume._require_same_key(found(**{pseudonyms.TAG: then}))
    assert refused.value.what == "run f1 calls its images by the pseudonyms of another key"
    assert refused.value.got == f"the key {pseudonyms.fingerprint()}"
    assert then in refused.value.expected
    assert refused.value.fix == "SREXP_PSEUDONYM_KEY= that key"
