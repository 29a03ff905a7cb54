"""A configuration as MLflow parameters: flat names, values within MLflow's limits, no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from srexp.system.masking.redaction import masked

MAX_KEY = 250
MAX_VALUE = 6000
MAX_TAG = 8000


def shorten(text: str, length: int) -> str:
    """Cut a text to a length, with an ellipsis where something is missing.

    Example:
        >>> shorten("abcdef", 4)
        'abc…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"


def tag(value: object) -> str:
    """Write a value as an MLflow tag: within its limit, without credentials.

    Example:
        >>> tag({"shave": 2}), tag(True), tag("samples")
        ('{"shave": 2}', 'true', 'samples')
    """
    return shorten(_written(value), MAX_TAG)


def flatten(config: Mapping[str, object]) -> dict[str, str]:
    """Turn a nested configuration into MLflow parameters.

    Keys are joined by dots, the way they are typed on the command line, and so are the values written: `null`,
    `true`, `[1, 2]`. What MLflow doesn't allow in a name becomes an underscore; long values are cut, for the
    configuration is also kept whole as an artifact.

    Args:
        config: Resolved configuration of mappings, lists and scalars.

    Returns:
        Name to value, in the configuration's order.

    Example:
        >>> flatten({"model": {"name": "vdsr", "depth": 20}, "limit": None, "fractions": [0.8, 0.2]})
        {'model.name': 'vdsr', 'model.depth': '20', 'limit': 'null', 'fractions': '[0.8, 0.2]'}
    """
    return {
        shorten(re.sub(r"[^\w\-./ ]", "_", key), MAX_KEY): shorten(_written(value), MAX_VALUE)
        for key, value in _leaves(config, "")
    }


def _leaves(value: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key, child in value.items():
        name = f"{prefix}{key}"
        if isinstance(child, Mapping) and child:
            yield from _leaves(child, f"{name}.")
        else:
            yield name, child


def _written(value: object) -> str:
    safe = masked(value)
    return safe if isinstance(safe, str) else json.dumps(safe, default=str, ensure_ascii=False)
