"""A batch that fits into memory, and what to say when none is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from srexp.errors import SrexpError
from srexp.lazy_imports import keras, tf
from srexp.network_graph import operations, tensor_bytes
from srexp.system.memory import whole_bytes

SMALLEST, LARGEST = 4, 256
#: A size is fast enough when it trains this share of the patches that the fastest trains in the same time.
NEARLY_FASTEST = 0.9


@dataclass(frozen=True, slots=True)
class Measured:
    """What a batch of one size costs.

    Args:
        size: Patches in the batch.
        seconds: Of one training step.
        grown: Bytes by which the steps up to here raised the peak of the process's memory.
    """

    size: int
    seconds: float
    grown: int

    @property
    def rate(self) -> float:
        """Patches trained in a second."""
        return self.size / self.seconds


def sizes(unit: int) -> list[int]:
    """Give the sizes to try, each twice the one before.

    Args:
        unit: What a size must be a multiple of.

    Example:
        >>> sizes(4), sizes(3)
        ([4, 8, 16, 32, 64, 128, 256], [6, 12, 24, 48, 96, 192])
    """
    doubled = (unit * 2**times for times in range(LARGEST.bit_length()))
    return [size for size in doubled if SMALLEST <= size <= LARGEST] or [unit]


def measure(cost: Callable[[int], Measured], tried: Sequence[int], *, free: int) -> Iterator[Measured]:
    """Try sizes upwards for as long as the next one will fit, too.

    Args:
        cost: Takes a step with a batch of a size.
        tried: Sizes, each twice the one before.
        free: Bytes that steps may take.

    Yields:
        What each size costs, as soon as it is known; nothing more once memory is exhausted.
    """
    for size in tried:
        try:
            found = cost(size)
        except BaseException as error:
            if not is_exhaustion(error):
                raise
            return
        yield found
        if 2 * found.grown > free:
            return


def choose(measured: Sequence[Measured]) -> int:
    """Choose the smallest size that is nearly as fast as any: larger ones cost memory and learn no more from a patch.

    Args:
        measured: At least one size.

    Example:
        >>> choose([Measured(4, 1.0, 0), Measured(8, 1.1, 0), Measured(16, 2.1, 0), Measured(32, 4.2, 0)])
        8
    """
    best = max(each.rate for each in measured)
    return min(each.size for each in measured if each.rate >= NEARLY_FASTEST * best)


def least_bytes(network: keras.Model, low: tuple[int, ...], high: tuple[int, ...]) -> int:
    """Give what a training step takes at least: the batch, and what its convolutions keep for the gradient.

    Args:
        network: To be trained.
        low: Shape (n, h, w, c) of what the network is given.
        high: Shape (n, h, w, c) of what it should give.

    Returns:
        Bytes of the host's memory: convolutions count only where no GPU does them.
    """
    batch = sum(4 * math.prod(shape) for shape in (low, high))  # float32
    if tf.config.list_logical_devices("GPU"):
        return batch
    steps = operations(network, low, training=True)
    return batch + sum(tensor_bytes(step.outputs[0]) for step in steps if step.type == "Conv2D")


def require(needed: int, *, batch_size: int, patch_size: int) -> None:
    """Refuse a batch that can't fit: a system that grants more memory than it has would kill the process over it.

    Args:
        needed: Bytes that a step takes at least.
        batch_size: Patches in a batch.
        patch_size: Side of a patch, in pixels.

    Raises:
        SrexpError: This machine has less memory.
    """
    there = whole_bytes()
    if needed > there:
        raise SrexpError(
            "a training step takes more memory than this machine has",
            got=f"trainer.batch_size={batch_size}, trainer.patch_size={patch_size}: at least {needed / 2**30:,.1f} GiB",
            expected=f"less than {there / 2**30:,.1f} GiB",
            fix="trainer.batch_size=auto finds a size that fits; or a smaller trainer.patch_size",
        )


def is_exhaustion(error: BaseException) -> bool:
    """Say whether an exception means that no memory is left, of the processor or of a GPU."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, tf.errors.ResourceExhaustedError)


@contextmanager
def explained(*, batch_size: int, patch_size: int) -> Iterator[None]:
    """Say how to mend it when training takes more memory than there is.

    Args:
        batch_size: Patches in a batch.
        patch_size: Side of a patch, in pixels.

    Raises:
        SrexpError: Memory is exhausted.
    """
    try:
        yield
    except Exception as error:
        if not is_exhaustion(error):
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = next((line.strip() for line in lines if "OOM" in line or "allocat" in line.lower()), lines[-1])
        raise SrexpError(
            "memory is exhausted by training",
            got=f"trainer.batch_size={batch_size}, trainer.patch_size={patch_size} ({reason})",
            expected="a batch whose activations fit into the memory of the processor or the GPU",
            fix=f"trainer.batch_size={max(1, batch_size // 2)} or a smaller trainer.patch_size; "
            "trainer.batch_size=auto finds a size that fits",
        ) from error
