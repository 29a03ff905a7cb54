"""Seeds, determinism, precision and devices: what must be set before a model is built."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def load_quietly() -> None:
    """Import TensorFlow and Keras without what their C++ parts write to standard error before any log level counts.

    They tell of GPUs that are not there and of processor instructions; errors of the import itself still show.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            import keras  # noqa: F401
            import tensorflow as tf

            tf.config.list_physical_devices()
            # Its Python side warns of a graph for each image size, which is meant.
            tf.get_logger().setLevel("ERROR")
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def prepare(*, seed: int, deterministic: bool) -> None:
    """Seed Python, NumPy and TensorFlow, and let a GPU take memory as it needs it.

    Args:
        seed: Seed of initial weights; batches have their own, from (seed, epoch, step).
        deterministic: Whether TensorFlow must choose operations that repeat to the last bit.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def resolve_precision(precision: str, network: keras.Model) -> str:
    """Choose a Keras dtype policy.

    Args:
        precision: `float32`, `mixed_bfloat16` or `auto`.
        network: What is trained, built in any precision.

    Returns:
        For `auto`, `mixed_bfloat16` where a GPU or the processor computes in bfloat16 (AVX-512 BF16, AMX; elsewhere it
        is emulated and slower) and the network ends by adding to an image, else `float32`: an image that passes
        through bfloat16 itself, as in SRCNN, is rounded to 8 significant bits.
    """
    if precision != "auto":
        return precision
    import keras
    import tensorflow as tf

    adds = bool(network.layers) and isinstance(network.layers[-1], keras.layers.Add)
    computes = bool(tf.config.list_physical_devices("GPU")) or _processor_has_bfloat16()
    return "mixed_bfloat16" if adds and computes else "float32"


def _processor_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    if not cpuinfo.is_file():
        return False
    with cpuinfo.open(encoding="utf-8") as lines:
        flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(_BFLOAT16_FLAGS & set(flags.split()))


@contextmanager
def policy(name: str) -> Iterator[None]:
    """Build models under a Keras dtype policy, and restore the one before.

    Args:
        name: A policy, such as `mixed_bfloat16`.
    """
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def strategy_scope(strategy: str) -> Any:
    """Give the scope in which a model is built and compiled.

    Args:
        strategy: `single`, `mirrored`, or `auto`: mirrored where there are several GPUs.

    Returns:
        A context manager.
    """
    import contextlib

    import tensorflow as tf

    gpus = tf.config.list_logical_devices("GPU")
    if strategy == "mirrored" or (strategy == "auto" and len(gpus) > 1):
        return tf.distribute.MirroredStrategy().scope()
    return contextlib.nullcontext()
