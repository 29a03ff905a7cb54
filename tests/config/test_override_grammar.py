"""Overrides are taken apart and read as Hydra itself does it, and what is no override is let through."""

from __future__ import annotations

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from srexp.config.override_grammar import key_of, override, parse, typed
from srexp.errors import RequestError

SIGNS = {"CHANGE": "", "ADD": "+", "FORCE_ADD": "++", "DEL": "~"}


@pytest.mark.parametrize(
    "override",
    [
        "optimizer.lr=1e-4",
        "+tags.note='a=b, {c}'",
        "++trainer.epochs=3",
        "~schedule",
        "~model.depth=3",
        "model@teacher=vdsr",
        "+experiment=mine",
        "hydra/launcher=joblib",
        "dataset.root='/some/where @ home'",
        "seed=1,2,3",
        "run_name=",
    ],
)
def test_hydra_reads_the_same(override: str) -> None:
    known = OverridesParser.create().parse_override(override)
    sign, key, value = parse(override)
    assert (sign, key) == (SIGNS[known.type.name], known.key_or_group)
    assert (value or "") == override.partition("=")[2]


@pytest.mark.parametrize("word", ["-m", "--cfg", "job", "", "+", "a b"])
def test_what_is_no_override_has_no_value(word: str) -> None:
    assert parse(word).value is None
    assert key_of(word) == word.lstrip("+")


def test_a_value_may_have_several_lines() -> None:
    assert parse("tags.note='a\nb=c'") == ("", "tags.note", "'a\nb=c'")


TEXTS = st.text(max_size=8) | st.text(alphabet="ü日'\"=,{}[]()$\\ \n\t~+:@#%1e.-_", max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
KEYS = st.from_regex(r"[A-Z_][A-Za-z0-9_-]{0,5}", fullmatch=True).filter(
    lambda key: key.lower() not in ("null", "true", "false", "inf", "nan")
)
VALUES = st.recursive(
    LEAVES, lambda each: st.lists(each, max_size=3) | st.dictionaries(KEYS, each, max_size=3), max_leaves=6
)


@given(VALUES)
@example("nan")
@example("1_000")
@example("Null")
@example("")
@example(" ")
@example("\\")
@example("a\\'")
@example("${oc.env:HOME}")
@example("/data/größe/日本")
@example("choice(1,2)")
@example("2024")
@example({"A": [{"B": "x:y"}, None, "0x10"]})
def test_what_is_written_hydra_reads_as_the_same_value(value: object) -> None:
    written = override("a.b", value)
    assert repr(OverridesParser.create().parse_override(written).value()) == repr(value)
    assert shlex.split(typed([written], verb="check"))[-1] == written


@pytest.mark.parametrize(
    ("key", "value"), [("tags.größe", 1), ("tags.x y", 1), ("tags.x", {"größe": 1}), ("", {"1": 2})]
)
def test_a_key_that_hydra_cannot_read_is_refused(key: str, value: object) -> None:
    with pytest.raises(RequestError, match="can't be written as an override"):
        override(key, value)


def test_numbers_of_numpy_are_numbers() -> None:
    import numpy as np

    assert override("x", [np.float32(0.5), np.int64(3), (1, 2)]) == "x=[0.5,3,[1,2]]"
