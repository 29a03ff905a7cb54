"""What decides the numbers of a run, and what doesn't."""

from __future__ import annotations

import pytest

from srexp.config.compose import compose
from srexp.config.identity import identity


def of(*typed: str) -> str:
    return identity(compose("train", list(typed))[0], "f" * 64)


@pytest.mark.parametrize(
    "typed", ["run_name=x", "+tags.by=me", "paths.root=/elsewhere", "tracking.max_images=0", "checkpoint.minutes=1"]
)
def test_places_and_names_decide_nothing(typed: str) -> None:
    assert of(typed) == of()


@pytest.mark.parametrize("typed", ["seed=7", "optimizer.lr=1e-3", "model=vdsr", "trainer.epochs=2", "dataset.limit=3"])
def test_everything_else_does(typed: str) -> None:
    assert of(typed) != of()


def test_the_images_do_and_their_place_does_not() -> None:
    here, there = (compose("train", ["dataset=folder", f"dataset.root=/{place}"])[0] for place in ("here", "there"))
    assert identity(here, "a") == identity(there, "a") != identity(there, "b")
