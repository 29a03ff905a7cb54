"""The networks of `conf/model`, as they are configured or thin, for tests that hold all of them to one contract."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import pytest
from omegaconf import OmegaConf

from srexp.config.builders import locate

FOLDER = Path(__file__).parent.parent / "conf" / "model"
MODELS = sorted(path.stem for path in FOLDER.glob("*.yaml"))

#: Of which all settings are tried in the fast lane.
QUICK = ("srcnn", "vdsr", "hybrid", "espcn")

#: Values of the keys that decide how much a network computes; its depth is also how far it sees.
NARROW = {"wide": 8, "width": 16, "blocks": 2}
SHALLOW = {"depth": 4, "modules": 2, "units": 1, "stages": 1}


@cache
def _said(model: str) -> Any:
    return OmegaConf.load(FOLDER / f"{model}.yaml")


def options(model: str, **changed: Any) -> dict[str, Any]:
    """Give what a network's YAML file says, and what is changed of it."""
    given: Any = OmegaConf.to_container(_said(model))
    return {**given, **changed}


def narrow(model: str) -> dict[str, int]:
    """Give the options by which a network has few features."""
    return {key: value for key, value in NARROW.items() if key in options(model)}


def thin(model: str) -> dict[str, int]:
    """Give the options by which a network has few features and few layers."""
    return narrow(model) | {key: value for key, value in SHALLOW.items() if key in options(model)}


def built(model: str, scale: int, channels: int, **changed: Any) -> keras.Model:
    """Build a network of `conf/model`."""
    given = options(model, **changed)
    network: keras.Model = locate("model", given.pop("_target_"))(scale=scale, channels=channels, **given)
    return network


def cases(first: Any, *others: Any) -> list[Any]:
    """Pair networks and settings; all but the first setting are for the lane `slow`, but of QUICK networks."""
    return [
        pytest.param(model, each, marks=[] if each == first or model in QUICK else pytest.mark.slow)
        for model in MODELS
        for each in (first, *others)
    ]


def first_quick(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Leave all rows but the first to the lane `slow`."""
    return [pytest.param(*row, marks=pytest.mark.slow if i else []) for i, row in enumerate(rows)]
