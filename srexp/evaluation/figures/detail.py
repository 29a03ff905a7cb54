"""Which part of an image is shown enlarged: the place of the largest difference that is worth a look."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.types import Pixels

DETAIL = 112  # pixels of the target in a detail: drawn three times as large, and whole in low resolution at x2 and x4
SPOT = 8  # large enough for noise to average out, small enough for a line or an edge to win
BORDER = 5  # one part in so many at each side: edges of the film and of the field of exposure, and most markers
REACH = 16  # pixels around a saturated one: an error at the rim of a clip lies beside it
STEP = 0.1  # part of what is displayed, from a pixel to the next: no anatomy of a radiograph is as hard
RARE = 5e-4  # share of the pixels; where more steps are as hard, as in CT and photographs, they are what is shown
BAND = 256  # rows of a large image that are worked on at a time

#: Rows and columns.
Square: TypeAlias = tuple[slice, slice]


def worst_square(
    error: npt.NDArray[np.float32], image: Pixels, limits: tuple[float, float], *, scale: int, side: int = DETAIL
) -> Square:
    """Centre a square on the spot with the largest mean error, on the low-resolution grid.

    Left out is the outer fifth at each side, and what lies near a saturated pixel, drawn black or white, or near one of
    few hard edges: metal, burnt-in letters and air have the hardest edges of a radiograph and would win on each. Where
    no other spot is left, those near them count.

    Args:
        error: (h, w), absolute error.
        image: The image that says what is saturated, (h, w, c).
        limits: What of it is drawn black and what white.
        scale: Corner and side are multiples of it.
        side: Largest side of the square, in pixels.

    Returns:
        Rows and columns of the square.

    Example:
        >>> error, image = np.zeros((300, 300), np.float32), np.full((300, 300, 1), 0.5, np.float32)
        >>> error[200, 100] = error[0, 0] = 1
        >>> rows, columns = worst_square(error, image, (0, 1), scale=2)
        >>> rows.start <= 200 < rows.stop and columns.start <= 100 < columns.stop
        True
    """
    spot = min(SPOT, *error.shape)
    top, left = _worst_spot(error, spot, _foreign(image, limits)) or _worst_spot(error, spot) or (0, 0)
    return square_at((top + spot // 2, left + spot // 2), error.shape, scale=scale, side=side)


def square_at(place: tuple[int, int], shape: tuple[int, ...], *, scale: int, side: int = DETAIL) -> Square:
    """Put a square around a pixel, within the image and on the low-resolution grid.

    Args:
        place: Row and column of the pixel.
        shape: Height and width of the image, and whatever follows.
        scale: Corner and side are multiples of it.
        side: Largest side of the square, in pixels.

    Example:
        >>> square_at((5, 90), (100, 100), scale=2, side=20)
        (slice(0, 20, None), slice(80, 100, None))
    """
    side = max(scale, min(side, *shape[:2]) // scale * scale)
    rows, columns = (
        max(0, min(middle - side // 2, length - side)) // scale * scale
        for middle, length in zip(place, shape[:2], strict=True)
    )
    return slice(rows, rows + side), slice(columns, columns + side)


def in_low(square: Square, scale: int) -> Square:
    """Give the square that a square of the target covers in the degraded image."""
    rows, columns = (slice(part.start // scale, part.stop // scale) for part in square)
    return rows, columns


def _inside(length: int, spot: int) -> range:
    """Give where a spot off the border may begin."""
    first = min(length // BORDER, (length - spot) // 2)
    return range(first, length - spot + 1 - first)


def _worst_spot(
    error: npt.NDArray[np.float32], spot: int, foreign: npt.NDArray[np.bool_] | None = None
) -> tuple[int, int] | None:
    """Find the worst spot off the border and away from what is foreign; None where there is none."""
    rows, columns = (_inside(length, spot) for length in error.shape)
    worst, place = -1.0, None
    for top in rows[::BAND]:  # a float64 of the whole of a large image would be most of what a command takes
        bottom = min(top + BAND, rows.stop) + spot - 1
        sums = _spots(error[top:bottom], spot)
        if foreign is not None:
            sums[_spots(_near(foreign, top, bottom), spot) > 0] = -1
        sums = sums[:, columns.start : columns.stop]
        row, column = np.unravel_index(sums.argmax(), sums.shape)
        if sums[row, column] > worst:
            worst, place = float(sums[row, column]), (top + int(row), columns.start + int(column))
    return place


def _foreign(image: Pixels, limits: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """Mark the pixels that are drawn black or white and, where they are rare, those at hard edges."""
    saturated = np.asarray(((image <= limits[0]) | (image >= limits[1])).any(axis=-1))
    hard, step = np.zeros_like(saturated), STEP * (limits[1] - limits[0])
    for top in range(0, len(image), BAND):
        part, marked = image[top : top + BAND + 1], hard[top : top + BAND + 1]
        marked[1:] |= (np.abs(np.diff(part, axis=0)) > step).any(axis=-1)
        marked[:, 1:] |= (np.abs(np.diff(part, axis=1)) > step).any(axis=-1)
    inside = tuple(slice(each.start, each.stop) for each in (_inside(length, 1) for length in hard.shape))
    return saturated | hard if hard[inside].mean() < RARE else saturated


def _near(foreign: npt.NDArray[np.bool_], top: int, bottom: int) -> npt.NDArray[np.bool_]:
    """Mark what is foreign in some rows, and the pixels around it."""
    from scipy.ndimage import maximum_filter

    first = max(0, top - REACH)
    near: npt.NDArray[np.bool_] = maximum_filter(foreign[first : bottom + REACH], size=2 * REACH + 1, mode="constant")
    return near[top - first : bottom - first]


def _spots(values: npt.NDArray[np.generic], spot: int) -> npt.NDArray[np.float64]:
    """Sum every square of `spot` pixels."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    return sums[spot:, spot:] - sums[:-spot, spot:] - sums[spot:, :-spot] + sums[:-spot, :-spot]
