import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp.system.masking.redaction import mask
from srexp.tracking.store.parameters import MAX_KEY, MAX_VALUE, flatten, tag

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)),
)


@given(st.dictionaries(st.text(min_size=1, max_size=9), TREES, max_size=4))
def test_names_and_values_are_what_mlflow_takes(config):
    for name, value in flatten(config).items():
        assert re.fullmatch(r"[/\w.\- ]*", name)
        assert len(name) <= MAX_KEY
        assert isinstance(value, str)
        assert len(value) <= MAX_VALUE


def test_values_are_written_as_they_are_typed():
    config = {
        "a": {"b": {"c": 1e-4}},
        "deterministic": True,
        "limit": None,
        "filters": [64, 32],
        "empty": {},
        "name": "x",
    }
    assert flatten(config) == {
        "a.b.c": "0.0001",
        "deterministic": "true",
        "limit": "null",
        "filters": "[64, 32]",
        "empty": "{}",
        "name": "x",
    }


def test_long_values_show_that_they_were_cut():
    value = flatten({"regex": "x" * 10_000})["regex"]
    assert len(value) == MAX_VALUE
    assert value.endswith("…")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://ann:pa55@db:5432/runs", "postgresql://***@db:5432/runs"),
        ("postgresql+psycopg2://ann:p%40ss@db/runs", "postgresql+psycopg2://***@db/runs"),
        ("uri: 'https://token@host/x', other: 'http://b:c@d'", "uri: 'https://***@host/x', other: 'http://***@d'"),
        ("https://host/a?sig=abc&page=2&api_key=k", "https://host/a?sig=***&page=2&api_key=***"),
        ("https://host/a@b", "https://host/a@b"),
        ("mail ann@host", "mail ann@host"),
    ],
)
def test_credentials_are_blanked_and_nothing_else(text, masked):
    assert mask(text) == masked


def test_secrets_in_lists_and_tags_are_blanked_too():
    assert "pw" not in flatten({"mirrors": ["https://u:pw@h"]})["mirrors"]
    assert tag({"uri": "https://u:pw@h"}) == '{"uri": "https://***@h"}'
