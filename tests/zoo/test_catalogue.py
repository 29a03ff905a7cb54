"""The networks of the package are what their cards say."""

from __future__ import annotations

import re

import pytest

from srexp.cli import run
from srexp.system.files.digests import sha256
from srexp.zoo.catalogue import Shipped, shipped, unknown_network

NETWORKS = list(shipped().values())


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.name)
def test_a_card_says_what_one_must_know(network: Shipped) -> None:
    card = network.card()
    assert card["sha256"] == sha256(network.network)
    for word in ("about", "images", "licence", "source", "limits", "machine", "command"):
        assert len(card[word]) > 8
    assert card["multiply_adds_per_megapixel"] > 1e9
    assert card["command"].startswith("python -m srexp ")
    assert "/" not in re.sub(r"\b(hydra|zoo)/", "", card["command"])  # no folder of whoever trained
    assert card["facts"]["dataset.intensity"] in ("bits", "window", "percentile")
    assert set(card["facts"]) >= {"model", "protocol.channel", "degradation.name", "attribution"}


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.name)
def test_it_is_better_than_bicubic_where_that_was_to_be_shown(network: Shipped) -> None:
    """On the patients that it hasn't seen, whole and in the middle, and on two groups from elsewhere."""
    card = network.card()
    own = [score for score in card["scores"] if score["task"] == card["facts"]["task"]]
    assert {score["part"].split()[0] for score in own} == {"whole", "centre"}
    assert all(score["gain_ci95"][0] > 0 and score["images"] >= 15 for score in own)
    elsewhere = [score for score in card["scores"] if score not in own and score["gain_ci95"]]
    assert sum(score["gain_ci95"][0] > 0 for score in elsewhere) >= 2
    if any(score["gain_ci95"][1] < 0 for score in elsewhere):
        assert "worse than bicubic" in card["limits"]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.name)
def test_what_it_saw_is_known(network: Shipped) -> None:
    seen = network.seen()
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in seen)
    assert set(seen.values()) == {"train", "validation"}


def test_all_of_them_are_small() -> None:
    assert NETWORKS
    assert sum(each.network.stat().st_size for each in NETWORKS) < 10e6


def test_the_list_names_each_in_a_line() -> None:
    told = str(unknown_network("zoo")).splitlines()
    assert [line.split()[0] for line in told if "weights" in line] == [each.address for each in NETWORKS]
    assert "did you mean zoo/hybrid-cxr-x2?" in str(unknown_network("zoo/hybird-cxr-x2"))


@pytest.mark.parametrize("verb", ["enhance", "evaluate", "export", "serve"])
def test_who_asks_for_the_list_needs_to_say_nothing_else(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "model_uri=zoo"]) == 2
    listed = [line.split()[0] for line in capsys.readouterr().err.splitlines() if line.startswith("  zoo/")]
    assert listed == [each.address for each in NETWORKS]
