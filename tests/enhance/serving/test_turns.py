"""Who computes when, by a clock of the tests' own: tiles take the time that they say, however busy the machine is."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from srexp.enhance.serving.turns import PAUSE, AbandonedError, Image, Turns
from tests.enhance.serving.served import eventually


class Clock:
    """Time that goes on when a test says so, and what threads had of it on the processor beside tiles."""

    now = busy = 0.0

    def monotonic(self):
        return self.now

    def thread_time(self):
        return self.busy


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("srexp.enhance.serving.turns.time", clock)
    return clock


def restore(turns, clock, image, count, log):
    def tile(batch):
        log.append("small" if image.small else "large")
        clock.now += 1
        return batch

    taken = turns.taking(tile)
    turns.run(image, lambda: [taken(number) for number in range(count)])


def test_one_computes_at_a_time():
    turns, running, most = Turns(1), [], []

    def tile(batch):
        running.append(batch)
        most.append(len(running))
        time.sleep(0.001)
        running.remove(batch)
        return batch

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: turns.run(Image(), lambda: turns.taking(tile)(number)), range(50)))
    assert set(most) == {1}


def test_as_many_compute_as_may():
    turns, together = Turns(3), threading.Barrier(3)

    def tile(batch):
        together.wait(60)  # raises where fewer than three meet
        return batch

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: turns.run(Image(), lambda: turns.taking(tile)(number)), range(30)))


def test_a_large_image_alone_does_not_pause(clock):
    log = []
    restore(Turns(1), clock, Image(small=False), 10, log)
    assert (len(log), clock.now) == (10, 10)


def test_a_small_image_comes_between_tiles_and_the_large_one_goes_on(clock):
    turns, log = Turns(1), []
    with ThreadPoolExecutor(1) as threads:
        with turns.small():
            large = threads.submit(restore, turns, clock, Image(small=False), 5, log)
            for _ in range(4 * PAUSE):
                eventually(lambda: turns._waiting and log)
                restore(turns, clock, Image(), 1, log)
        large.result(timeout=60)
    assert log == 4 * ["large", *PAUSE * ["small"]] + ["large"]


def test_what_a_large_image_costs_beside_its_tiles_is_paused_for(clock):
    turns, log = Turns(1), []

    def pack():
        clock.busy += 5
        turns.taking(lambda batch: batch)(1)

    with ThreadPoolExecutor(1) as threads, turns.small():
        turns.run(Image(small=False), pack)
        large = threads.submit(restore, turns, clock, Image(small=False), 1, log)
        eventually(lambda: turns._waiting)
        clock.now = 5 * PAUSE - 1  # what the small one's tile takes
        restore(turns, clock, Image(), 1, log)
        large.result(timeout=60)
    assert log == ["small", "large"]


def test_an_image_that_waits_can_be_abandoned():
    turns, image, go = Turns(1), Image(), threading.Event()
    with ThreadPoolExecutor(2) as threads:
        computes = threads.submit(turns.run, Image(), lambda: turns.taking(lambda batch: go.wait(60))(0))
        eventually(lambda: not turns._free)
        waits = threads.submit(turns.run, image, lambda: turns.taking(lambda batch: batch)(0))
        eventually(lambda: turns._waiting)
        turns.abandon(image)
        with pytest.raises(AbandonedError):
            waits.result(timeout=60)
        go.set()
        assert computes.result(timeout=60)
