"""No degradation: the low-resolution images of a paired data set are files of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from srexp.errors import RequestError
from srexp.types import Pixels


@dataclass(frozen=True, kw_only=True)
class Given:
    """The degradation of `dataset=paired`: none, for `low` comes from its own file.

    Args:
        name: Short name, part of the experiment's name.
    """

    name: str = "given"

    def degenerate(self, scale: int) -> bool:
        """Say that `low` is not `high`; the audit compares the pixels."""
        return False

    def halo(self, scale: int) -> int:
        """Give 0: nothing is computed."""
        return 0

    def __call__(self, high: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
        """Refuse, for there is nothing to make `low` from."""
        raise RequestError(
            "degradation=given makes no low-resolution images", fix="dataset=paired, or another degradation"
        )
