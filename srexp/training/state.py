"""The variables of a training that is under way: taken out of it, and put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from srexp.errors import SrexpError
from srexp.lazy_imports import keras
from srexp.training.best_epoch import Arrays
from srexp.training.checkpoint import Checkpoint


def take(model: keras.Model, beside: Sequence[Any] = (), **known: Any) -> Checkpoint:
    """Copy the state of a training. A step of Keras is one call of TensorFlow, so there is no state within one.

    Args:
        model: A compiled model whose optimizer is built.
        beside: Variables of what else is trained, built as well.
        **known: What the training knows of itself: the checkpoint's `history`, `seconds`, `validation_seconds` and
            `first_loss`.

    Returns:
        A checkpoint.
    """
    optimizer = _copied(model.optimizer.variables)
    return Checkpoint(
        step=int(optimizer[0]),  # the first is the count of steps, and unlike one of ours it moves with the weights
        model=_copied(model.variables),
        optimizer=optimizer,
        metrics=_copied(model.metrics_variables),
        beside=_copied(beside),
        **known,
    )


def put(model: keras.Model, checkpoint: Checkpoint, beside: Sequence[Any] = ()) -> None:
    """Bring network and optimizer to the state that they had.

    Args:
        model: A compiled model whose optimizer is built.
        checkpoint: Of the same network, optimizer and course.
        beside: See `take`.

    Raises:
        SrexpError: It is of another network, optimizer or course.
    """
    _assign(model.variables, checkpoint.model, "network")
    _assign(model.optimizer.variables, checkpoint.optimizer, "optimizer")
    _assign(beside, checkpoint.beside, "course")


def put_metrics(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Bring the running loss of the epoch to the state that it had."""
    _assign(model.metrics_variables, checkpoint.metrics, "loss")


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Give a network the running means of its weights for a while, where its optimizer keeps such.

    Args:
        model: A compiled model whose optimizer is built.
    """
    if not model.optimizer.use_ema:
        yield
        return
    weights = model.trainable_variables
    own = _copied(weights)
    try:
        model.optimizer.finalize_variable_values(weights)
        yield
    finally:
        _assign(weights, own, "network")


def _copied(variables: Iterable[Any]) -> Arrays:
    return [variable.numpy() for variable in variables]


def _assign(variables: Sequence[Any], arrays: Arrays, what: str) -> None:
    ours, theirs = [tuple(variable.shape) for variable in variables], [array.shape for array in arrays]
    if ours != theirs:
        raise SrexpError(
            f"the checkpoint is of another {what}",
            got=f"{len(theirs)} variables: {theirs[:6]}",
            expected=f"{len(ours)} variables: {ours[:6]}",
            fix="resume with the version of srexp and Keras that began the run",
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
