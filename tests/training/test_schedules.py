"""Schedules: bounds, warm-up and end points, for every length of training."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp.errors import RequestError
from srexp.training.schedules import constant, cosine, step

TOTALS = st.integers(1, 10_000)
STEPS = st.integers(0, 12_000)
WARMUPS = st.integers(0, 500)


@given(done=STEPS, total=TOTALS, warmup=WARMUPS, final=st.floats(0, 1))
def test_factors_stay_between_0_and_1(done: int, total: int, warmup: int, final: float) -> None:
    for schedule in (constant(warmup), cosine(warmup, final), step([0.3, 0.6], 0.5, warmup)):
        assert 0.0 <= schedule(done, total) <= 1.0


@given(total=TOTALS, warmup=WARMUPS)
def test_training_never_begins_with_a_dead_step(total: int, warmup: int) -> None:
    for schedule in (constant(warmup), cosine(warmup), step([0.5], 0.1, warmup)):
        assert schedule(0, total) > 0


@given(done=st.integers(0, 99), total=st.integers(101, 10_000))
def test_warm_up_is_linear(done: int, total: int) -> None:
    assert constant(100)(done, total) == pytest.approx((done + 1) / 100)


@given(total=st.integers(2, 10_000), warmup=WARMUPS, final=st.floats(0, 1))
def test_cosine_falls_from_1_to_its_end_value_and_stays(total: int, warmup: int, final: float) -> None:
    schedule = cosine(warmup, final)
    total += warmup
    assert schedule(warmup, total) == pytest.approx(1.0)
    assert schedule(total, total) == schedule(total + 1000, total) == pytest.approx(final)
    factors = [schedule(done, total) for done in range(warmup, total + 1, max(1, total // 50))]
    assert factors == sorted(factors, reverse=True)


@given(done=st.integers(0, 1000), stretch=st.integers(1, 9))
def test_cosine_depends_on_progress_alone(done: int, stretch: int) -> None:
    assert cosine()(done * stretch, 1000 * stretch) == pytest.approx(cosine()(done, 1000))


def test_step_is_vdsrs() -> None:
    """0.1, then a tenth after each 20 of 80 epochs."""
    schedule = step(milestones=[0.25, 0.5, 0.75], decay=0.1)
    assert [schedule(epoch, 80) for epoch in (0, 19, 20, 39, 40, 60, 79)] == pytest.approx(
        [1, 1, 1e-1, 1e-1, 1e-2, 1e-3, 1e-3]
    )


def test_what_is_left_out_is_what_the_signature_says() -> None:
    for total in (1, 2, 7, 100):
        for done in range(total + 2):
            assert constant()(done, total) == 1
            assert cosine()(done, total) == cosine(0, 0.0)(done, total)
            assert step([0.5])(done, total) == step([0.5], 0.1, 0)(done, total)
    assert cosine(0, 0.0)(1, 1) == 0


def test_bounds_are_allowed() -> None:
    assert [cosine(final_fraction=final)(9, 9) for final in (0.0, 1.0)] == [0.0, 1.0]
    assert step([0.5], decay=1.0)(9, 9) == 1
    assert constant(0)(0, 9) == 1


def test_cosine_falls_after_a_warm_up_however_short_the_rest_is() -> None:
    assert [cosine(4)(done, 5) for done in (3, 4, 5)] == [1, 1, 0]
    assert [cosine(4, 0.5)(done, 4) for done in (2, 3, 4, 5)] == [0.75, 1, 1, 0.5]
    assert [cosine(4)(done, 3) for done in (3, 4, 5)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (lambda: constant(-1), "schedule.warmup_steps"),
        (lambda: cosine(final_fraction=1.5), "schedule.final_fraction"),
        (lambda: cosine(final_fraction=-0.1), "schedule.final_fraction"),
        (lambda: step([0.5, 1.0]), "schedule.milestones"),
        (lambda: step([0.0, 0.5]), "schedule.milestones"),
        (lambda: step([0.5], decay=0.0), "schedule.decay"),
        (lambda: step([0.5], decay=1.01), "schedule.decay"),
    ],
)
def test_what_is_no_schedule_is_refused_by_name(build, names: str) -> None:
    with pytest.raises(RequestError, match=names):
        build()
