"""Which values a search draws, whichever engine chooses them."""

from __future__ import annotations

import math

import pytest

from srexp.search.keras_tuner.engine import KerasTuner
from tests.search.engines import LR, different


def drawn(study, key):
    study.work(lambda attempt: [30.0])
    return [trial.values[key] for trial in study.trials()]


@pytest.mark.slow
def test_the_search_seeks_the_largest_psnr_not_the_smallest(engine):
    """A space with one slope: whoever learns from it ends at the good end."""

    def train(attempt):
        return [30.0 + math.log10(attempt.values["optimizer.lr"])]

    space = {"optimizer.lr": {**LR, "log": True}}
    study = engine.opened(space=space, trials=26, startup_trials=16, **engine.learning)
    study.work(train)

    heights = [trial.objectives[0] for trial in study.trials()]
    assert sum(heights[16:]) / 10 > 28  # of 25 to 29; a search that learns nothing comes to 27, a reversed one to 26


@pytest.mark.parametrize("log", [True, False])
def test_a_logarithmic_range_is_drawn_evenly_over_its_decades(engine, log):
    rates = drawn(engine.opened(space={"optimizer.lr": {**LR, "log": log}}, trials=30), "optimizer.lr")

    assert all(1e-5 <= rate <= 1e-1 for rate in rates)
    low = sum(rate < 1e-3 for rate in rates)
    assert 7 <= low <= 23 if log else low <= 3  # of 30 draws: a half, or a hundredth


def test_whole_numbers_are_drawn_evenly_over_their_decades_too(engine):
    numbers = drawn(engine.opened(space={"n": {"type": "int", "low": 1, "high": 1000, "log": True}}, trials=30), "n")

    assert all(isinstance(number, int) for number in numbers)
    assert 7 <= sum(number < 32 for number in numbers) <= 23


def test_values_reach_both_edges_and_stay_on_their_steps(engine):
    space = {
        "count": {"type": "int", "low": 1, "high": 3},
        "zoom": {"type": "float", "low": 0.1, "high": 0.3, "step": 0.1},
        "loss": {"type": "categorical", "choices": ["l1", None, [1, 2]]},
        "fixed": {"type": "float", "low": 2.0, "high": 2.0},
    }
    study = engine.opened(space=space, trials=24)
    study.work(lambda attempt: [30.0])

    found = [trial.values for trial in study.trials()]
    assert {values["count"] for values in found} == {1, 2, 3}
    assert {values["zoom"] for values in found} == {0.1, 0.2, 0.3}
    assert {str(values["loss"]) for values in found} == {"l1", "None", "[1, 2]"}
    assert {values["fixed"] for values in found} == {2.0}


def test_values_at_the_edges_that_fail_cost_their_trials_alone(engine):
    """A failed trial at an edge neither ends the search nor keeps it from the rest of the space."""

    def train(attempt):
        if attempt.values["n"] in (1, 4):
            raise ValueError("too small or too large")
        return [30.0]

    space = {"n": {"type": "int", "low": 1, "high": 4}}
    study = engine.opened(space=space, trials=2, max_failures=2, **{engine.chooser: "grid"})
    study.work(train)

    assert [(trial.values["n"], trial.state) for trial in study.trials()] == [
        (1, "failed"), (2, "finished"), (3, "finished"),
    ]  # fmt: skip


@pytest.mark.parametrize("learns", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_search_that_goes_on_draws_what_it_would_have_drawn(engine, learns, tmp_path, briefly):
    options = {"startup_trials": 4, "seed": 3, "epochs": 4}
    if learns:
        options |= engine.learning
    if learns and engine.kind is KerasTuner:  # a Gaussian process takes seconds, the more the more parameters there are
        options |= {"startup_trials": 11, "space": {"optimizer.lr": {**LR, "log": True}}}
    whole = engine.opened(folder=tmp_path / "whole", trials=14, **options)
    whole.work(briefly)
    for reached in (5, 12, 14):
        parts = engine.opened(folder=tmp_path / "parts", trials=reached, **options)
        parts.work(briefly)

    assert [trial.values for trial in parts.trials()] == [trial.values for trial in whole.trials()]
    assert different(whole.trials()) == 14


def test_the_seed_decides_what_is_drawn(engine, tmp_path):
    found = []
    for number, (own, shared) in enumerate([(None, 1), (None, 1), (None, 2), (1, 2)]):
        study = engine(folder=tmp_path / str(number), trials=4, seed=own).open(seed=shared, epochs=1)
        study.work(lambda attempt: [30.0])
        found.append([dict(trial.values) for trial in study.trials()])

    assert found[0] == found[1] == found[3]  # a seed of the search goes before that of the configuration
    assert found[0] != found[2]
