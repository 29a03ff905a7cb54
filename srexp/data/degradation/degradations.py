"""Degradations, the only place where pixels get worse: what they have in common, and the two plainest.

Those that model a machine are in `acquisition`, their compositions in `chain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Protocol

import numpy as np

from srexp.data.degradation.imresize import REACH, resize
from srexp.errors import RequestError
from srexp.types import Pixels


class Degradation(Protocol):
    """What makes `low` from `high`: a pure function of the image, the scale and the random numbers it is given."""

    @property
    def name(self) -> str:
        """Short name; part of the experiment's name."""

    def degenerate(self, scale: int) -> bool:
        """Say whether `low` equals `high`, so that nothing is left to restore.

        Args:
            scale: Factor between `high` and `low`.
        """

    def halo(self, scale: int) -> int:
        """Say how far around a region the image must be known for its `low` to be that of the whole image.

        Args:
            scale: Factor between `high` and `low`.

        Returns:
            High-resolution pixels, a multiple of `scale`.

        Raises:
            RequestError: The degradation has no such scale.
        """

    def __call__(self, high: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
        """Degrade one image.

        Args:
            high: (h, w, c), float32 in [0, 1].
            scale: Factor between `high` and `low`.
            rng: Source of what is random; deterministic degradations leave it alone.

        Returns:
            `low`, (ceil(h / scale), ceil(w / scale), c), float32, not rounded to a bit depth and not clipped.

        Raises:
            RequestError: The degradation has no such scale.
        """


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """Base of the degradations that reduce by antialiased bicubic interpolation.

    Args:
        name: Short name.
    """

    name: str

    largest_scale: ClassVar[int] = 4

    def degenerate(self, scale: int) -> bool:
        """Say that `low` differs from `high` at any scale."""
        return False

    def halo(self, scale: int) -> int:
        """Give the reach of the reduction."""
        require_scale(self.name, scale, largest=self.largest_scale)
        return 0 if scale == 1 else REACH * scale

    def __call__(self, high: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
        """Degrade an image."""
        require_scale(self.name, scale, largest=self.largest_scale)
        return self._degraded(high, scale, rng)

    def _degraded(self, high: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
        """Degrade an image at a scale that exists."""
        return reduced(high, scale)


@dataclass(frozen=True, kw_only=True)
class Bicubic(Reduction):
    """MATLAB-compatible antialiased bicubic reduction, see `srexp.data.degradation.imresize`.

    Example:
        >>> Bicubic()(np.ones((5, 8, 1), np.float32), 2, np.random.default_rng()).shape
        (3, 4, 1)
    """

    name: str = "bicubic"

    largest_scale = 8

    def degenerate(self, scale: int) -> bool:
        """Say whether `low` equals `high`: at scale 1 there is nothing to reduce."""
        return scale == 1


@dataclass(frozen=True, kw_only=True)
class Identity(Reduction):
    """`low` is `high`: kept to repeat a published table and show what it is worth. Such runs are marked degenerate.

    Args:
        name: Short name.
    """

    name: str = "identity"

    largest_scale = 1

    def degenerate(self, scale: int) -> bool:
        """Say that `low` equals `high`."""
        return True


def reduced(high: Pixels, scale: int) -> Pixels:
    """Reduce an image by antialiased bicubic interpolation.

    Args:
        high: (h, w, c), float32.
        scale: Whole factor from 1.

    Returns:
        (ceil(h / scale), ceil(w / scale), c), float32.
    """
    return high if scale == 1 else resize(high, scale=Fraction(1, scale))


def quantize(pixels: Pixels, bits: int) -> Pixels:
    """Round pixels to what their bit depth can store.

    Args:
        pixels: Any shape, float32 with 0 as black and 1 as white; values beyond are clipped.
        bits: Stored bit depth.

    Returns:
        The pixels in steps of 1 / (2**bits - 1), float32 in [0, 1]; halves are rounded up, as MATLAB does.

    Example:
        >>> quantize(np.array([[[-0.1], [0.3], [1.2]]], np.float32), bits=1).ravel().tolist()
        [0.0, 0.0, 1.0]
    """
    white = np.float32(2**bits - 1)
    levels: Pixels = np.floor(np.clip(pixels, 0, 1) * white + np.float32(0.5))
    return levels / white


def require_scale(name: str, scale: int, *, largest: int) -> None:
    """Refuse a scale that a degradation doesn't have.

    Args:
        name: Name of the degradation.
        scale: Factor between `high` and `low`.
        largest: The largest it has.

    Raises:
        RequestError: `scale` is not between 1 and `largest`.
    """
    if not 1 <= scale <= largest:
        raise RequestError(
            f"degradation={name} has no such scale",
            got=scale,
            expected="scale=1" if largest == 1 else f"a whole number from 1 to {largest}",
            fix=f"scale={min(max(scale, 1), largest)}, or another degradation",
        )
