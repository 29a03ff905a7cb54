"""Augmentation: where a training patch is cut out of an image, how it is turned, and whether it is resampled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.data.degradation.imresize import REACH, mirrored
from srexp.errors import RequestError

#: One image, (h, w, c), stored integers or floats; an augmentation keeps the range.
Raster: TypeAlias = npt.NDArray[Any]


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
        return turned(patch, rng, flips=self.flips, turns=self.turns)


@dataclass(frozen=True, kw_only=True)
class Affine:
    """Patches zoomed, stretched, rotated, turned and mirrored, in one bicubic resampling.

    The source is smoothed before it shrinks, as much as scikit-image's `resize` does. Resampling softens the target
    that is learnt, which `Dihedral` does not.

    Args:
        name: Short name.
        zoom: Largest factor of magnification and of reduction; 1: none.
        stretch: Largest ratio of the two axes' magnifications; 1: none.
        rotation: Largest angle in degrees, either way.
        flips: Mirror left and right.
        turns: Turn by 0, 90, 180 or 270 degrees on top.

    Raises:
        RequestError: A value lies outside its range.
    """

    name: str = "paper"
    zoom: float = 1.25
    stretch: float = 1.1
    rotation: float = 10.0
    flips: bool = True
    turns: bool = True

    def __post_init__(self) -> None:
        """Refuse strengths that mean nothing."""
        for key, least, most in (("zoom", 1, 4), ("stretch", 1, 4), ("rotation", 0, 180)):
            value = getattr(self, key)
            if not least <= value <= most:
                raise RequestError(f"augmentation.{key} is out of range", got=value, expected=f"{least} to {most}")

    def cut(self, image: Raster, size: int, rng: np.random.Generator, *, margin: int = 0, align: int = 1) -> Raster:
        """Resample a patch at a random place; `align` means nothing between the pixels."""
        zoom = self.zoom ** rng.uniform(-1, 1)
        stretch = self.stretch ** rng.uniform(-0.5, 0.5)
        angle = math.radians(rng.uniform(-self.rotation, self.rotation))
        rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        shape = np.array(image.shape[:2])
        # The patch with its corners must lie inside the image: a small image is shrunk less than was drawn.
        reach = size / 2 * np.abs(rotation).sum(axis=1)
        magnified = np.maximum([zoom * stretch, zoom / stretch], 2 * reach / shape)
        free = shape - 2 * reach / magnified
        centre = reach / magnified + rng.random(2) * free - 0.5
        patch = _resampled(image, size + 2 * margin, centre, rotation / magnified[:, None])
        return turned(patch, rng, flips=self.flips, turns=self.turns)


def turned(patch: Raster, rng: np.random.Generator, *, flips: bool, turns: bool) -> Raster:
    """Turn a patch by quarters and mirror it, each of the eight symmetries equally likely.

    Args:
        patch: (h, h, c).
        rng: Source of randomness; one number is taken, whatever is allowed.
        flips: Mirroring is allowed.
        turns: Turning is allowed.

    Returns:
        A view of the patch.
    """
    symmetry = int(rng.integers(8))
    if turns:
        patch = np.rot90(patch, symmetry % 4)
    return patch[:, ::-1] if flips and symmetry >= 4 else patch  # noqa: PLR2004 the upper half of eight


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


def _resampled(image: Raster, size: int, centre: npt.NDArray[np.float64], matrix: npt.NDArray[np.float64]) -> Raster:
    """Resample a square around a place of an image, mirrored beyond the borders, by Keys' cubic kernel.

    Args:
        image: (h, w, c).
        size: Side of the square in output pixels.
        centre: Row and column of its middle in the image.
        matrix: (2, 2), a step in the output to a step in the image.

    Returns:
        (size, size, c), float32, within the range of the source pixels.
    """
    from scipy.ndimage import gaussian_filter1d

    # What a step in the output skips along each axis of the image; above 1 the image shrinks.
    skipped = np.linalg.norm(matrix, axis=1)
    reach = np.ceil(np.abs(matrix).sum(axis=1) * size / 2 + 2 * skipped + REACH).astype(int)
    corner = np.floor(centre).astype(int) - reach
    source = window(image, (int(corner[0]), int(corner[1])), tuple(2 * reach + 1), margin=0).astype(np.float32)
    for axis in (0, 1):
        if skipped[axis] > 1:
            source = gaussian_filter1d(source, (skipped[axis] - 1) / 2, axis=axis, mode="reflect")
    steps = np.indices((size, size)).reshape(2, -1) - (size - 1) / 2
    place = (centre - corner)[:, None] + matrix @ steps
    first = np.floor(place)
    across, along = _taps(place - first)
    flat, width = source.reshape(-1, source.shape[2]), source.shape[1]
    start = (first[0] * width + first[1]).astype(int)
    total = np.zeros((size * size, source.shape[2]), np.float32)
    for row, weight in enumerate(across, start=-1):
        for column, other in enumerate(along, start=-1):
            total += (weight * other)[:, None] * flat.take(start + (row * width + column), axis=0)
    # Bicubic weights overshoot at edges; what was not there before is not let in.
    return np.clip(total, source.min(), source.max()).reshape(size, size, -1)


def _taps(fraction: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Give Keys' weights of the four pixels around each place (his equation 8).

    Args:
        fraction: (2, n), distances from the pixel before, in [0, 1), for both axes.

    Returns:
        (2, 4, n), float32: for each axis the weights of the pixels at -1, 0, 1, 2.
    """
    of_powers = np.array([[0, -1, 2, -1], [2, 0, -5, 3], [0, 1, 4, -3], [0, 0, -1, 1]], np.float32) * np.float32(0.5)
    t = fraction.astype(np.float32)
    return np.asarray(of_powers @ np.stack([np.ones_like(t), t, t * t, t * t * t], axis=1))
