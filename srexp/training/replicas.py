"""Training on several devices, each of which takes a part of every batch: that it is the same training as on one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from srexp.errors import RequestError
from srexp.lazy_imports import tf

#: Bounds of optimizers on the size of a gradient. Twice the bound is the bound of twice the gradient.
_BOUNDS = ("global_clipnorm", "clipnorm", "clipvalue", "theta")


def count(strategy: str) -> int:
    """Give the number of devices that a network is trained on.

    Args:
        strategy: `single`, `mirrored`, or `auto`: mirrored where there are several GPUs.
    """
    gpus = tf.config.list_logical_devices("GPU")
    mirrored = strategy == "mirrored" or (strategy == "auto" and len(gpus) > 1)
    return len(gpus or tf.config.list_logical_devices("CPU")) if mirrored else 1


def scope(strategy: str) -> Any:
    """Give the scope in which a model is built and compiled.

    Args:
        strategy: As of `count`.

    Returns:
        A context manager.
    """
    return _mirrored().scope() if count(strategy) > 1 else nullcontext()


@functools.cache  # a second one in a process would number its exchanges anew, and TensorFlow takes them for the first's
def _mirrored() -> Any:
    return tf.distribute.MirroredStrategy()


def told() -> str:
    """Say over how many devices the scope mirrors a network, behind what there is; nothing where it is one."""
    devices = tf.distribute.get_strategy().num_replicas_in_sync
    return f", mirrored over {devices}" if devices > 1 else ""


def require_even(strategy: str, batch_size: int) -> None:
    """Refuse a batch of which some device would get a smaller part, whose images would then count more than others.

    Args:
        strategy: As of `count`.
        batch_size: Patches in a batch.

    Raises:
        RequestError: The devices can't have equal parts.
    """
    if batch_size % (devices := count(strategy)):
        raise RequestError(
            f"trainer.batch_size can't be divided among {devices} devices",
            got=f"trainer.batch_size={batch_size} trainer.strategy={strategy}",
            expected=f"a multiple of {devices}: each device takes an equal part of every batch",
            fix=f"trainer.batch_size={-(-batch_size // devices) * devices}, or trainer.strategy=single",
        )


def bound_whole_gradient(optimizer: Any) -> None:
    """Let an optimizer bound the gradient of the whole batch, where Keras would bound that of each device's part.

    Keras adds up what the devices give it after the bound. So each gets the mean of all devices' gradients, bounded by
    its share of the bound: these add up to the whole gradient with the whole bound.

    Args:
        optimizer: A Keras optimizer, built in the scope of its devices.
    """
    devices = tf.distribute.get_strategy().num_replicas_in_sync
    bounds = [name for name in _BOUNDS if getattr(optimizer, name, None) is not None]
    if devices == 1 or not bounds:
        return
    for name in bounds:
        setattr(optimizer, name, getattr(optimizer, name) / devices)
    reduce_first(
        optimizer, lambda there: tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, there)
    )


def reduce_first(optimizer: Any, reduced: Callable[[list[Any]], Sequence[Any]]) -> None:
    """Let an optimizer take for the gradients what is made of them, before it bounds them.

    Args:
        optimizer: A Keras optimizer.
        reduced: Gives as many gradients as it is given.
    """
    apply = optimizer.apply

    def apply_reduced(grads: Sequence[Any], trainable_variables: Any = None) -> None:
        found = iter(reduced([grad for grad in grads if grad is not None]))
        apply([None if grad is None else next(found) for grad in grads], trainable_variables)

    optimizer.apply = apply_reduced
