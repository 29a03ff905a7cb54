"""What a space says of one parameter, and what engines hold of it."""

from __future__ import annotations

import pytest

from srexp.errors import RequestError
from srexp.search.parameter import parse_parameter

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
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(said, why):
    with pytest.raises(RequestError, match=why) as refused:
        parse_parameter("optimizer.lr", said)
    assert str(refused.value).startswith("search.space.optimizer.lr: ")
