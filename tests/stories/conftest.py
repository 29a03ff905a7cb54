"""A small project of its own for each story, and small images of several patients."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

import srexp
from tests.warm_start import Command

#: Small images without pictures of them, which take a third of so short a training.
TINY = [
    "+debug=fast", "trainer.patch_size=16", "trainer.validation_size=32", "trainer.test_size=null",
    "tracking.max_images=0", "tracking.system_metrics=false",
]  # fmt: skip


@dataclass(frozen=True)
class Project:
    """A folder that runs write to, and the command line over it."""

    root: Path

    def run(self, *words: str, timeout: float = 240, cold: bool = False) -> subprocess.CompletedProcess[str]:
        """Type a command as a user would, and wait for its end."""
        with self.start(*words, cold=cold, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                said = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(words, process.returncode, *said)

    def start(self, *words: str, cold: bool = False, **streams: Any) -> Command:
        """Type a command; `cold` starts it as a user does, otherwise it finds TensorFlow loaded."""
        environment = {**os.environ, "SREXP_ROOT": str(self.root)}
        return Command(words, env=environment, cwd=self.root, text=True, cold=cold, **streams)

    def results(self) -> list[dict]:
        """All result.json, oldest first."""
        found = sorted((self.root / "mlruns" / "outputs").rglob("result.json"), key=lambda path: path.stat().st_mtime)
        return [json.loads(path.read_text()) for path in found]

    def client(self):
        from srexp.tracking.runs.tracking import Tracking
        from srexp.tracking.store.store import connect

        return connect(Tracking(folder=self.root / "mlruns").store)

    def model(self, uri: str):
        """Load a model that a run logged."""
        import mlflow.keras

        from srexp.tracking.runs.tracking import Tracking
        from srexp.tracking.store.store import selected

        with selected(Tracking(folder=self.root / "mlruns").store.uri):
            return mlflow.keras.load_model(uri)

    def weights(self, uri: str) -> list[bytes]:
        """Give the weights of a model that a run logged, as what can be compared to the last bit."""
        return [array.tobytes() for array in self.model(uri).get_weights()]

    def runs(self) -> list:
        """All MLflow runs, newest first."""
        client = self.client()
        return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in which nothing was done."""
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    return Project(tmp_path)


@pytest.fixture
def project(empty_project: Project, made_store: Path) -> Project:
    """A project with a store, whose tables take a second to make."""
    folder = empty_project.root / "mlruns"
    folder.mkdir()
    shutil.copy(made_store, folder / "mlflow.db")
    return empty_project


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty 64 x 64 images of ten patients, named as those of the NIH: patient_number.png."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(7)
    for patient in range(10):
        for number in range(2):
            coarse = Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8))
            coarse.resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{patient:08}_{number:03}.png")
    return folder


def by_patient(images: Path) -> list[str]:
    return ["dataset=folder", f"dataset.root={images}", r"dataset.patients='^(\d{8})'", *TINY]


@pytest.fixture
def folder_of(images: Path) -> list[str]:
    """Overrides that train on the small images, by patient."""
    return by_patient(images)


@dataclass(frozen=True)
class Trained(Project):
    """A project in which something was trained.

    Args:
        trainings: Their results, in order.
    """

    trainings: tuple[dict, ...] = ()


@pytest.fixture(scope="session")
def _trained_once(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """Train for all workers; the first one that needs it does."""
    folder = tmp_path_factory.getbasetemp()
    root = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "two_trainings"
    with FileLock(f"{root}.lock"), pytest.MonkeyPatch.context() as patched:
        if not (root / "trainings.json").exists():
            patched.setenv("SREXP_ROOT", str(root))
            asked = [*by_patient(images), "tracking.max_images=1"]
            trained = [srexp.run("train", [*asked, f"seed={seed}"]) for seed in (1, 2)]
            (root / "trainings.json").write_text(json.dumps(trained))
    return root


@pytest.fixture
def two_trainings(project: Project, _trained_once: Path) -> Trained:
    """A project of the test's own, a copy of one with trainings of the seeds 1 and 2; the store isn't told."""
    shutil.copytree(_trained_once, project.root, dirs_exist_ok=True)
    return Trained(project.root, tuple(json.loads((project.root / "trainings.json").read_text())))
