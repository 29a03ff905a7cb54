"""From batches on demand to a `tf.data` pipeline that makes them ahead of training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from srexp.data.batches.multiscale import MultiscaleSampler
from srexp.data.batches.patches import PatchSampler
from srexp.lazy_imports import tf
from srexp.types import Batch


@contextmanager
def training_batches(
    sampler: PatchSampler | MultiscaleSampler, *, start_step: int, total_steps: int, workers: int
) -> Iterator[tf.data.Dataset]:
    """Prepare batches in background threads, in the order of their steps whatever the number of threads.

    Used as `with training_batches(...) as batches: model.fit(batches, ...)`: an error in preparing a batch, such as a
    file that vanished, ends the block as the error it was, and not as TensorFlow's wrapping of it.

    Args:
        sampler: Makes the batch of a step.
        start_step: First step, counted from the start of training; where a resumed run goes on.
        total_steps: Steps of the whole training.
        workers: Batches prepared at a time.

    Yields:
        A data set of (`low`, `high`), float32, static shapes as the sampler has them.
    """
    failures: list[BaseException] = []

    def make(step: np.int64) -> tuple[Batch, Batch]:
        try:
            return sampler.batch(*divmod(int(step), sampler.steps_per_epoch))
        except BaseException as error:
            failures.append(error)
            raise

    def prepare(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        low, high = tf.numpy_function(make, [step], (tf.float32, tf.float32), stateful=False)
        return tf.ensure_shape(low, shapes[0]), tf.ensure_shape(high, shapes[1])

    shapes = sampler.shapes()
    steps = tf.data.Dataset.range(start_step, total_steps)
    threads = tf.data.Options()
    threads.threading.private_threadpool_size = workers
    batches = steps.map(prepare, num_parallel_calls=workers, deterministic=True).prefetch(workers).with_options(threads)
    try:
        yield batches
    except tf.errors.OpError:
        if failures:
            raise failures[0] from None
        raise
