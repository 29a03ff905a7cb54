"""A small project of its own for each story, and small images of several patients."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.warm_start import Command

TINY = ["+debug=fast", "trainer.patch_size=16", "trainer.validation_size=32", "trainer.test_size=null"]


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
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    return Project(tmp_path)


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


@pytest.fixture
def folder_of(images: Path):
    """Overrides that train on the small images, by patient."""
    return ["dataset=folder", f"dataset.root={images}", r"dataset.patients='^(\d{8})'", *TINY]
