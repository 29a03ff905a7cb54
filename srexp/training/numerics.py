"""Seeds, determinism, precision and devices: what must be set before a model is built."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from srexp.lazy_imports import keras, tf
from srexp.network_graph import image_readers
from srexp.system.processor import cores, has_bfloat16
from srexp.system.stdio import no_native_stderr, stage


def load_quietly() -> None:
    """Import TensorFlow and Keras without what their C++ parts write to standard error before any log level counts.

    They tell of GPUs that are not there and of processor instructions; errors of the import itself still show.
    """
    if "tensorflow" not in sys.modules:
        stage("loading TensorFlow")
    with no_native_stderr():
        import keras  # noqa: F401

        tf.config.list_physical_devices()
        # Its Python side warns of a graph for each image size, which is meant.
        tf.get_logger().setLevel("ERROR")


def prepare(*, seed: int, deterministic: bool) -> None:
    """Seed Python, NumPy and TensorFlow, and let a GPU take memory as it needs it.

    Args:
        seed: Seed of initial weights; batches have their own, from (seed, epoch, step).
        deterministic: Whether TensorFlow must choose operations that repeat to the last bit.
    """
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
    adds = bool(network.layers) and isinstance(network.layers[-1], keras.layers.Add)
    computes = bool(tf.config.list_physical_devices("GPU")) or has_bfloat16()
    return "mixed_bfloat16" if adds and computes else "float32"


@contextmanager
def policy(name: str) -> Iterator[None]:
    """Build models under a Keras dtype policy, and restore the one before.

    Args:
        name: A policy, such as `mixed_bfloat16`.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def built(name: str, build: Callable[[], keras.Model]) -> keras.Model:
    """Build a model under a Keras dtype policy; what reads the image itself computes in float32 under every one.

    With 8 significant bits a first convolution takes the brightness of flat regions for detail: its weights, rounded,
    no longer add up to nothing, and neither do those of its steps.

    Args:
        name: A policy, such as `mixed_bfloat16`.
        build: Builds it.

    Returns:
        The model.
    """
    with policy(name):
        model = build()
    for layer in image_readers(model):
        layer.dtype_policy = "float32"
    return model


def devices() -> str:
    """Name what there is to train a network on, such as `CPU, 2 cores` or `GPU: NVIDIA H200`."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return f"GPU: {', '.join(names)}" if names else f"CPU, {cores()} cores"
