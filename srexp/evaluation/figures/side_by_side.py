"""What a model made of an image without a target: beside plain interpolation, and where the two differ."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from srexp.evaluation.figures.detail import BAND, worst_square
from srexp.evaluation.figures.error_maps import error_map
from srexp.evaluation.figures.panel import CELL, TALLEST, Page, shown, window
from srexp.types import Figure, Pixels

_LONGEST_NAME = 40  # in the width of a picture


def side_by_side(
    low: Pixels,
    interpolate: Callable[[slice], Pixels],
    restored: Pixels,
    *,
    title: str,
    model_name: str,
) -> Figure:
    """Show an image interpolated and restored, and the difference of the two.

    First row: the whole image, reduced. Second row: the place where they differ most, each pixel enlarged without
    smoothing. The difference says where a model acts, not whether it is right: there is no target.

    Args:
        low: The image that was given, (h, w, c).
        interpolate: Which rows to give of its bicubic interpolation, (h * scale, w * scale, c): a large one is never
            in memory as a whole.
        restored: The model's output, of the same shape.
        title: What the image is.
        model_name: Name of the model.

    Returns:
        Figure of 1084 pixels by about 950, depending on the image's proportions.
    """
    scale = restored.shape[0] // low.shape[0]
    pictures, difference, everywhere = _overview(interpolate, restored)
    square = worst_square(difference, restored, everywhere, scale=scale)
    page = Page(restored.shape, square, rows=("whole", "detail"))
    page.title(
        title,
        "Display: from the interpolated image's 0.5 to its 99.5 percentile, row by row.",
    )
    details = [interpolate(square[0])[:, square[1]], restored[square]]
    there = window(details[0])
    names = [f"bicubic, from {low.shape[0]} x {low.shape[1]}", model_name[-_LONGEST_NAME:]]
    for column, (picture, detail) in enumerate(zip(pictures, details, strict=True)):
        page.whole(0, column, shown(picture, everywhere), names[column])
        page.detail(1, column, shown(detail, there), f"{names[column].split(',')[0]}, detail")
    inside = difference[square]
    page.whole(0, 2, difference, f"|restored - bicubic|\nmean {difference.mean():.2f} grey levels")
    page.detail(1, 2, inside, f"the same, detail: mean {inside.mean():.2f}")
    page.scale_bar("Grey levels of 255, one fixed scale\nfor all images. Warmer is larger.")
    return page.figure


def _overview(
    interpolate: Callable[[slice], Pixels], restored: Pixels
) -> tuple[list[Pixels], npt.NDArray[np.float32], tuple[float, float]]:
    """Give the two images not much larger than on the page, their difference, (h, w), as it is, and the window."""
    height, width = restored.shape[:2]
    factor = max(1, min(height // (2 * TALLEST), width // (2 * CELL)))
    difference = np.empty((height, width), np.float32)
    small: tuple[list[Pixels], list[Pixels]] = ([], [])
    some: list[Pixels] = []
    step = -(-BAND // factor) * factor
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        bands = interpolate(rows), restored[rows]
        difference[rows] = error_map(bands[1], np.clip(bands[0], 0, 1))
        some.append(bands[0][::factor, ::factor])
        for parts, band in zip(small, bands, strict=True):
            parts.append(_averaged(band, factor))
    return [np.concatenate(parts) for parts in small], difference, window(np.concatenate(some))


def _averaged(pixels: Pixels, factor: int) -> Pixels:
    """The mean of each square of `factor` pixels; what is left over at the end makes smaller ones."""
    if factor == 1:
        return pixels
    for axis in (0, 1):
        starts = np.arange(0, pixels.shape[axis], factor)
        counts = np.diff(starts, append=pixels.shape[axis]).reshape(-1, *[1] * (2 - axis))
        pixels = (np.add.reduceat(pixels, starts, axis=axis) / counts).astype(np.float32)
    return pixels
