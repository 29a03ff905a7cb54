"""What a model made of an image without a target: beside plain interpolation, and where the two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from srexp.evaluation.panel import Page, shortened, shown, window, worst_square
from srexp.evaluation.plots import MAX_GREY_LEVELS, error_map
from srexp.types import Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_LONGEST_NAME = 40  # in the width of a picture


def side_by_side(
    low: Pixels,
    interpolated: Pixels,
    restored: Pixels,
    *,
    title: str,
    model_name: str,
    max_grey_levels: float = MAX_GREY_LEVELS,
) -> Figure:
    """Show an image interpolated and restored, and the difference of the two.

    First row: the whole image, reduced. Second row: the place where they differ most, each pixel enlarged without
    smoothing. The difference says where a model acts, not whether it is right: there is no target.

    Args:
        low: The image that was given, (h, w, c).
        interpolated: Its bicubic interpolation, (h * scale, w * scale, c).
        restored: The model's output, of the same shape.
        title: What the image is.
        model_name: Name of the model.
        max_grey_levels: Upper end of the scale of differences, in grey levels of 255; the same for every image.

    Returns:
        Figure of 1084 pixels by about 950, depending on the image's proportions.
    """
    scale = restored.shape[0] // low.shape[0]
    difference = error_map(restored, np.clip(interpolated, 0, 1))
    square = worst_square(difference, scale=scale)
    page = Page(restored.shape, square, max_grey_levels, columns=3, rows=2)
    page.title(
        shortened(title),
        "Display: from the interpolated image's 0.5 to its 99.5 percentile, row by row.",
    )
    everywhere, there = window(interpolated), window(interpolated[square])
    names = [f"bicubic, from {low.shape[0]} x {low.shape[1]}", model_name[-_LONGEST_NAME:]]
    for column, picture in enumerate([interpolated, restored]):
        page.whole(0, column, shown(picture, everywhere), names[column])
        page.detail(1, column, shown(picture[square], there), f"{names[column].split(',')[0]}, detail")
    inside = difference[square]
    page.whole(0, 2, difference, f"|restored - bicubic|\nmean {difference.mean():.2f} grey levels")
    page.detail(1, 2, inside, f"the same, detail: mean {inside.mean():.2f}")
    page.scale_bar("Grey levels of 255, one fixed scale\nfor all images. Warmer is larger.")
    return page.figure
