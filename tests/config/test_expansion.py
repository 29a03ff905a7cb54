"""A page of interpolations can't become gigabytes of text."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from srexp.config.compose import compose
from srexp.config.expansion import MOST_CHARACTERS, require_bounded
from srexp.errors import RequestError


@pytest.mark.parametrize("each", ["${tags.bN}${tags.bN}", "${.bN}_${.bN}", "${srexp.by:${tags.bN},{x:1}}${..tags.bN}"])
def test_doublings_are_refused_before_they_are_made(each: str) -> None:
    tags = {f"b{index}": each.replace("N", str(index - 1)) for index in range(1, 40)}
    with pytest.raises(RequestError, match="too often"):
        require_bounded(OmegaConf.create({"tags": {"b0": "x", **tags}}))


def test_doublings_of_mappings_are_refused() -> None:
    tags = {f"b{index}": {"x": f"${{tags.b{index - 1}}}", "y": [f"${{tags.b{index - 1}}}"]} for index in range(1, 40)}
    with pytest.raises(RequestError, match="too often"):
        require_bounded(OmegaConf.create({"tags": {"b0": {"x": "x"}, **tags}}))


def test_chains_without_end_are_refused() -> None:
    with pytest.raises(RequestError, match="too often"):
        require_bounded(
            OmegaConf.create({"b0": "x", **{f"b{index}": f"${{b{index - 1}}}" for index in range(1, 3000)}})
        )


def test_what_names_itself_is_left_to_who_resolves_it() -> None:
    require_bounded(OmegaConf.create({"a": "${b}", "b": "${a}", "c": "${nothing.here}", "d": "x" * 1000}))


def test_length_is_that_of_what_is_resolved() -> None:
    half = "x" * (MOST_CHARACTERS // 2)
    require_bounded(OmegaConf.create({"a": half, "b": "y"}))
    with pytest.raises(RequestError):
        require_bounded(OmegaConf.create({"a": half, "b": "${a}"}))


def test_a_composition_is_bounded() -> None:
    doubled = [f"+tags.b{index}='${{tags.b{index - 1}}}${{tags.b{index - 1}}}'" for index in range(1, 40)]
    with pytest.raises(RequestError, match="too often"):
        compose("train", ["+tags.b0=x", *doubled])
