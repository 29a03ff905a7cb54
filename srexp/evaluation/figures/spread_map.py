"""Where a network is unsure: how far the eight restorations of a self-ensemble lie apart, as numbers and as a map."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.evaluation.figures.detail import Square, worst_square
from srexp.evaluation.figures.panel import Page, shown, window
from srexp.types import Figure, Pixels

#: Ends of the one scale of all maps, in grey levels of 255. It is logarithmic: of images of more than 8 bits, which
#: fill little of their range, the eight lie apart by hundredths of a level, at an edge of an 8-bit one by several.
SCALE = (0.01, 10.0)
#: Standard deviation of every pixel, (h, w).
Levels: TypeAlias = npt.NDArray[np.float32]
_LEVELS = np.float32(255)
_LONGEST_NAME = 40  # in the width of a picture


class Spread(NamedTuple):
    """How far eight restorations lie apart, in grey levels of 255.

    Args:
        mean: Over the image.
        p99: What 99 percent of the pixels stay below.
    """

    mean: float
    p99: float


def in_grey_levels(spread: Pixels) -> Levels:
    """Give the standard deviation of every pixel in grey levels of 255, (h, w): the mean over its channels.

    Args:
        spread: Standard deviation of images in [0, 1], (h, w, c).
    """
    levels: Levels = spread.mean(axis=-1) * _LEVELS
    return levels


def summary(levels: Levels) -> Spread:
    """Sum up a map.

    Example:
        >>> summary(np.linspace(0, 1, 101, dtype=np.float32).reshape(1, 101))
        Spread(mean=0.5, p99=0.99)
    """
    return Spread(*(round(float(each), 6) for each in (levels.mean(dtype=np.float64), np.percentile(levels, 99))))


def spread_map(restored: Pixels, levels: Levels, *, bits: int, title: str, model_name: str) -> Figure:
    """Show a restored image, and where the eight that it is the mean of lie apart.

    First row: the whole image and the whole map, reduced by averaging. Second row: the place where they lie apart most,
    chosen as that of the largest error is elsewhere. Where the eight agree they may still be wrong together.

    Args:
        restored: The image, (h, w, c), in [0, 1].
        levels: Standard deviation of the eight, (h, w), in grey levels of 255.
        bits: Stored bits of the image, which say what a grey level of 255 is in its own values.
        title: What the image is.
        model_name: Name of the model.

    Returns:
        Figure of 734 pixels by about 950, depending on the image's proportions.
    """
    everywhere = window(restored)
    square = worst_square(levels, restored, everywhere, scale=1)
    page = _page(restored.shape, square)
    own = (2**bits - 1) / 255
    page.title(
        title,
        f"Standard deviation of the eight restorations.  One grey level is {own:.4g} in stored values.",
    )
    found, inside = summary(levels), levels[square]
    page.whole(0, 0, shown(restored, everywhere), model_name[-_LONGEST_NAME:])
    page.whole(0, 1, levels, f"spread: mean {found.mean:.3f},\n99th percentile {found.p99:.3f} grey levels")
    page.detail(1, 0, shown(restored[square], window(restored[square])), "where they lie apart most, detail")
    page.detail(1, 1, inside, f"spread, detail: mean {inside.mean():.3f}")
    page.scale_bar("Grey levels of 255, one scale for all\nimages. Warmer is less sure.")
    return page.figure


def only_map(drawn: Pixels, shape: tuple[int, ...]) -> Pixels:
    """Cut the map out of the picture of `spread_map`, whose title names a file.

    Args:
        drawn: The picture, (h, w, c).
        shape: Height and width of the restored image, and whatever follows.
    """
    return drawn[_page(shape, (slice(0, 1), slice(0, 1))).place(0, 1)]


def _page(shape: tuple[int, ...], square: Square) -> Page:
    from matplotlib.colors import LogNorm

    return Page(shape, square, rows=("whole", "detail"), columns=2, norm=LogNorm(*SCALE, clip=True))
