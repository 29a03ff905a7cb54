"""A store for each test, copied from one that was made once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from srexp.tracking.runs.tracking import Tracking


@pytest.fixture
def runs(tmp_path: Path, made_store: Path) -> Path:
    """A folder of runs with a fresh store in it."""
    folder = tmp_path / "mlruns"
    folder.mkdir()
    shutil.copy(made_store, folder / "mlflow.db")
    return folder


@pytest.fixture
def tracking(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracking(folder=runs, system_metrics=False)


@pytest.fixture
def artifact(tracking: Tracking) -> Callable[[str, str], Path]:
    """Where an artifact of a run lies."""
    return lambda run_id, path: tracking.folder / "artifacts" / run_id / "artifacts" / path
