"""What a comparison decides before it draws: the scale of the error maps, and whether times compare."""

import math
from types import SimpleNamespace

import pytest

from srexp.evaluation.comparison.standings import BASELINE, Contender, standings
from srexp.experiment.comparison.comparison import ERROR_SCALES, _times_apart, error_scale


def found(*bicubic):
    both = [Contender(name=name, values={"psnr": list(bicubic)}) for name in (BASELINE, "srcnn")]
    return standings([str(place) for place, _ in enumerate(bicubic)], both)


@pytest.mark.parametrize(
    ("bicubic", "expected"),
    [((30.0, 31.0, 29.0), 32.0), ((48.0,), 4.0), ((math.inf, 48.0), 4.0), ((5.0,), 128.0), ((math.inf,), 0.25)],
)
def test_the_scale_of_the_error_maps_is_a_power_of_two_three_times_bicubics_usual_error(bicubic, expected):
    assert error_scale(found(*bicubic)) == expected
    assert expected in ERROR_SCALES


def ran_on(host, processors=2, *, earlier=False):
    environment = {"platform": "Linux", "processors": processors, **({} if earlier else {"process": {"host": host}})}
    return SimpleNamespace(run=SimpleNamespace(tags={"srexp.host": host} if earlier else {}), environment=environment)


@pytest.mark.parametrize(
    ("entries", "again", "said"),
    [
        ([ran_on("a"), ran_on("a")], False, "by each run when it ended"),
        ([ran_on("a"), ran_on("a", earlier=True)], False, "by each run when it ended"),
        ([ran_on("a"), ran_on("b", earlier=True)], False, "on different machines"),
        ([ran_on("a"), ran_on("b")], False, "on different machines"),
        ([ran_on("a"), ran_on("a", 4)], False, "on different machines"),
        ([ran_on("a"), ran_on("b")], True, "measured anew, all on one machine"),
    ],
)
def test_times_of_different_machines_are_said_not_to_compare(entries, again, said):
    [note] = _times_apart(entries, SimpleNamespace(time_again=again))
    assert said in note
