"""A training that was interrupted, in a store of its own; going on with it trains nothing."""

from __future__ import annotations

import contextlib
import shlex
import shutil

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from srexp.config.compose import compose
from srexp.config.identity import IDENTITY_TAG, identity
from srexp.experiment.pipeline import Outcome
from srexp.experiment.task import Task
from srexp.tracking.names import CHECKPOINTS_TAG
from srexp.tracking.runs import environment
from srexp.tracking.runs.tracking import Tracking
from srexp.training.checkpoint import Checkpoint, Checkpoints
from tests.experiment.resumed.interruption import TASK, put


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


@pytest.fixture
def conducted(monkeypatch):
    """What would be done; nothing is trained."""
    seen = {}

    def conduct(task, tracking, _watch, plan):
        seen.update(task=task, tracking=tracking, earlier=plan.earlier, tags=plan.tags)
        return Outcome({"run_id": plan.earlier.run_id}, "srcnn")

    monkeypatch.setattr("srexp.experiment.pipeline.run", conduct)
    return seen
