"""A space is read exactly, or refused with its key and its fault; both engines hold its values and give them back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp.errors import RequestError
from srexp.search.space import Space, difference, exists

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 1.0, 2.0]) | st.text(max_size=3)
CHOICES = st.lists(SCALARS | st.lists(SCALARS, max_size=3), min_size=1, max_size=4, unique_by=json.dumps)


@st.composite
def numbers(draw):
    kind = draw(st.sampled_from(["float", "int"]))
    bounds = st.integers(1, 50) if kind == "int" else st.integers(1, 5000).map(lambda n: n / 100)
    low, high = sorted([draw(bounds), draw(bounds)])
    said = {"type": kind, "low": low, "high": high}
    form = draw(st.sampled_from(["plain", "log", "step"]))
    if form == "log":
        said["log"] = True
    if form == "step" and high > low:
        said["step"] = (
            max(1, (high - low) // draw(st.integers(1, 5))) if kind == "int" else max(0.01, round((high - low) / 4, 2))
        )
    return said


@st.composite
def spaces(draw):
    space = {}
    for index in range(draw(st.integers(1, 5))):
        said = draw(numbers() | CHOICES.map(lambda choices: {"type": "categorical", "choices": choices}))
        countable = [name for name, other in space.items() if other["type"] == "categorical"]
        if countable and draw(st.booleans()):
            parents = draw(st.sets(st.sampled_from(countable), min_size=1, max_size=2))
            said["when"] = {each: draw(st.permutations(space[each]["choices"]))[:2] for each in sorted(parents)}
        space[f"key.n{index}"] = said
    return space


@given(spaces())
def test_what_is_described_is_the_same_space(said):
    space = Space.parse(said)
    again = Space.parse(json.loads(json.dumps(space.describe())))

    assert again.describe() == space.describe()
    assert difference(space.describe(), again.describe()) == []
    assert Space.parse(dict(reversed(said.items()))).describe() == space.describe()


@given(spaces())
def test_extremes_are_trials_of_the_space_and_reach_every_end(said):
    space = Space.parse(said)
    extremes = space.extremes()

    for trial in extremes:
        assert set(trial) == {key.name for key in space.parameters if exists(key, trial)}
    parents = Space(tuple(key for key in space.parameters if said[key.name]["type"] == "categorical"))
    combinations = list(parents.grid()) if parents.parameters else [{}]
    for key in space.parameters:
        met = {json.dumps(trial[key.name]) for trial in extremes if key.name in trial}
        ever = any(exists(key, combination) for combination in combinations)
        assert met >= {json.dumps(end) for end in key.ends} if ever else not met


@given(spaces(), st.data())
def test_values_survive_the_way_through_an_engine(said, data):
    space = Space.parse(said)
    values = space.draw(lambda key: data.draw(st.sampled_from(key.values or key.ends)))
    held = space.encode(values)

    assert all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in held.values())
    assert json.dumps(space.decode(held)) == json.dumps(values)


@given(spaces())
def test_a_grid_has_each_combination_once(said):
    space = Space.parse(said)
    if any(key.values is None for key in space.parameters):
        with pytest.raises(RequestError, match="a grid needs steps"):
            next(space.grid())
        return
    first = [json.dumps(values) for _, values in zip(range(200), space.grid(), strict=False)]

    assert len(set(first)) == len(first) > 0


def test_steps_are_written_as_one_would_write_them():
    key = Space.parse({"a": {"type": "float", "low": 0.1, "high": 0.75, "step": 0.1}}).parameters[0]

    assert key.values == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert key.high == 0.7
    assert key.decode(0.1 + 0.2) == 0.3


def test_parents_come_first_whatever_their_names():
    space = Space.parse(
        {
            "a": {"type": "int", "low": 1, "high": 2, "when": {"b": 1}},
            "b": {"type": "categorical", "choices": [1, True], "when": {"c": [None, "x"]}},
            "c": {"type": "categorical", "choices": [None, "x", "y"]},
        }
    )

    assert [key.name for key in space.parameters] == ["c", "b", "a"]
    assert {"c": None, "b": True} in list(space.grid())
    assert {"c": "y"} in list(space.grid())
    assert {"c": None, "b": 1, "a": 2} in space.extremes()


LR = {"type": "float", "low": 1e-5, "high": 1e-2}
MODEL = {"type": "categorical", "choices": ["srcnn", "vdsr"]}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, ["search.space is empty"]),
        ({"lr": 3}, ["search.space.lr", "is no mapping"]),
        ({"lr": {"low": 1, "high": 2}}, ["search.space.lr: has no type", "float, int, categorical"]),
        ({"lr": {**LR, "type": "flaot"}}, ["unknown type", "did you mean float?"]),
        ({"lr": {**LR, "lwo": 1}}, ["unknown field lwo", "did you mean low?"]),
        ({"lr": {**LR, "choices": [1]}}, ["unknown field choices"]),
        ({"lr": {"type": "float", "low": 1}}, ["search.space.lr: high is missing"]),
        ({"lr": {**LR, "low": "1e-5"}}, ["search.space.lr: low is no number"]),
        ({"lr": {**LR, "low": True}}, ["low is no number"]),
        ({"lr": {**LR, "high": float("nan")}}, ["high is no number"]),
        ({"lr": {**LR, "low": 0.02}}, ["search.space.lr: low 0.02 is above high 0.01"]),
        ({"lr": {**LR, "low": 0, "log": True}}, ["low 0 has no logarithm"]),
        ({"lr": {**LR, "log": "yes"}}, ["log is neither"]),
        ({"lr": {**LR, "log": True, "step": 1e-3}}, ["both log and step"]),
        ({"lr": {**LR, "step": -1e-3}}, ["not above 0"]),
        ({"lr": {**LR, "step": 0.1 + 0.2 - 0.299}}, ["at most 12 digits"]),
        ({"lr": {**LR, "step": 1}}, ["beyond high"]),
        ({"n": {"type": "int", "low": 1.5, "high": 3}}, ["low is no whole number"]),
        ({"m": {"type": "categorical"}}, ["choices are missing"]),
        ({"m": {"type": "categorical", "choices": []}}, ["has no choices"]),
        ({"m": {"type": "categorical", "choices": "abc"}}, ["choices are no list"]),
        ({"m": {"type": "categorical", "choices": [1, 1]}}, ["the choice 1 twice"]),
        ({"m": {"type": "categorical", "choices": [{"a": 1}]}}, ["can't be kept"]),
        ({"lr": {**LR, "when": {"model": "vdsr"}}}, ["search.space.lr: when names model"]),
        ({"model": MODEL, "lr": {**LR, "when": {"modle": "vdsr"}}}, ["did you mean model?"]),
        ({"model": MODEL, "lr": {**LR, "when": {"model": "vdrs"}}}, ["model is never", "did you mean vdsr?"]),
        ({"model": MODEL, "lr": {**LR, "when": {"model": []}}}, ["when.model has no values"]),
        ({"lr": LR, "model": {**MODEL, "when": {"lr": 1e-3}}}, ["can't be counted"]),
        (
            {"a": {**MODEL, "when": {"b": "vdsr"}}, "b": {**MODEL, "when": {"a": "vdsr"}}},
            ["search.space.a", "circle: a, b"],
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(said, words):
    with pytest.raises(RequestError) as refused:
        Space.parse(said)

    for word in words:
        assert word in str(refused.value)


def test_a_difference_names_what_changed():
    old = Space.parse({"lr": LR, "model": MODEL, "n": {"type": "int", "low": 1, "high": 2}}).describe()
    new = Space.parse({"lr": {**LR, "log": True}, "model": MODEL, "k": {"type": "int", "low": 1, "high": 2}}).describe()

    assert difference(old, new) == [
        "k: added, {type: int, low: 1, high: 2}",
        "lr: log null -> true",
        "n: gone, {type: int, low: 1, high: 2}",
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"type": "int", "low": 1, "high": 10**15},
        {"type": "int", "low": 1, "high": 10**300},
        {"type": "float", "low": 0.0, "high": 1.0, "step": 1e-11},
    ],
)
def test_more_values_than_can_be_listed_are_no_grid_and_cost_nothing_elsewhere(said):
    space = Space.parse({"seed": said})
    with pytest.raises(RequestError, match=r"search\.space\.seed: has 1\d+ values, a grid needs steps"):
        space.grid()
    (parameter,) = space.parameters
    assert parameter.decode(parameter.high) == said["high"]
    with pytest.raises(RequestError, match="can't be counted"):
        Space.parse({"seed": said, "model.depth": {"type": "int", "low": 1, "high": 3, "when": {"seed": 1}}})


def test_edges_and_combinations_have_the_others_at_their_first():
    space = Space.parse(
        {
            "a": {"type": "int", "low": 1, "high": 3},
            "b": {"type": "categorical", "choices": ["x", "y"]},
            "c": {"type": "float", "low": 0.5, "high": 2.0, "when": {"b": ["y"]}},
        }
    )
    assert space.extremes() == [
        {"a": 1, "b": "x"},
        {"a": 3, "b": "x"},
        {"a": 1, "b": "y", "c": 0.5},
        {"a": 1, "b": "y", "c": 2.0},
    ]
    assert space.combined(["b"]) == [{"a": 1, "b": "x"}, {"a": 1, "b": "y", "c": 0.5}]
    assert space.combined(["a", "c"]) == [{"a": a, "b": "y", "c": c} for a in (1, 2, 3) for c in (0.5, 2.0)]


def test_edges_choose_for_a_parent_what_all_that_depend_on_it_allow():
    space = Space.parse(
        {
            "a": {"type": "categorical", "choices": [1, 2, 3]},
            "b": {"type": "categorical", "choices": ["x", "y"], "when": {"a": [2, 3]}},
            "c": {"type": "int", "low": 7, "high": 7, "when": {"b": "y", "a": [1, 3]}},
        }
    )
    assert [edge for edge in space.extremes() if "c" in edge] == [{"a": 3, "b": "y", "c": 7}]
    assert space.combined(["c"]) == [{"a": 3, "b": "y", "c": 7}]


def test_a_refused_condition_says_what_there_is():
    def refused(said):
        with pytest.raises(RequestError) as caught:
            Space.parse(said)
        return caught.value

    number = {"type": "int", "low": 1, "high": 2}
    unknown = refused({"b": {**number, "when": {"x": 1}}, "c": number, "a": number})
    assert unknown.expected == "another key of the space: a, c"
    for count, shown in ((20, "20"), (21, "20, ...")):
        many = refused({"a": {**number, "high": count}, "b": {**number, "when": {"a": 99}}})
        assert many.expected == ", ".join(map(str, range(1, 20))) + f", {shown}"
    assert refused({"model": MODEL, "b": {**number, "when": {"model": "qqqqq"}}}).fix == ""


def test_a_grid_says_how_many_values_are_too_many():
    with pytest.raises(RequestError, match=r"search\.space\.lr: has no end of values, a grid"):
        Space.parse({"lr": LR}).grid()
    with pytest.raises(RequestError, match=r"search\.space\.n: has 100001 values, a grid"):
        Space.parse({"n": {"type": "int", "low": 0, "high": 100_000}}).grid()
    assert next(Space.parse({"n": {"type": "int", "low": 1, "high": 100_000}}).grid()) == {"n": 1}


def test_the_next_of_a_grid_is_the_first_that_was_not_tried():
    space = Space.parse({"a": {"type": "int", "low": 1, "high": 2}, "b": {**MODEL, "choices": [True, 1]}})
    tried = [{"a": 1, "b": True}, {"a": 2, "b": 1}]
    assert space.next_untried(tried) == {"a": 1, "b": 1}
    assert space.next_untried([]) == {"a": 1, "b": True}
    assert space.next_untried([*tried, {"a": 1, "b": 1}, {"a": 2, "b": True}]) is None


def test_a_difference_shows_values_as_they_are_written():
    old = {"a": {"type": "float", "low": 1e-05, "high": 0.1}, "b": {"type": "categorical", "choices": ["x"]}}
    new = {"a": {"type": "int", "low": 1, "high": 0.1, "log": True}, "b": {"type": "categorical", "choices": ["x", 1]}}
    assert difference(old, new) == [
        "a: type float -> int",
        "a: low 1e-05 -> 1",
        "a: log null -> true",
        'b: choices ["x"] -> ["x", 1]',
    ]
