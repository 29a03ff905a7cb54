"""What every test starts from: a quiet, single-device TensorFlow, no tracking server, and the real images."""

from __future__ import annotations

import gc
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import absl.logging
import numpy as np
import pytest
from hypothesis import settings

import srexp.tracking  # noqa: F401 - its settings of MLflow are in the environment from here on
from srexp.system.memory import peak_bytes

# The key of pseudonyms is the suite's, and nothing is entered in the user's list of names.
_configuration = tempfile.TemporaryDirectory(prefix="srexp-tests-")
os.environ["XDG_CONFIG_HOME"] = _configuration.name
os.environ["SREXP_PSEUDONYM_KEY"] = "a key that only tests have"

# What srexp writes is on the disk when it says so, thousands of times; tests would spend a third of their time waiting.
_MEMORY = Path("/dev/shm")
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 8 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

# Set before any test imports the library that reads it, and inherited by the processes that tests start.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # the last digits of a test don't depend on network and processor
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


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Import no script to look for examples in it, as `--doctest-modules` does: some train, or start a thread."""
    test = collection_path.suffix != ".py" or collection_path.name.startswith(("test_", "conftest"))
    return None if test or ">>>" in collection_path.read_text() else True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Leave what is imported out of all that looks for garbage: TensorFlow alone is a million objects.

    What tests import themselves is looked at, too, so all that lives is looked through less often than Python would.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 20, 100)
        gc.enable()


def pytest_unconfigure() -> None:
    """End a worker without a last look for garbage in all that its tests have made, which can take half a minute."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        gc.freeze()


_rows: dict[tuple[Path, str], Iterator[int]] = {}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave of the rows of a test that is marked `one_in(n)` one in n to the fast lane."""
    if sampled := item.get_closest_marker("one_in"):
        row = next(_rows.setdefault((item.path, item.name.partition("[")[0]), count()))
        if row % sampled.args[0]:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: each worker's share, an equal run of the tests, begins with stories, then commands.

    A file's tests stay together, for they share what they make.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)

    def length(tests: list[pytest.Item]) -> tuple[bool, bool, int]:
        commands = any(item.get_closest_marker("system") for item in tests)
        return "stories" in tests[0].path.parts, commands, len(tests)

    shares: list[list[pytest.Item]] = [[] for _ in range(int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))]
    for tests in sorted(files.values(), key=length, reverse=True):
        min(shares, key=len).extend(tests)
    items[:] = [item for share in shares for item in share]


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup() -> None:
    """Let a fixture draw the same numbers whatever ran before it: Keras begins a network's weights from these."""
    random.seed(0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """Let a test draw the same numbers whatever ran before it."""
    random.seed(0)


@pytest.fixture(scope="session", autouse=True)
def _commands_start_warm() -> Iterator[None]:
    """Fork commands from a process that has TensorFlow loaded; it inherits nothing that a single test sets."""
    from tests import warm_start  # not before: `make mutants` plants faults in what it loads

    with warm_start.offered():
        yield


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


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers of this test alone: what others have drawn before doesn't change them."""
    return np.random.default_rng(0)


@pytest.fixture
def grown() -> Callable[[], int]:
    """By how many bytes this process has been larger than when the test began; earlier peaks are forgotten."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = peak_bytes()
    return lambda: peak_bytes() - before


@pytest.fixture
def own_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder `conf` of a checkout of our own, whose files a test may edit."""
    checkout = Path(__file__).parent.parent
    for folder in ("conf", "sweeps"):
        shutil.copytree(checkout / folder, tmp_path / "checkout" / folder)
    (tmp_path / "checkout" / "pyproject.toml").touch()
    monkeypatch.setattr("srexp.config.paths._CHECKOUT", tmp_path / "checkout")
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    return tmp_path / "checkout" / "conf"


@pytest.fixture(autouse=True)
def _environment_as_before() -> Iterator[None]:
    """Take back what a test, or a command within it, left in the environment: later commands would start cold."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def _no_variables_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what commands of shared fixtures left in the environment, as what stand-ins of secrets stand for."""
    monkeypatch.setenv("SREXP_SECRETS", "{}")
    for name in ("KERAS_HOME", "SREXP_DRIVER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Take away the log handlers that a command set up: they hold the terminal of a test that is over."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers, root.level = handlers, level
    for logger in logging.root.manager.loggerDict.values():
        logger.disabled = False  # as what configures logging leaves them unless it is told otherwise


CHAMPION = "task-bicubic-x2"


@dataclass(frozen=True)
class Served:
    """A folder of runs, and the champion in its store."""

    root: Path
    model: object
    uri: str = f"models:/{CHAMPION}@champion"

    def environment(self) -> dict[str, str]:
        checkout = str(Path(__file__).parents[1])
        return {**os.environ, "SREXP_ROOT": str(self.root), "PYTHONPATH": checkout}

    def expected(self, low):
        """What the model itself makes of an image (h, w) in [0, 1]."""
        return np.asarray(self.model(low[np.newaxis, ..., np.newaxis].astype(np.float32), training=False))[0, ..., 0]


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A store with a champion that nobody trained."""
    from srexp.models import srcnn
    from srexp.tracking.registry import registry
    from srexp.tracking.runs.tracking import Tracking

    root = tmp_path_factory.mktemp("champion")
    model = srcnn.build(2, 1, kernels=[9, 5, 5], filters=[8, 6])
    rng = np.random.default_rng(0)
    weights = [array + rng.normal(0, 1e-3, array.shape) for array in model.get_weights()]
    model.set_weights(weights)
    known = {
        "task": CHAMPION,
        "data.fingerprint": "f1n9e4",
        "test_psnr": 43.21,
        "protocol": {"shave": 2},
        "model": "srcnn",
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking = Tracking(folder=root / "mlruns", system_metrics=False)
        with tracking.run(CHAMPION, tags={"task": CHAMPION}) as run:
            run.log_config(
                {"dataset": {"_target_": "srexp.data.sources.samples.Samples"}, "degradation": {"name": "worn"}}, ""
            )
            uri = registry.log_best(run, model, channels=1, step=1, metrics={"test_psnr": 43.21})
            registry.register(run, uri, CHAMPION, tags=known, alias="champion")
    return Served(root, model)


@pytest.fixture(scope="session")
def made_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh store, to be copied: creating its tables takes seconds."""
    from srexp.tracking.store.store import connect, resolve

    folder = tmp_path_factory.mktemp("made")
    connect(resolve(None, folder, environ={}))
    return folder / "mlflow.db"
