"""The mean that chooses: one set of images for all, and every error lowers it."""

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from srexp.metrics import ranking
from srexp.metrics.ranking import MOST_ABOVE_DB, ranked, ranking_mean

#: Mean squared errors in squared levels: none, one pixel of a million, anything up to white for black.
errors = st.one_of(st.just(0.0), st.floats(1e-6, 65025.0))
BLACK = 0.0


def decibels(squared):
    return [math.inf if error == 0 else 10 * math.log10(65025 / error) for error in squared]


def order(squared, bicubic):
    return ranking_mean(decibels(squared), decibels(bicubic))


@pytest.mark.parametrize("black", [1, 3, 9])
@pytest.mark.parametrize("levels", [(0, 1), (1, 0), (1, 1), (0, 0), (2, 0)])
def test_three_levels_off_come_before_six_whatever_becomes_of_black_slices(levels, black):
    bicubic = [200.0, *[BLACK] * black]
    three, six = ([off**2, *[level**2] * black] for off, level in zip((3, 6), levels, strict=True))
    assert (order(three, bicubic) > order(six, bicubic)) == (sum(three) < sum(six))


def test_the_published_mean_has_them_the_wrong_way_round():
    three, six = decibels([9, 0]), decibels([36, 1])
    assert three[0] < (six[0] + six[1]) / 2  # 38.6 and 40.4 dB
    assert ranking_mean(three, decibels([200, 0])) > ranking_mean(six, decibels([200, 0]))


@given(st.data())
def test_nowhere_worse_never_comes_behind(data):
    """Whatever the images are, black for bicubic or exact for one network and not for another."""
    number = data.draw(st.integers(1, 6))
    images = st.lists(errors, min_size=number, max_size=number)
    bicubic, better, more = data.draw(images), data.draw(images), data.draw(images)
    worse = [one + other for one, other in zip(better, more, strict=True)]
    ahead, behind = order(better, bicubic), order(worse, bicubic)
    assert ahead == behind or ahead >= behind - 1e-9
    assume(max(worse) > 0 and any(other > 1e-3 * max(worse) for other in more))
    assert ahead > behind  # an error is never for nothing


@given(st.lists(st.floats(1e-2, 1e3), min_size=2, max_size=5), st.integers(0, 4), st.data())
def test_networks_of_equal_error_on_what_counts_are_in_the_order_of_their_error(offs, black, data):
    spoilt = [data.draw(st.lists(errors, min_size=black, max_size=black)) for _ in offs]
    networks = [[off] * 3 + rest for off, rest in zip(offs, spoilt, strict=True)]
    bicubic = [500.0] * 3 + [BLACK] * black
    for one, other in itertools.combinations(networks, 2):
        assume(abs(sum(one) - sum(other)) > 1e-6 * sum(one))
        assert (order(one, bicubic) > order(other, bicubic)) == (sum(one) < sum(other))


@given(st.lists(st.floats(20, 55), min_size=1, max_size=9))
def test_without_an_exact_image_it_is_the_mean_psnr_to_the_last_digit(psnr):
    assert ranked(psnr, [30.0] * len(psnr)) == psnr


def test_bicubic_itself_counts_with_what_it_does_not_restore():
    assert ranked([30.0, math.inf, 34.0], [30.0, math.inf, 34.0]) == [30.0, None, 34.0]


def test_an_exact_image_counts_so_much_above_the_mean_error():
    found = ranked([30.0, math.inf], [25.0, 26.0])
    assert found == [30.0, pytest.approx(30 + 10 * math.log10(2) + MOST_ABOVE_DB)]


def test_what_has_nothing_but_exact_images_counts_all_of_them():
    assert ranked([math.inf, math.inf], [math.inf, math.inf]) == [math.inf, math.inf]
    assert ranked([40.0, 44.0], [math.inf, math.inf]) == [40.0, 44.0]
    assert ranked([math.inf, math.inf], [30.0, math.inf]) == [math.inf, None]


def test_no_value_takes_no_part_and_no_number_is_none():
    assert ranked([30.0, None, 32.0], [29.0, 29.0, None]) == [30.0, None, 32.0]
    assert ranked([], []) == []
    assert all(math.isnan(value) for value in ranked([30.0, math.nan], [29.0, 29.0]))


def test_what_is_spoilt_of_the_others_is_shared_by_the_images_that_count():
    found = ranked([30.0, 20.0, 10.0, 10.0], [25.0, 25.0, math.inf, math.inf])
    assert found == [
        pytest.approx(-10 * math.log10(0.001 + 0.1)),
        pytest.approx(-10 * math.log10(0.01 + 0.1)),
        None,
        None,
    ]


def test_an_image_counts_for_no_more_than_40_db_above_the_mean():
    assert ranking.MOST_ABOVE_DB == 40
