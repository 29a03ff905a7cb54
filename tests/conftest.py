"""What every test starts from: a quiet, single-device TensorFlow, no tracking server, and the real images."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import absl.logging
import pytest
from hypothesis import settings

# Set before any test imports the library that reads it, and inherited by the processes that tests start.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["MPLBACKEND"] = "Agg"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
for name in (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "HYDRA_FULL_ERROR",
):
    os.environ.pop(name, None)

# A suite that runs in the background, or under nohup, has these ignored, and so would the processes that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Each worker of `pytest -n` keeps to one thread; otherwise they fight for the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"

# TensorFlow logs through absl, whose handler closes its stream when logging is configured anew, as Hydra does for every
# command; were TensorFlow imported within a test, that stream would be the one by which pytest captures output.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__

# The suite is the same suite every time, on slow machines too; --hypothesis-profile=search looks for new examples.
settings.register_profile("search", deadline=None, print_blob=True)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images that SREXP_TEST_DATA names; without it the test is skipped."""
    named = os.environ.get("SREXP_TEST_DATA")
    if not named:
        pytest.skip("needs real images: set SREXP_TEST_DATA to their folder")
    folder = Path(named).resolve()
    if not folder.is_dir():
        pytest.fail(f"SREXP_TEST_DATA={named} is not a folder")
    return folder


@pytest.fixture(autouse=True)
def _only_with_real_data(request: pytest.FixtureRequest) -> None:
    """Skip tests marked `realdata` where there are no real images, whether or not they take the fixture."""
    if request.node.get_closest_marker("realdata"):
        request.getfixturevalue("real_data")


@pytest.fixture(scope="session")
def samples_dir() -> Path:
    """The folder of DICOM files that the package pydicom-data carries."""
    import data_store

    return Path(data_store.__file__).parent / "data"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Take away the log handlers that a command set up: they hold the terminal of a test that is over."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="session")
def made_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh store, to be copied: creating its tables takes seconds."""
    from srexp.tracking.store import connect, resolve

    folder = tmp_path_factory.mktemp("made")
    connect(resolve(None, folder, environ={}))
    return folder / "mlflow.db"
