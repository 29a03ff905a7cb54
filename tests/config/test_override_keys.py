"""Overrides are taken apart as Hydra itself does it, and what is no override is let through."""

from __future__ import annotations

import pytest

from srexp.config.override_keys import key_of, parse

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
    from hydra.core.override_parser.overrides_parser import OverridesParser

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
