"""Time per stage, also of a stage that failed or went on in another process; a profile that can be read."""

from __future__ import annotations

import pstats
import time
from contextlib import suppress

import pytest

from srexp.system import profiling
from srexp.system.profiling import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = [100.0]
    monkeypatch.setattr(profiling.time, "perf_counter", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_stages_add_up_and_what_lies_between_is_in_the_total_alone(clock):
    watch = Stopwatch()
    for _ in range(2):
        with watch("train"):
            clock(2)
        clock(0.5)
    with suppress(ValueError), watch("track"):
        clock(1)
        raise ValueError
    assert watch.seconds() == {"train": 4, "track": 1, "total": 6}


def test_what_another_process_spent_counts_too(clock):
    watch = Stopwatch()
    watch.add("train", 60)
    with watch("train"):
        clock(3)
    assert watch.seconds() == {"train": 63, "total": 63}


def test_a_profile_is_left_to_read_and_to_look_at_even_of_a_failure(tmp_path):
    with suppress(KeyboardInterrupt), profiling.profiled(tmp_path):
        time.sleep(0)
        raise KeyboardInterrupt
    assert "{built-in method time.sleep}" in (tmp_path / "profile.txt").read_text()
    assert any("time.sleep" in name for *_, name in pstats.Stats(str(tmp_path / "profile.pstats")).stats)
