"""What decides the numbers of a run, and what doesn't."""

from __future__ import annotations

import dataclasses

import pytest
from omegaconf import OmegaConf

from srexp.config.compose import check, compose, composed
from srexp.config.identity import digest, identity, without_seed


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


def test_a_training_by_the_loss_alone_is_what_it_was_before_there_was_a_choice() -> None:
    config = compose("train", [])[0]
    assert "training" in config.resolved
    earlier = {key: value for key, value in config.resolved.items() if key != "training"}
    assert digest(dataclasses.replace(config, resolved=earlier)) == digest(config)
    assert of("training=adversarial") != of()


def test_a_run_that_measures_no_lpips_is_what_it_was_before_it_could() -> None:
    config = compose("train", [])[0]
    protocol = config.resolved["protocol"]
    assert protocol["lpips"] is None
    earlier = config.resolved | {"protocol": {key: value for key, value in protocol.items() if key != "lpips"}}
    assert digest(dataclasses.replace(config, resolved=earlier)) == digest(config)
    assert of("protocol.lpips=weights.npz") != of()


def test_the_images_do_and_their_place_does_not() -> None:
    here, there = (compose("train", ["dataset=folder", f"dataset.root=/{place}"])[0] for place in ("here", "there"))
    assert identity(here, "a") == identity(there, "a") != identity(there, "b")


def test_seeds_of_one_configuration_are_known_as_such() -> None:
    def of_all_but_the_seed(seed: int, **values: object) -> str:
        tree = composed("train", [])
        tree.seed = seed
        for key, value in values.items():
            OmegaConf.update(tree, key.replace("__", "."), value)
        return without_seed(tree, check(tree))

    first = of_all_but_the_seed(1)
    assert of_all_but_the_seed(2) == first
    assert of_all_but_the_seed(2, optimizer__lr=0.5) != first
    follows = [of_all_but_the_seed(seed, dataset__limit="${seed}") for seed in (1, 2)]
    assert follows[0] == follows[1] != first
    # A value for each seed is a configuration for each.
    own = [of_all_but_the_seed(seed, optimizer__lr="${srexp.by:${seed},{1:0.1,2:0.2}}") for seed in (1, 2)]
    assert own[0] != own[1]
