"""Which of several networks is the fastest."""

import numpy as np

from srexp.enhance.runtimes.race import Cost, race, winner


def test_race_takes_turns_and_leaves_out_the_first():
    calls = []
    costs = race({"a": lambda _: calls.append("a"), "b": lambda _: calls.append("b")}, np.zeros((1, 1, 1, 1)), 2)
    assert calls == ["a", "b"] * 3
    assert all(0 <= each < np.inf for cost in costs.values() for each in cost)


def test_near_the_fastest_the_processors_own_time_decides():
    assert winner({"a": Cost(1.0, 2.0), "b": Cost(1.24, 1.9), "c": Cost(1.26, 0.1)}) == "b"
