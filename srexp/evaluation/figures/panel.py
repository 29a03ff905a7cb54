"""One page for one image: input, baseline, restored, target and where the errors are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from srexp.evaluation.figures.plots import COLOURS, INK, MAX_GREY_LEVELS, error_map, literal, new_figure
from srexp.evaluation.score import Row
from srexp.metrics.table import figure, with_unit
from srexp.types import Pixels, Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 336  # pixels of a picture on the page
DETAIL = 112  # pixels of the target in a detail: drawn three times as large, and whole in low resolution at x2 and x4
SPOT = 8  # pixels over which the error is averaged to find the worst place
TALLEST = 450
BAND = 256  # rows of a large image that are worked on at a time
GAP, MARGIN, TITLE, BAR = 14, 24, 92, 78
CAPTIONS = (56, 36, 56)  # room below each row
FRAME = "#22d3ee"
LONGEST_KEY = 70

Square = tuple[slice, slice]


def panel(
    sample: Sample,
    restored: Pixels,
    baseline: Pixels,
    row: Row,
    protocol: Mapping[str, Any],
    *,
    model_name: str,
) -> Figure:
    """Show what a model makes of an image, beside the baseline and the target.

    First row: the whole image, reduced. Second row: the place where the baseline's error is largest, each pixel
    enlarged without smoothing. Third row: the absolute errors of both, on a scale that is the same for every image and
    model. The pictures of a row share one display window, taken from the target.

    Args:
        sample: Degraded image and target.
        restored: The model's output, (h, w, c).
        baseline: The baseline's output, (h, w, c).
        row: Their scores.
        protocol: Description of the protocol that the scores were made under.
        model_name: Name of the model, for captions.

    Returns:
        Figure of 1434 pixels by about 1400, depending on the image's proportions.
    """
    low, high, scale = sample.low, sample.high, int(protocol["scale"])
    errors = {"bicubic": error_map(baseline, high), model_name: error_map(restored, high)}
    square = worst_square(errors["bicubic"], scale=scale)
    page = Page(high.shape, square)
    page.title(
        f"{shortened(sample.key)}   ·   {high.shape[0]} x {high.shape[1]} pixels   ·   x{scale}",
        f"Scores: {_rules(protocol, sample.bits)}.  Display: from the target's 0.5 to its 99.5 percentile, row by row.",
    )
    captions = [
        f"input, {low.shape[0]} x {low.shape[1]}",
        f"bicubic\n{_scores(row.baseline)}",
        f"{model_name}\n{_scores(row.model, row.baseline)}",
        "target",
    ]
    names = ["input (nearest neighbour)", "bicubic", model_name, "target"]
    everywhere, there = window(high), window(high[square])
    for column, picture in enumerate([low, baseline, restored, high]):
        page.whole(0, column, shown(picture, everywhere), captions[column])
        cut = picture[in_low(square, scale) if column == 0 else square]
        page.detail(1, column, shown(cut, there), f"{names[column]}, detail")
    for column, (name, error) in enumerate(errors.items()):
        page.whole(2, column, error, f"|{name} - target|\nmean {error.mean():.2f} grey levels")
        inside = error[square]
        page.detail(2, column + 2, inside, f"|{name} - target|, detail\nmean {inside.mean():.2f} grey levels")
    page.scale_bar(
        "Absolute error in grey levels of 255; one fixed scale for all images and models.\nWarmer is larger."
    )
    return page.figure


def worst_square(error: npt.NDArray[np.float32], *, scale: int, side: int = DETAIL) -> Square:
    """Centre a square on the spot with the largest mean error, on the low-resolution grid.

    A spot is 8 x 8 pixels: large enough for noise to average out, small enough for a line or an edge to win. The outer
    twentieth at each side is left out where the image is large enough: there lie the edges of the film and of the field
    of exposure, which would win on every radiograph.

    Args:
        error: (h, w), absolute error.
        scale: Corner and side are multiples of it.
        side: Largest side of the square, in pixels.

    Returns:
        Rows and columns of the square.

    Example:
        >>> error = np.zeros((300, 300), np.float32)
        >>> error[200, 40] = 1
        >>> rows, columns = worst_square(error, scale=2)
        >>> rows.start <= 200 < rows.stop and columns.start <= 40 < columns.stop
        True
    """
    spot = min(SPOT, *error.shape)
    side = max(scale, min(side, *error.shape) // scale * scale)
    margins = [min(length // 20, (length - side) // 2) for length in error.shape]
    rows, columns = (
        range(first, length - spot + 1 - first) for first, length in zip(margins, error.shape, strict=True)
    )
    worst, place = -1.0, (0, 0)
    for top in rows[::BAND]:  # a float64 of the whole of a large image would be most of what a command takes
        sums = _spots(error[top : min(top + BAND, rows.stop) + spot - 1], spot)[:, columns.start : columns.stop]
        row, column = np.unravel_index(sums.argmax(), sums.shape)
        if sums[row, column] > worst:
            worst, place = float(sums[row, column]), (top + int(row), columns.start + int(column))
    corners = []
    for middle, length in zip(place, error.shape, strict=True):
        corner = middle + spot // 2 - side // 2
        corners.append(max(0, min(corner, length - side)) // scale * scale)
    top, left = corners
    return slice(top, top + side), slice(left, left + side)


def in_low(square: Square, scale: int) -> Square:
    """Give the square that a square of the target covers in the degraded image."""
    rows, columns = (slice(part.start // scale, part.stop // scale) for part in square)
    return rows, columns


def _spots(error: npt.NDArray[np.float32], spot: int) -> npt.NDArray[np.float64]:
    """Sum every square of `spot` pixels."""
    sums = np.zeros((error.shape[0] + 1, error.shape[1] + 1))
    sums[1:, 1:] = error.astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    return sums[spot:, spot:] - sums[:-spot, spot:] - sums[spot:, :-spot] + sums[:-spot, :-spot]


class Page:
    """A grid of pictures placed by the pixel, so that details are drawn without resampling.

    Pictures are grey or colour in [0, 1], (h, w, c), or errors, (h, w).

    Args:
        shape: Height and width of the whole images, and whatever follows.
        square: The place that the details show.
        columns: Pictures side by side.
        rows: One of whole images, one of details, and one of both.
    """

    def __init__(self, shape: tuple[int, ...], square: Square, *, columns: int = 4, rows: int = 3) -> None:
        from matplotlib.colors import Normalize

        self.high, self.wide = shape[:2]
        self.square = square
        self.norm = Normalize(0, MAX_GREY_LEVELS)
        tall = min(TALLEST, max(48, round(CELL * self.high / self.wide)))
        self.rows = (tall, CELL, max(tall, CELL))[:rows]
        self.width = 2 * MARGIN + columns * (CELL + GAP) - GAP
        self.height = TITLE + sum(self.rows) + sum(CAPTIONS[:rows]) + BAR
        self.figure = new_figure(self.width, self.height)

    def title(self, first: str, second: str) -> None:
        """Write two lines at the top."""
        self._text(MARGIN, 28, first, size=15, bold=True)
        self._text(MARGIN, 62, second)

    def whole(self, row: int, column: int, picture: npt.NDArray[np.float32], caption: str) -> None:
        """Draw a whole image, reduced to the cell by averaging areas, with the frame of the detail."""
        from matplotlib.patches import Rectangle

        ratio = self.wide / self.high
        height = min(self.rows[row], max(1, round(CELL / ratio)))
        width = min(CELL, max(1, round(height * ratio)))
        axes = self._axes(row, column, (height, width), caption)
        self._draw(axes, reduced(picture, height, width), extent=(0, self.wide, self.high, 0))
        rows, columns = self.square
        side = rows.stop - rows.start
        axes.add_patch(Rectangle((columns.start, rows.start), side, side, fill=False, edgecolor=FRAME, linewidth=1.4))

    def detail(self, row: int, column: int, picture: npt.NDArray[np.float32], caption: str) -> None:
        """Draw a square, every pixel of the target a whole number of pixels wide."""
        side = self.square[0].stop - self.square[0].start
        drawn = side * (CELL // side)
        self._draw(self._axes(row, column, (drawn, drawn), caption), picture)

    def scale_bar(self, text: str) -> None:
        """Draw the error scale at the bottom, and say what it is."""
        from matplotlib.cm import ScalarMappable

        width = 2 * CELL + GAP
        axes = self.figure.add_axes(self._box(MARGIN, self.height - 66, 14, width))
        bar = self.figure.colorbar(ScalarMappable(self.norm, COLOURS), cax=axes, orientation="horizontal", extend="max")
        bar.outline.set_visible(False)
        axes.tick_params(labelsize=10, color=INK, labelcolor=INK)
        self._text(MARGIN + width + 3 * GAP, self.height - 54, text)

    def _axes(self, row: int, column: int, size: tuple[int, int], caption: str) -> Axes:
        """Axes of an exact size in a cell, centred over their caption."""
        middle = MARGIN + column * (CELL + GAP) + CELL // 2
        top = TITLE + sum(self.rows[:row]) + sum(CAPTIONS[:row])
        axes = self.figure.add_axes(self._box(middle - size[1] // 2, top, *size))
        axes.set_axis_off()
        below = 1 - (top + size[0] + 6) / self.height
        self.figure.text(middle / self.width, below, literal(caption), va="top", ha="center", **_style(10.5))
        return axes

    def _box(self, left: int, top: int, height: int, width: int) -> tuple[float, float, float, float]:
        bottom = self.height - top - height
        return left / self.width, bottom / self.height, width / self.width, height / self.height

    def _text(self, left: int, top: int, text: str, *, size: float = 10.5, bold: bool = False) -> None:
        self.figure.text(
            left / self.width, 1 - top / self.height, literal(text), va="center", **_style(size, bold=bold)
        )

    def _draw(
        self, axes: Axes, picture: npt.NDArray[np.float32], extent: tuple[int, int, int, int] | None = None
    ) -> None:
        from matplotlib.colors import Normalize

        is_error = picture.ndim == 2  # noqa: PLR2004 - (h, w)
        axes.imshow(
            picture if is_error or picture.shape[-1] > 1 else picture[..., 0],
            cmap=COLOURS if is_error else "gray",
            norm=self.norm if is_error else Normalize(0, 1),
            interpolation="nearest",
            aspect="auto",
            extent=extent,
        )


def _style(size: float, *, bold: bool = False) -> dict[str, Any]:
    return {"fontsize": size, "color": INK, "fontweight": "bold" if bold else "normal"}


def reduced(picture: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """The mean over the area that each pixel of the page covers; a picture smaller than that as it is."""
    if picture.shape[0] <= height or picture.shape[1] <= width:
        return picture

    from PIL import Image

    channels = map(np.ascontiguousarray, np.moveaxis(np.atleast_3d(picture), -1, 0))
    small = [np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.BOX)) for each in channels]
    stacked: npt.NDArray[np.float32] = np.stack(small, axis=-1).reshape(height, width, *picture.shape[2:])
    return stacked


def window(high: Pixels) -> tuple[float, float]:
    """Choose what is drawn black and what white: the target's 0.5 and 99.5 percentile."""
    low, top = np.quantile(high, [0.005, 0.995]).tolist()
    return (low, top) if top > low else (0.0, 1.0)


def shown(pixels: Pixels, limits: tuple[float, float]) -> Pixels:
    """Stretch an image to a display window, [0, 1]."""
    low, top = limits
    stretched: Pixels = np.clip((pixels - low) / (top - low), 0, 1).astype(np.float32)
    return stretched


def _scores(values: Mapping[str, float | None], reference: Mapping[str, float | None] | None = None) -> str:
    psnr, ssim = values["psnr"], values["ssim"]
    other = reference["psnr"] if reference else None
    gain = math.nan if psnr is None or other is None else psnr - other
    better = f" ({figure(gain, sign=True)})" if math.isfinite(gain) else ""
    return f"{with_unit(psnr)}{better}    SSIM {figure(ssim, 'ssim')}"


def _rules(protocol: Mapping[str, Any], bits: int) -> str:
    rounding = f"rounded to {bits} bits" if protocol["quantize"] else "not rounded"
    return f"channel {protocol['channel']}, {rounding}, border of {protocol['shave']} pixels left out"


def shortened(key: str) -> str:
    """Cut a name to what fits beside other words."""
    return key if len(key) <= LONGEST_KEY else "..." + key[-LONGEST_KEY:]
