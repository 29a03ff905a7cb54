"""What a space says of one parameter, and what engines hold of it."""

from __future__ import annotations

import pytest

from srexp.errors import RequestError
from srexp.search.parameter import MOST_LISTED, Parameter, parse_parameter

SAID = {
    "float": {"type": "float", "low": 1e-5, "high": 1e-2, "log": True},
    "float in steps": {"type": "float", "low": 0.1, "high": 0.75, "step": 0.1},
    "int": {"type": "int", "low": 8, "high": 21, "step": 4},
    "one number": {"type": "float", "low": 0.5, "high": 0.5},
    "lists": {"type": "categorical", "choices": [[64, 32], [32, 16]]},
    "of several types": {"type": "categorical", "choices": [1, 1.0, True, "1", None]},
    "conditional": {"type": "int", "low": 1, "high": 3, "when": {"model": ["vdsr", "srcnn"]}},
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_every_value_comes_back_as_it_was(said):
    parameter = parse_parameter("model.depth", said)
    for value in parameter.values or parameter.ends:
        back = parameter.decode(parameter.encode(value))
        assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_what_it_says_of_itself_can_be_read_again(said):
    parameter = parse_parameter("model.depth", said)
    assert parse_parameter("model.depth", parameter.describe()) == parameter


def test_the_last_step_is_at_or_below_high():
    assert parse_parameter("a", SAID["float in steps"]).values == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert parse_parameter("a", SAID["int"]).values == [8, 12, 16, 20]
    assert [parse_parameter("a", SAID[name]).high for name in ("float in steps", "int")] == [0.7, 20]


def test_a_refusal_says_no_more_than_it_knows():
    with pytest.raises(RequestError) as caught:
        parse_parameter("a", {"type": "int", "low": 3, "high": 2})
    assert str(caught.value) == "search.space.a: low 3 is above high 2"
    with pytest.raises(RequestError) as caught:
        parse_parameter("a", {"low": 3, "high": 2})
    assert (caught.value.got, caught.value.fix) == (None, "")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("1e-3", "is no mapping"),
        ({"type": "flaot", "low": 0, "high": 1}, "did you mean float?"),
        ({"type": "int", "low": 0, "hihg": 1}, "did you mean high?"),
        ({"type": "float", "low": 0, "high": 1, "log": True}, "has no logarithm"),
        ({"type": "int", "low": 1.5, "high": 3}, "no whole number"),
        ({"type": "float", "low": 2, "high": 1}, "above high"),
        ({"type": "categorical", "choices": [[1], [1]]}, r"the choice \[1\] twice"),
        ({"type": "categorical", "choices": "abc"}, "are no list"),
        ({"type": "int", "low": 0}, r"high is missing[\s\S]*{type: int, low: 8"),
        ({"type": "float", "low": 0}, r"high is missing[\s\S]*{type: float, low: 1e-5"),
        ({"type": "categorical"}, r"choices are missing[\s\S]*{type: categorical, choices"),
        ({"type": "int", "low": 0, "high": 4, "step": 0}, "step 0 is not above 0"),
        ({"type": "float", "low": 1, "high": 2, "step": 1.5}, "beyond high 2"),
        ({"type": "float", "low": float("inf"), "high": 2}, "low is no number"),
        ({"type": "float", "low": 0, "high": 1, "step": 0.1234567890123}, "at most 12 digits"),
        ({"type": "categorical", "choices": [1, float("nan")]}, "can't be kept"),
        ({"type": "categorical", "choices": [1, 2, 1, 2]}, "the choice 1 twice"),
        ({"type": "int", "low": 0, "high": 1, "when": {}}, "when is no mapping"),
        ({"type": "int", "low": 0, "high": 1, "when": "model"}, "when is no mapping"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(said, why):
    with pytest.raises(RequestError, match=why) as refused:
        parse_parameter("optimizer.lr", said)
    assert str(refused.value).startswith("search.space.optimizer.lr: ")


def test_what_lies_at_a_limit_is_allowed():
    steps = parse_parameter("a", {"type": "float", "low": 1, "high": 2, "step": 1})
    assert (steps.values, steps.count) == ([1.0, 2.0], 2)
    exact = parse_parameter("a", {"type": "float", "low": 0, "high": 1, "step": 0.123456789012})
    assert exact.values[-1] == 8 * 0.123456789012
    assert parse_parameter("a", {"type": "int", "low": 1, "high": 4, "log": True}).count == 4
    assert parse_parameter("a", {"type": "float", "low": 0.5, "high": 0.5}).values == [0.5]
    assert parse_parameter("a", {"type": "float", "low": 0.25, "high": 0.5}).count is None
    for high, listed in ((MOST_LISTED, True), (MOST_LISTED + 1, False)):
        many = parse_parameter("a", {"type": "int", "low": 1, "high": high})
        assert (many.count, many.values is not None) == (high, listed)
    assert MOST_LISTED == 100_000


@pytest.mark.parametrize(
    ("choices", "held"),
    [
        ([1, 2], (1, 2)),
        ([0.5, 1.0], (0.5, 1.0)),
        (["a", "b"], ("a", "b")),
        ([True, False], ("true", "false")),
        ([1, 1.0], ("1", "1.0")),
        ([None], ("null",)),
        ([(1, 2), [3]], ("[1, 2]", "[3]")),
    ],
)
def test_engines_hold_texts_and_numbers_of_one_type_or_json(choices, held):
    parameter = parse_parameter("a", {"type": "categorical", "choices": choices})
    assert [(one, type(one)) for one in parameter.encoded] == [(one, type(one)) for one in held]
    assert parameter.values == [list(one) if isinstance(one, tuple) else one for one in choices]


def test_numbers_come_back_within_their_range_and_on_their_steps():
    lr = parse_parameter("a", SAID["float"])
    assert [lr.decode(held) for held in (1e-6, 1e-3, 1e-1)] == [1e-5, 1e-3, 1e-2]
    steps = parse_parameter("a", SAID["float in steps"])
    assert [steps.decode(held) for held in (0.1, 0.3000001, 0.7)] == [0.1, 0.3, 0.7]
    assert parse_parameter("a", SAID["int"]).decode(12.0) == 12
    assert (lr.ends, parse_parameter("a", SAID["one number"]).ends) == ([1e-5, 1e-2], [0.5])


def test_a_condition_is_one_value_or_several():
    for said, kept in (("vdsr", ("vdsr",)), (["vdsr", 2], ("vdsr", 2)), (None, (None,)), ([[1, 2]], ([1, 2],))):
        assert parse_parameter("a", {"type": "int", "low": 1, "high": 2, "when": {"model": said}}).when == {
            "model": kept
        }


def test_what_has_choices_has_no_numbers():
    assert parse_parameter("a", SAID["lists"]) == Parameter(
        name="a", kind="categorical", choices=([64, 32], [32, 16]), low=0, high=0, log=False, step=None, when={}
    )
    assert parse_parameter("a", SAID["lists"]).describe() == {"type": "categorical", "choices": [[64, 32], [32, 16]]}
