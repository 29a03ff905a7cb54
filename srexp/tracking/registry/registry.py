"""From a trained network to a registered model: log it once, check that it comes back unchanged, register it."""

from __future__ import annotations

import importlib.metadata
import io
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from srexp.errors import SrexpError
from srexp.lazy_imports import tf
from srexp.tracking.journal.replay import is_away
from srexp.tracking.names import require_task
from srexp.tracking.runs.run import Run
from srexp.tracking.store.store import selected, translated
from srexp.types import Batch, Network

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

TOLERANCE = 1e-5


class Registered(TypedDict):
    """A version of a registered model.

    Args:
        name: Registered model, the task.
        version: Version number.
        alias: Alias that it counts as; None of a smoke test beside a whole training.
    """

    name: str
    version: int
    alias: str | None


def log_best(run: Run, model: Network, *, channels: int, step: int, metrics: Mapping[str, float]) -> str:
    """Log the best-validation network once, linked to its run and its figures.

    What is logged takes images of any size (MLflow would infer the signature, and with it the patch size, from an
    example) and names its exact requirements (inferring those takes ten seconds). A run that was interrupted after it
    had logged its network only gets the figures that it lacks.

    Args:
        run: The open run that trained it.
        model: Uncompiled network of built-in layers, so that it loads without srexp.
        channels: Channels of its images.
        step: Epoch that the weights come from.
        metrics: Final figures of validation and test, by names that no epoch metric has.

    Returns:
        `models:/m-...`, the model's address in the store; while the store is away, the folder where it waits.
    """
    if run.already.model_uri:
        run.log_metrics(metrics, step=step)
        return run.already.model_uri
    import mlflow.keras
    from mlflow.models import Model

    folder = run.journal.folder / "model"
    with run.writing():
        mlflow.keras.save_model(
            model, str(folder), mlflow_model=Model(), signature=signature(channels), pip_requirements=requirements()
        )
    return run.log_model(folder, step=step, metrics=metrics)


def signature(channels: int) -> ModelSignature:
    """Describe a network's input and output: any number of images of any size, (n, h, w, c), float32."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    images = Schema([TensorSpec(np.dtype(np.float32), (-1, -1, -1, channels))])
    return ModelSignature(inputs=images, outputs=images)


def requirements() -> list[str]:
    """List what a logged model needs to load, at the versions that are installed.

    Returns:
        Pinned requirements: TensorFlow under the name it is installed by, Keras, NumPy and h5py.

    Raises:
        SrexpError: TensorFlow isn't installed.
    """
    names = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly")
    others = [f"{other}=={importlib.metadata.version(other)}" for other in ("keras", "numpy", "h5py")]
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            return [f"{name}=={importlib.metadata.version(name)}", *others]
    raise SrexpError("no package provides TensorFlow", expected=f"one of {', '.join(names)}", fix="pip install srexp")


def verify(run: Run, model_uri: str, model: Network, probe: Batch) -> float:
    """Load a logged model back, the way a stranger will, and compare what it restores.

    Two sizes are tried one after the other: with the second one, TensorFlow compiles a graph that leaves sizes open,
    which some layers survive only as long as they are asked for one size.

    Args:
        run: The run that logged it.
        model_uri: Address from `log_best`.
        model: The network that was logged.
        probe: Images of another size than the patches, (n, h, w, c), float32 in [0, 1].

    Returns:
        Largest difference found, in [0, 1].

    Raises:
        SrexpError: The model can't be loaded back or used, or came back different.
    """
    height, width = probe.shape[1:3]
    probes = probe, probe[:, : height // 2 + 1, : width // 2 + 1]
    try:
        with run.writing(), selected(run.store.uri):
            loaded = _loaded(run, model_uri)
        with redirect_stdout(io.StringIO()):  # Keras draws a bar for every prediction, and MLflow has no option for it
            restored = [loaded.predict(images) for images in probes]
    except (ImportError, TypeError, ValueError, tf.errors.OpError) as error:
        raise SrexpError(
            f"{model_uri} can't be used after loading it back: {error}",
            expected="a network of Keras's own layers that takes images of any size",
        ) from error
    expected = [np.asarray(model(images, training=False)) for images in probes]
    return max(_difference(model_uri, *pair) for pair in zip(restored, expected, strict=True))


def _loaded(run: Run, model_uri: str) -> Any:
    """Load a model from the store; when that went away since, from where it was packed."""
    import mlflow.pyfunc

    try:
        with translated(run.store, f"{model_uri} can't be loaded back"):
            return mlflow.pyfunc.load_model(model_uri)
    except SrexpError as error:
        if not is_away(run.store, error):
            raise
    return mlflow.pyfunc.load_model(str(run.journal.folder / "model"))


def _difference(model_uri: str, restored: Batch, expected: Batch) -> float:
    if restored.shape != expected.shape:
        raise SrexpError(f"{model_uri} came back with another shape", got=restored.shape, expected=str(expected.shape))
    difference = float(np.max(np.abs(restored - expected)))
    if not difference <= TOLERANCE:
        raise SrexpError(
            f"{model_uri} came back different from the model that was logged",
            got=difference,
            expected=f"a difference of at most {TOLERANCE}",
            fix="use layers whose whole state is saved",
        )
    return difference


def register(
    run: Run, model_uri: str, name: str, *, tags: Mapping[str, object], alias: str = "candidate"
) -> Registered | None:
    """Make a logged model a version of a registered model, and point an alias to it.

    Args:
        run: The run that logged it.
        model_uri: Address from `log_best`.
        name: Registered model, the task; created when it is new.
        tags: What a promotion looks at: psnr, gain, fingerprint, protocol, degenerate.
        alias: Alias that moves to the new version, unless that is a smoke test and the one before is none.

    Returns:
        Name, version and alias; None while the store is away: it is registered once the store has it.

    Raises:
        RequestError: MLflow allows no such name.
    """
    require_task(name)
    known = run.register(model_uri, name, tags=tags, alias=alias)
    return Registered(name=known["name"], version=known["version"], alias=known["alias"]) if known else None
