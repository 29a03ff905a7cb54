"""Memory: what is free, a batch that fits into it, and what to say when it is exhausted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from srexp.errors import SrexpError

SMALLEST, LARGEST = 4, 256
#: A size is fast enough when it trains this share of the patches that the fastest trains in the same time.
ENOUGH = 0.9
_SHARE = 0.8  # of the free memory that the steps of a training may come to take
_CGROUP = Path("/sys/fs/cgroup")


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
    size = unit
    while size < SMALLEST:
        size *= 2
    found = [size]
    while found[-1] * 2 <= LARGEST:
        found.append(found[-1] * 2)
    return found


def measure(cost: Callable[[int], Measured], tried: Sequence[int], *, room: int) -> Iterator[Measured]:
    """Try sizes upwards for as long as the next one will fit, too.

    Args:
        cost: Takes a step with a batch of a size.
        tried: Sizes, each twice the one before.
        room: Bytes that steps may take.

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
        if 2 * found.grown > room:
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
    return min(each.size for each in measured if each.rate >= ENOUGH * best)


def free_bytes() -> int:
    """Give the memory that this process may still take, in bytes, within its container where it is in one."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        most, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return int(_SHARE * free)
    return int(_SHARE * (free if most == "max" else min(free, int(most) - int(used))))


def is_exhaustion(error: BaseException) -> bool:
    """Say whether an exception means that no memory is left, of the processor or of a GPU."""
    if isinstance(error, MemoryError):
        return True
    import tensorflow as tf

    return isinstance(error, tf.errors.ResourceExhaustedError)


@contextmanager
def enough(*, batch_size: int, patch_size: int) -> Iterator[None]:
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
