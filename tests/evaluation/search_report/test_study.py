"""Trials of whatever engine as an Optuna study, and the ranges that figures of them have."""

import math
from dataclasses import replace

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from srexp.evaluation.search_report.study import pareto_set, study_of
from srexp.evaluation.search_report.trials import best_first, clipped, keys_of, learning_range, psnr_range
from srexp.types import Trial

ONE, TWO = ["val_psnr"], ["val_psnr", "seconds"]
SPACE = {
    "optimizer.lr": {"type": "float", "low": 1e-5, "high": 1e-2, "log": True},
    "model": {"type": "categorical", "choices": ["srcnn", "vdsr"]},
    "model.depth": {"type": "int", "low": 8, "high": 20, "step": 4, "when": {"model": "vdsr"}},
    "model.filters": {"type": "categorical", "choices": [[64, 32], [32, 16]], "when": {"model": "srcnn"}},
    "trainer.batch_size": {"type": "categorical", "choices": [16, 32]},
}


def trial(number, *objectives, state="finished", curve=None, **values):
    named = {key.replace("__", "."): value for key, value in values.items()}
    return Trial(number=number, state=state, values=named, objectives=objectives or None, curve=curve or {})


def test_conditional_keys_and_lists_become_parameters_that_optuna_can_draw():
    srcnn = trial(0, 40.0, model="srcnn", model__filters=[64, 32], optimizer__lr=1e-3, trainer__batch_size=16)
    vdsr = trial(1, 41.0, model="vdsr", model__depth=8.0, optimizer__lr=1e-4, trainer__batch_size=32)

    first, second = study_of([srcnn, vdsr], ONE, SPACE).trials

    assert first.params == {
        "model": "srcnn",
        "model.filters": "[64, 32]",
        "optimizer.lr": 1e-3,
        "trainer.batch_size": 16,
    }
    assert second.params == {"model": "vdsr", "model.depth": 8, "optimizer.lr": 1e-4, "trainer.batch_size": 32}
    assert repr(first.params["model.filters"]) == "[64, 32]"  # which a figure writes, without quotes
    assert isinstance(second.params["model.depth"], int)
    assert second.distributions["model.depth"] == IntDistribution(8, 20)
    assert first.distributions["optimizer.lr"] == FloatDistribution(1e-5, 1e-2, log=True)
    assert first.distributions["trainer.batch_size"] == CategoricalDistribution([16, 32])


def test_values_outside_of_the_space_widen_it():
    old = trial(0, 40.0, model="gone", optimizer__lr=0.5, model__depth=40, trainer__batch_size=17)
    [found] = study_of([old], ONE, SPACE).trials
    assert found.distributions["optimizer.lr"].high == 0.5
    assert found.distributions["model.depth"].high == 40
    assert found.distributions["model"].choices == ("srcnn", "vdsr", "gone")
    assert found.distributions["trainer.batch_size"].choices == (16, 32, 17)


def test_every_trial_keeps_its_number_and_only_finished_ones_have_a_value():
    trials = [
        trial(1, state="pruned", curve={1: 30.0, 2: math.nan}),
        trial(2, 40.0, curve={1: 40.0}),
        trial(3, state="failed"),
        trial(4, math.nan),
    ]

    found = study_of(trials, ONE).trials

    states = [TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE, TrialState.FAIL, TrialState.FAIL]
    assert [each.state for each in found] == states
    assert [each.number for each in found] == [*range(5)]
    assert found[1].intermediate_values == {1: 30.0}
    assert found[2].values == [40.0]


def test_one_of_several_objectives_has_a_study_with_its_own_direction():
    trials = [trial(0, 40.0, 0.2), trial(1, 39.0, 0.1), trial(2, 38.0, 0.3)]
    assert study_of(trials, TWO, only=0).best_trial.number == 0
    assert study_of(trials, TWO, only=1).best_trial.number == 1
    assert [each.number for each in pareto_set(trials, TWO)] == [0, 1]
    assert [each.number for each in best_first(trials, TWO)] == [0, 1, 2]


def test_text_is_shown_as_the_library_needs_it():
    space = {"a<b": {"type": "categorical", "choices": ["x<y"]}}
    [found] = study_of([replace(trial(0, 40.0), values={"a<b": "x<y"})], ONE, space, shown=str.upper).trials
    assert found.params == {"A<B": "X<Y"}


def test_keys_are_those_that_some_trial_has_in_the_order_of_the_space():
    assert keys_of([trial(0, 40.0, model="vdsr", other=1), trial(1, 40.0, optimizer__lr=1e-3)], SPACE) == [
        "optimizer.lr",
        "model",
    ]


@pytest.mark.parametrize("bicubic", [None, 38.0])
def test_a_diverged_trial_falls_out_of_the_range_and_bicubic_does_not(bicubic):
    trials = [trial(number, 40 + number / 10, 1.0) for number in range(10)] + [trial(10, 8.0, 2.0)]

    low, high = psnr_range(trials, TWO, bicubic)

    assert (37 if bicubic else 39) < low < (bicubic or 40)
    assert high > 40.9
    assert clipped(trials, TWO)[-1].objectives == (40.0, 2.0)
    assert clipped(trials, TWO)[:-1] == trials[:-1]


def test_no_range_comes_from_no_value():
    assert psnr_range([trial(0, state="failed")], ONE, 38.0) is None
    assert learning_range([trial(0, 40.0)], 38.0) is None
