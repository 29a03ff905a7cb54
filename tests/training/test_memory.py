"""A batch that fits, and what is said when none does."""

import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from srexp.errors import SrexpError
from srexp.models import srcnn
from srexp.system.memory import whole_bytes
from srexp.training import memory
from srexp.training.memory import Measured

MIB = 2**20
STEPS = """
import numpy as np
from srexp.system.memory import peak_bytes
from srexp.models import vdsr
from srexp.training import memory

network = vdsr.build(scale=1, channels=1)
network.compile(optimizer="sgd", loss="mse", jit_compile=False)
for size in (1, 64):
    batch = np.zeros((size, 41, 41, 1), "float32")
    network.train_on_batch(batch, batch)
    print(peak_bytes(), memory.least_bytes(network, batch.shape, batch.shape))
"""


def machine(memory: int, *, per_patch: int = 10 * MIB, seconds=lambda size: 0.1 + size / 100):
    """Steps on a machine that has so much memory and says so only when it is exhausted."""
    taken = []

    def cost(size: int) -> Measured:
        taken.append(size)
        if size * per_patch > memory:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return Measured(size, seconds(size), size * per_patch)

    return cost, taken


def test_sizes_are_tried_upwards_until_the_next_one_would_not_fit():
    cost, taken = machine(10_000 * MIB)
    measured = list(memory.measure(cost, memory.sizes(4), free=500 * MIB))
    assert taken == [4, 8, 16, 32]  # 32 takes 320 MiB, and 64 would take 640
    assert [each.size for each in measured] == taken


def test_a_size_that_just_fits_is_tried_too():
    cost, taken = machine(10_000 * MIB)
    assert len(list(memory.measure(cost, [4, 8, 16], free=80 * MIB))) == 2
    assert taken == [4, 8]  # 8 takes 80 MiB, all that is free


def test_a_unit_above_the_largest_is_the_only_size():
    assert memory.sizes(256) == [256]
    assert memory.sizes(300) == [300]


def test_nearly_as_fast_is_nine_tenths():
    for smaller, chosen in ((9, 9), (8.99, 10)):
        assert memory.choose([Measured(smaller, 1.0, 0), Measured(10, 1.0, 0)]) == chosen


def test_exhaustion_ends_the_trying_and_not_the_work():
    cost, taken = machine(100 * MIB)
    assert [each.size for each in memory.measure(cost, memory.sizes(1), free=10**12)] == [4, 8]
    assert taken[-1] == 16


def test_other_failures_are_not_taken_for_exhaustion():
    def broken(size):
        raise ValueError("a wrong shape")

    with pytest.raises(ValueError, match="a wrong shape"):
        list(memory.measure(broken, [4], free=1))


def test_the_smallest_of_those_that_are_fast_is_chosen():
    cost, _ = machine(10**15)
    measured = list(memory.measure(cost, memory.sizes(1), free=10**15))
    chosen = memory.choose(measured)
    rates = {each.size: each.rate for each in measured}
    assert rates[chosen] >= 0.9 * max(rates.values()) > rates[chosen // 2]


@pytest.mark.parametrize("unit", range(1, 20))
def test_every_size_is_a_multiple_of_what_an_image_gives(unit):
    assert all(size % unit == 0 for size in memory.sizes(unit))
    assert memory.sizes(unit)[0] >= memory.SMALLEST


def runs_out():
    tf.zeros((2**21, 2**21))


def says_so():
    said = "{{function_node f}} OOM when allocating tensor with shape[2097152,2097152]\n[Op:Fill]"
    raise tf.errors.ResourceExhaustedError(None, None, said)


@pytest.mark.parametrize("fails", [says_so, pytest.param(runs_out, marks=pytest.mark.slow)])  # TensorFlow waits 10 s
def test_tensorflow_that_runs_out_is_explained(fails):
    with pytest.raises(SrexpError) as told, memory.explained(batch_size=64, patch_size=48):
        fails()
    assert told.value.exit_code == 1
    said = str(told.value)
    for part in ("trainer.batch_size=64", "trainer.patch_size=48", "trainer.batch_size=32", "auto", "OOM"):
        assert part in said


def test_python_that_runs_out_is_explained_and_others_pass():
    with pytest.raises(SrexpError, match="memory is exhausted"), memory.explained(batch_size=1, patch_size=48):
        bytearray(2**60)
    with pytest.raises(KeyError), memory.explained(batch_size=1, patch_size=48):
        raise KeyError


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "MemoryError"),
        ("no room\nat all", "at all"),
        ("first\n  Failed to ALLOCATE 5 bytes \nlast", "Failed to ALLOCATE 5 bytes"),
        ("first\nOOM here\nlast", "OOM here"),
        ("oom in small letters\nlast", "last"),
    ],
)
def test_of_what_the_library_says_the_line_that_matters_is_told(said: str, reason: str):
    with pytest.raises(SrexpError) as told, memory.explained(batch_size=1, patch_size=48):
        raise MemoryError(said)
    assert told.value.got.endswith(f"({reason})")


def test_where_a_gpu_keeps_the_features_only_the_batch_counts(monkeypatch):
    network = srcnn.build(scale=1, channels=1, kernels=[3, 1, 3], filters=[4, 4])
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind] if kind == "GPU" else [])
    assert memory.least_bytes(network, (2, 5, 5, 1), (2, 10, 10, 1)) == 4 * (50 + 200)


def test_a_step_takes_at_least_the_batch_and_what_its_convolutions_make():
    network = srcnn.build(scale=2, channels=1, kernels=[9, 5, 5], filters=[64, 32])
    low, high = (10, 16, 16, 1), (10, 32, 32, 1)
    batch, convolutions = 10 * (16**2 + 32**2), 10 * (40**2 * 64 + 36**2 * 32 + 32**2)  # padded once
    assert memory.least_bytes(network, low, high) == 4 * (batch + convolutions)


def test_a_network_whose_layers_are_hidden_is_seen_too():
    class Hidden(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Conv2D(8, 3, padding="same")

        def call(self, images, training=False):
            return self.layer(images) if training else images

    assert memory.least_bytes(Hidden(), (2, 5, 5, 1), (2, 5, 5, 1)) == 4 * (2 * 2 * 25 + 2 * 25 * 8)


@pytest.mark.slow
def test_the_least_is_at_most_what_a_step_really_takes():
    # In a process of its own: the peak of this one may be older.
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True, timeout=300)
    (small, _), (large, least) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert 0.4 * (large - small) < least < large - small


def test_a_step_that_the_machine_can_take_is_not_refused():
    memory.require(whole_bytes(), batch_size=16, patch_size=48)


def test_a_step_that_no_machine_can_take_is_refused():
    with pytest.raises(SrexpError) as told:
        memory.require(whole_bytes() + 1, batch_size=2**30, patch_size=16)
    for part in ("trainer.batch_size=1073741824", "trainer.patch_size=16", "GiB", "trainer.batch_size=auto"):
        assert part in str(told.value)
