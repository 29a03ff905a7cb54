"""A batch that fits, and what is said when none does."""

import pytest
import tensorflow as tf

from srexp.errors import SrexpError
from srexp.training import room
from srexp.training.room import Measured

MIB = 2**20


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
    measured = list(room.measure(cost, room.sizes(4), room=500 * MIB))
    assert taken == [4, 8, 16, 32]  # 32 takes 320 MiB, and 64 would take 640
    assert [each.size for each in measured] == taken


def test_exhaustion_ends_the_trying_and_not_the_work():
    cost, taken = machine(100 * MIB)
    assert [each.size for each in room.measure(cost, room.sizes(1), room=10**12)] == [4, 8]
    assert taken[-1] == 16


def test_other_failures_are_not_taken_for_exhaustion():
    def broken(size):
        raise ValueError("a wrong shape")

    with pytest.raises(ValueError, match="a wrong shape"):
        list(room.measure(broken, [4], room=1))


def test_the_smallest_of_those_that_are_fast_is_chosen():
    cost, _ = machine(10**15)
    measured = list(room.measure(cost, room.sizes(1), room=10**15))
    chosen = room.choose(measured)
    rates = {each.size: each.rate for each in measured}
    assert rates[chosen] >= 0.9 * max(rates.values()) > rates[chosen // 2]


@pytest.mark.parametrize("unit", range(1, 20))
def test_every_size_is_a_multiple_of_what_an_image_gives(unit):
    assert all(size % unit == 0 for size in room.sizes(unit))
    assert room.sizes(unit)[0] >= room.SMALLEST


def test_a_container_bounds_what_is_free(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("200000\n")
    monkeypatch.setattr(room, "_CGROUP", tmp_path)
    assert room.free_bytes() == 640_000
    (tmp_path / "memory.max").write_text("max\n")
    assert room.free_bytes() > 640_000


def test_tensorflow_that_really_runs_out_is_explained():
    with pytest.raises(SrexpError) as told, room.enough(batch_size=64, patch_size=48):
        tf.zeros((2**21, 2**21))
    assert told.value.exit_code == 1
    said = str(told.value)
    for part in ("trainer.batch_size=64", "trainer.patch_size=48", "trainer.batch_size=32", "auto", "OOM"):
        assert part in said


def test_python_that_runs_out_is_explained_and_others_pass():
    with pytest.raises(SrexpError, match="memory is exhausted"), room.enough(batch_size=1, patch_size=48):
        bytearray(2**60)
    with pytest.raises(KeyError), room.enough(batch_size=1, patch_size=48):
        raise KeyError
