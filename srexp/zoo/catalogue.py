"""Which networks come with the package, and what is known of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srexp.errors import RequestError, did_you_mean

#: What an address of such a network begins with; alone, it asks for the list.
ZOO = "zoo"
_NETWORKS = Path(__file__).parent / "networks"


@dataclass(frozen=True, slots=True)
class Shipped:
    """A network of the package.

    Args:
        name: Such as `hybrid-cxr-x2`.
        folder: Where its files are.
    """

    name: str
    folder: Path = _NETWORKS

    @property
    def address(self) -> str:
        """Its `model_uri`."""
        return f"{ZOO}/{self.name}"

    @property
    def network(self) -> Path:
        """The Keras file."""
        return self.folder / f"{self.name}.keras"

    def card(self) -> Mapping[str, Any]:
        """What it was trained on and by which command, its digest, figures, limits, and what they allow.

        `facts` among it is what the store knows of a registered model.
        """
        card: Mapping[str, Any] = json.loads((self.folder / f"{self.name}.json").read_text(encoding="utf-8"))
        return card

    def seen(self) -> dict[str, str]:
        """SHA-256 of each image that it was trained on or chosen by, to `train` or `validation`."""
        with (self.folder / f"{self.name}.csv").open(encoding="utf-8", newline="") as file:
            return {row["sha256"]: row["split"] for row in csv.DictReader(file)}


def shipped() -> dict[str, Shipped]:
    """Give the networks of the package by their names.

    Example:
        >>> shipped()["hybrid-cxr-x2"].address
        'zoo/hybrid-cxr-x2'
    """
    return {name: Shipped(name) for name in sorted(path.stem for path in _NETWORKS.glob("*.keras"))}


def unknown_network(uri: str) -> RequestError:
    """Refuse an address that is none of theirs, and say in a line each what they are.

    Args:
        uri: The `model_uri`; `zoo` alone asks for the list.

    Returns:
        What to raise.
    """
    known = {each.address: each for each in shipped().values()}
    return RequestError(
        "these networks come with the package" if uri == ZOO else "the package brings no such network",
        lines=[f"{address:{max(map(len, known))}}  {each.card()['about']}" for address, each in known.items()],
        got=uri,
        expected="one of them",
        fix=did_you_mean(uri, known) or f"model_uri={next(iter(known))}",
    )
