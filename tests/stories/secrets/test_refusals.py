"""Addresses typed wrongly, or where none belongs: what is said of them has no secret."""

from __future__ import annotations

import pytest

from srexp.cli import run
from tests.stories.secrets.planted import ADDRESSES, MISTYPED, Watched

FORMS = list((ADDRESSES | MISTYPED).values())
#: Command lines with an address as it was typed, without Hydra's quotes: most of these Hydra can't read.
LINES = [
    *(["check", f"{key}={{}}"] for key in ("tracking.uri", "seed", "dataset", "+experiment", "no.such.key")),
    *(["check", f"{key}={{}}"] for key in ("tracking.artifacts", "model.depth")),
    ["check", "{}"],
    ["{}", "check"],
    ["check", "--config-dir={}"],
    ["check", "-m", f"tracking.uri={{}},{ADDRESSES['token']}", "seed=x,y"],
    ["check", "--cfg", "job", "--resolve", "run_name={}"],
]


def type_in(line: list[str], address: str) -> None:
    run([word.replace("{}", address) for word in line])


@pytest.mark.slow
def test_no_address_comes_out_of_a_refusal(watched: Watched) -> None:
    """Every line and every form; each with each is in the slow lane."""
    for number, line in enumerate(LINES):
        type_in(line, FORMS[number % len(FORMS)])
    assert watched.leaks() == []


@pytest.mark.slow
@pytest.mark.parametrize("address", FORMS)
def test_no_address_of_any_form_comes_out_of_any_refusal(address: str, watched: Watched) -> None:
    for line in LINES:
        type_in(line, address)
        assert watched.leaks() == [], line
