"""Times measured on a clock that the test moves."""

import json

import numpy as np

from srexp.evaluation.timing import time_inference

BATCH = np.zeros((2, 8, 8, 1), np.float32)


class Machine:
    """A model whose calls take the times given, on a clock of its own."""

    def __init__(self, *seconds):
        self.seconds, self.now, self.calls = list(seconds), 100.0, 0

    def clock(self):
        return self.now

    def predict(self, batch):
        self.now += self.seconds[min(self.calls, len(self.seconds) - 1)]
        self.calls += 1
        return batch


def measure(machine, **options):
    return time_inference(machine.predict, BATCH, clock=machine.clock, **options)


def test_warm_up_is_left_out():
    timing = measure(Machine(60, 9, 1, 2, 3, 4, 5), warmup=2, repeats=5, max_seconds=1000)
    assert timing.samples == (1, 2, 3, 4, 5)
    assert timing.median == 3
    assert timing.quartiles == (2, 4)
    assert (timing.warmup, timing.shape) == (2, (2, 8, 8, 1))


def test_slow_models_get_fewer_samples():
    machine = Machine(10)
    timing = measure(machine, warmup=2, repeats=20, max_seconds=45)
    assert len(timing.samples) == 3
    assert machine.calls == 5


def test_one_sample_is_taken_whatever_it_costs():
    machine = Machine(100)
    timing = measure(machine, warmup=5, repeats=5, max_seconds=1)
    assert (timing.warmup, timing.samples, timing.quartiles) == (1, (100,), (100, 100))
    assert machine.calls == 2


def test_real_clock_and_json():
    timing = time_inference(lambda batch: batch + 1, BATCH, repeats=7)
    assert len(timing.samples) == 7
    assert 0 < timing.quartiles[0] <= timing.median <= timing.quartiles[1]
    described = timing.as_dict()
    assert json.loads(json.dumps(described)) == described
    assert described["shape"] == [2, 8, 8, 1]
