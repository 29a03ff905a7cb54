"""Intervals and tests against enumeration by hand and against SciPy."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from srexp.errors import RequestError
from srexp.evaluation.statistics import FEWEST_PAIRS, compare, mean_and_std, mean_ci95

values = st.lists(st.floats(10, 60), min_size=2, max_size=12)


def test_interval_by_enumeration():
    # Three images have 27 equally likely resamples: their means are known, and so are the quantiles in the limit.
    data = [30.0, 31.0, 34.0]
    means = [np.mean(draw) for draw in itertools.product(data, repeat=3)]
    low, high = mean_ci95(data)
    assert low == pytest.approx(np.quantile(means, 0.025, method="inverted_cdf"), abs=1e-9)
    assert high == pytest.approx(np.quantile(means, 0.975, method="inverted_cdf"), abs=1e-9)


def test_interval_by_an_independent_bootstrap():
    data = np.random.default_rng(5).normal(30, 3, 40)
    draws = np.random.default_rng(0).integers(0, 40, (9999, 40))  # the same seed draws the same images
    expected = np.percentile(data[draws].mean(axis=1), [2.5, 97.5])
    assert mean_ci95(data.tolist()) == pytest.approx(expected.tolist(), abs=1e-6)


def test_interval_of_many_images_is_near_the_normal_one():
    data = np.random.default_rng(1).normal(30, 2, 2000)
    half = 1.96 * data.std(ddof=1) / math.sqrt(2000)
    assert mean_ci95(data.tolist()) == pytest.approx([data.mean() - half, data.mean() + half], abs=0.01)


@given(values)
@settings(max_examples=20, deadline=None)
def test_interval_is_ordered_repeatable_and_inside_the_data(data):
    low, high = mean_ci95(data)
    assert min(data) - 1e-9 <= low <= high <= max(data) + 1e-9
    assert [low, high] == mean_ci95(data)


def test_interval_depends_on_the_seed_alone():
    data = np.random.default_rng(2).normal(30, 2, 20).tolist()
    assert mean_ci95(data, seed=1) == mean_ci95(data, seed=1)
    assert mean_ci95(data, seed=1) != mean_ci95(data, seed=2)


def test_the_interval_of_a_gain_is_that_of_the_gains_under_its_seed():
    gains = np.random.default_rng(3).normal(0.3, 1, 20)
    for seed in (0, 7):
        found = compare((30 + gains).tolist(), [30.0] * 20, seed=seed)
        assert found.ci95 == pytest.approx(mean_ci95(gains.tolist(), seed=seed), abs=1e-9)
    assert compare((30 + gains).tolist(), [30.0] * 20).ci95 != found.ci95


@pytest.mark.parametrize("data", [[], [30.0]])
def test_no_interval_for_fewer_than_two_images(data):
    assert mean_ci95(data) is None


def test_equal_values_have_an_interval_without_width():
    assert mean_ci95([30.1] * 5) == [30.1, 30.1]


def test_mean_and_std_leave_infinity_out():
    assert mean_and_std([30.0, math.inf, 34.0]) == (32.0, pytest.approx(math.sqrt(8)))
    assert mean_and_std([30.0]) == (30.0, None)
    assert mean_and_std([math.inf]) == (None, None)


def test_gain_is_paired():
    found = compare([31, 35, 40, 22], [30, 34, 39, 21])
    assert found.gain == 1
    assert found.ci95 == [1, 1]
    assert (found.wins, found.n_pairs, found.n_infinite) == (4, 4, 0)


@pytest.mark.parametrize("n", [6, 9, 80])
def test_p_value_agrees_with_scipy(n):
    rng = np.random.default_rng(n)
    b = rng.normal(30, 3, n)
    a = b + rng.normal(0.3, 0.5, n)
    found = compare(a.tolist(), b.tolist())
    assert found.p_value == pytest.approx(stats.wilcoxon(a, b).pvalue, abs=1e-6)
    assert found.p_reason == ""


def test_p_value_by_hand():
    # Six gains of one sign: two of the 2**6 equally likely sign patterns are as extreme.
    a = [31.1, 31.2, 31.3, 31.4, 31.5, 31.6]
    assert compare(a, [31.0] * 6).p_value == pytest.approx(2 / 64)


def test_too_few_pairs_say_so():
    found = compare([31.0] * 5, [30.0] * 5)
    assert found.p_value is None
    assert found.p_reason.startswith("5 pairs")
    assert str(FEWEST_PAIRS) in found.p_reason


def test_one_image_has_a_gain_and_nothing_more():
    found = compare([31.0], [30.0])
    assert (found.gain, found.ci95, found.p_value, found.n_pairs) == (1.0, None, None, 1)


def test_equal_predictors_do_not_differ():
    found = compare([30.0] * 8, [30.0] * 8)
    assert (found.gain, found.ci95, found.p_value, found.wins) == (0, [0, 0], 1, 0)


def test_infinite_pairs_are_counted_apart():
    found = compare([math.inf, 31.0, math.inf], [30.0, 30.0, math.inf])
    assert (found.gain, found.n_pairs, found.n_infinite, found.wins) == (1.0, 1, 2, 2)
    assert compare([math.inf], [30.0]).gain is None


@given(st.lists(st.tuples(st.floats(10, 60), st.floats(10, 60)), min_size=1, max_size=9))
@settings(max_examples=15, deadline=None)
def test_is_antisymmetric_and_json_ready(pairs):
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    forth, back = compare(a, b), compare(b, a)
    assert forth.gain == pytest.approx(-back.gain, abs=1e-9)
    assert forth.p_value == (None if back.p_value is None else pytest.approx(back.p_value, abs=1e-9))
    assert json.loads(json.dumps(forth.as_dict(), allow_nan=False)) == forth.as_dict()


def test_refuses_different_numbers_of_images_and_nan():
    with pytest.raises(RequestError, match="2 and 1 values"):
        compare([1.0, 2.0], [1.0])
    with pytest.raises(RequestError, match="NaN"):
        compare([math.nan], [1.0])
