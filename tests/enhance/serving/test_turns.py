"""Who computes when, with a clock of its own where time counts."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from srexp.enhance.serving.turns import AbandonedError, Image, Turns

TILE = 0.02


def tiles(turns, image, count, log, name):
    def tile(batch):
        log.append(name)
        time.sleep(TILE)
        return batch

    taken = turns.taking(tile)
    return turns.run(image, lambda: [taken(number) for number in range(count)])


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


def test_a_large_image_alone_does_not_pause():
    log, began = [], time.monotonic()
    tiles(Turns(1), Image(small=False), 10, log, "large")
    assert time.monotonic() - began < 10 * TILE * 3


def test_a_small_image_comes_between_tiles_and_the_large_one_goes_on():
    turns, log = Turns(1), []
    with ThreadPoolExecutor(2) as threads:
        large = threads.submit(tiles, turns, Image(small=False), 20, log, "large")
        while not log:
            time.sleep(0.001)
        with turns.small():
            threads.submit(tiles, turns, Image(), 20, log, "small").result()
        done = len(log)
        large.result()
    among = log[:done].count("large")
    assert 2 <= among <= 12  # a quarter of the time, and the one before
    assert log.count("large") == 20


def test_what_a_large_image_costs_beside_its_tiles_is_paused_for():
    turns, spent, began = Turns(1), 0.1, time.monotonic()

    def pack(batch):
        while time.thread_time() < started + spent:
            pass
        return turns.taking(lambda each: each)(batch)

    with turns.small():
        started = time.thread_time()
        turns.run(Image(small=False), lambda: pack(1))
        turns.run(Image(small=False), lambda: turns.taking(lambda each: each)(2))
    assert time.monotonic() - began > spent * 3.5


def test_an_image_that_waits_can_be_abandoned():
    turns, image, go = Turns(1), Image(), threading.Event()
    with ThreadPoolExecutor(2) as threads:
        threads.submit(turns.run, Image(), lambda: turns.taking(lambda batch: go.wait(20))(0))
        waits = threads.submit(tiles, turns, image, 1, [], "waits")
        time.sleep(0.05)
        turns.abandon(image)
        with pytest.raises(AbandonedError):
            waits.result(timeout=20)
        go.set()
