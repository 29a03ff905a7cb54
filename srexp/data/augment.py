"""Augmentation: where a training patch is cut out of an image, and how it is turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.data.resize import mirrored

Raster: TypeAlias = npt.NDArray[Any]
"""One image, (h, w, c), stored integers or floats; an augmentation keeps the range."""


class Augmentation(Protocol):
    """What cuts a patch out of an image, with a margin that the degradation needs to see."""

    @property
    def name(self) -> str:
        """Short name."""

    def cut(self, image: Raster, size: int, rng: np.random.Generator, *, margin: int = 0, align: int = 1) -> Raster:
        """Cut one patch.

        Args:
            image: (h, w, c), at least `size` x `size`.
            size: Side of the patch.
            rng: Source of what is random.
            margin: Pixels around the patch; beyond the image they continue it mirrored.
            align: The patch starts at a multiple of it, so that its `low` falls on the pixels of the image's `low`.

        Returns:
            (size + 2 margin, size + 2 margin, c), the patch in the middle, in the range of `image`.
        """


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Patches as they lie in the image.

    Args:
        name: Short name.
    """

    name: str = "none"

    def cut(self, image: Raster, size: int, rng: np.random.Generator, *, margin: int = 0, align: int = 1) -> Raster:
        """Cut a patch at a random place."""
        return window(image, random_corner(image, size, align, rng), (size, size), margin)


@dataclass(frozen=True, kw_only=True)
class Dihedral:
    """Patches turned by quarters and mirrored: the eight symmetries of the square, equally likely, nothing resampled.

    Args:
        name: Short name.
        flips: Mirror left and right.
        turns: Turn by 0, 90, 180 or 270 degrees.
    """

    name: str = "dihedral"
    flips: bool = True
    turns: bool = True

    def cut(self, image: Raster, size: int, rng: np.random.Generator, *, margin: int = 0, align: int = 1) -> Raster:
        """Cut a patch at a random place and turn it."""
        patch = window(image, random_corner(image, size, align, rng), (size, size), margin)
        symmetry = int(rng.integers(8))
        if self.turns:
            patch = np.rot90(patch, symmetry % 4)
        return patch[:, ::-1] if self.flips and symmetry >= 4 else patch  # noqa: PLR2004 the upper half of eight


def random_corner(image: Raster, size: int, align: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the top left pixel of a patch that lies wholly inside an image.

    Args:
        image: (h, w, c).
        size: Side of the patch.
        align: Top and left are multiples of it.
        rng: Source of randomness.

    Returns:
        Top and left.
    """
    rows, columns = ((length - size) // align + 1 for length in image.shape[:2])
    return int(rng.integers(rows)) * align, int(rng.integers(columns)) * align


def window(image: Raster, corner: tuple[int, int], size: tuple[int, int], margin: int) -> Raster:
    """Cut a window with a margin; beyond the borders the image continues mirrored, as it does for `resize`.

    Args:
        image: (h, w, c).
        corner: Top row and left column of the window.
        size: Height and width of the window.
        margin: Pixels added on all four sides.

    Returns:
        (height + 2 margin, width + 2 margin, c); a view of `image` where it lies wholly inside.

    Example:
        >>> window(np.arange(4).reshape(1, 4, 1), (0, 2), (1, 2), 1)[0].ravel().tolist()
        [1, 2, 3, 3]
    """
    for axis, (start, length) in enumerate(zip(corner, size, strict=True)):
        first, last = start - margin, start + length + margin
        if first >= 0 and last <= image.shape[axis]:
            image = image[first:last] if axis == 0 else image[:, first:last]
        else:
            image = image.take(mirrored(np.arange(first, last), image.shape[axis]), axis=axis)
    return image
