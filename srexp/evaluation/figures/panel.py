"""One page for one image: input, baseline, restored, target and where the errors are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from srexp.evaluation.figures.detail import Square, in_low, worst_square
from srexp.evaluation.figures.error_maps import COLOURS, MAX_GREY_LEVELS, error_map, error_scale
from srexp.evaluation.figures.plots import INK, literal, new_figure
from srexp.evaluation.score import Row
from srexp.metrics.table import figure, with_unit
from srexp.types import Axes, Figure, Pixels, Sample

if TYPE_CHECKING:
    from matplotlib.colors import Normalize

CELL, COLUMNS = 336, 3  # pixels of a picture on the page, and pictures side by side
TALLEST = 450
GAP, MARGIN, TITLE, BAR = 14, 24, 92, 78
CAPTION = 52  # room below each row
FRAME = "#22d3ee"
LONGEST_KEY = 70


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

    The rows are those of a comparison: whole pictures, their error maps, the place where the baseline's error is
    largest, each pixel enlarged without smoothing, and its error maps. The scale of the errors follows from the
    baseline, so that it is the same for every model. The pictures of a row share one display window, taken from the
    target.

    Args:
        sample: Degraded image and target.
        restored: The model's output, (h, w, c).
        baseline: The baseline's output, (h, w, c).
        row: Their scores.
        protocol: Description of the protocol that the scores were made under.
        model_name: Name of the model, for captions.

    Returns:
        Figure of 1084 pixels by about 1750, depending on the image's proportions.
    """
    low, high, scale = sample.low, sample.high, int(protocol["scale"])
    top = error_scale([row.baseline["psnr"]])
    errors = {"bicubic": error_map(baseline, high), model_name: error_map(restored, high)}
    everywhere = window(high)
    square = worst_square(errors["bicubic"], high, everywhere, scale=scale)
    there = window(high[square])
    page = Page(high.shape, square, rows=("whole", "whole", "detail", "detail"), max_grey_levels=top)
    page.title(
        f"{sample.key}   ·   {high.shape[0]} x {high.shape[1]} pixels   ·   x{scale}",
        f"Scores: {_rules(protocol, sample.bits)}.  Display: the target's 0.5 to 99.5 percentile, row by row.",
    )
    captions = ["target", f"bicubic\n{_scores(row.baseline)}", f"{model_name}\n{_scores(row.model, row.baseline)}"]
    for column, (picture, caption) in enumerate(zip((high, baseline, restored), captions, strict=True)):
        page.whole(0, column, shown(picture, everywhere), caption)
        page.detail(2, column, shown(picture[square], there), f"{caption.splitlines()[0]}, detail")
    page.whole(1, 0, shown(low, everywhere), f"input, {low.shape[0]} x {low.shape[1]}")
    page.detail(3, 0, shown(low[in_low(square, scale)], there), "input (nearest neighbour), detail")
    for column, (name, error) in enumerate(errors.items(), start=1):
        page.whole(1, column, error, f"|{name} - target|\nmean {error.mean():.2f} grey levels")
        inside = error[square]
        page.detail(3, column, inside, f"|{name} - target|, detail\nmean {inside.mean():.2f} grey levels")
    page.scale_bar("Absolute error, grey levels of 255. Scale\nfrom bicubic's error, one for all models.")
    return page.figure


class Page:
    """A grid of pictures placed by the pixel, so that details are drawn without resampling.

    Pictures are grey or colour in [0, 1], (h, w, c), or errors, (h, w).

    Args:
        shape: Height and width of the whole images, and whatever follows.
        square: The place that the details show.
        rows: What each row shows, from above.
        max_grey_levels: Error that gets the last colour.
        columns: Pictures side by side.
        norm: Another scale of the errors than one from 0 to `max_grey_levels`.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        square: Square,
        *,
        rows: Sequence[Literal["whole", "detail"]],
        max_grey_levels: float = MAX_GREY_LEVELS,
        columns: int = COLUMNS,
        norm: Normalize | None = None,
    ) -> None:
        from matplotlib.colors import Normalize

        self.high, self.wide = shape[:2]
        self.square = square
        self.norm = norm or Normalize(0, max_grey_levels)
        tall = min(TALLEST, max(48, round(CELL * self.high / self.wide)))
        self.rows = [tall if row == "whole" else CELL for row in rows]
        self.width = 2 * MARGIN + columns * (CELL + GAP) - GAP
        self.longest = LONGEST_KEY * columns // COLUMNS
        self.bar = (columns - 1) * (CELL + GAP) - GAP
        self.height = TITLE + sum(self.rows) + len(rows) * CAPTION + BAR
        self.figure = new_figure(self.width, self.height)

    def title(self, first: str, second: str) -> None:
        """Write two lines at the top."""
        self._text(MARGIN, 28, shortened(first, self.longest), size=15, bold=True)
        self._text(MARGIN, 62, second)

    def whole(self, row: int, column: int, picture: npt.NDArray[np.float32], caption: str) -> None:
        """Draw a whole image, reduced to the cell by averaging areas, with the frame of the detail."""
        from matplotlib.patches import Rectangle

        height, width = size = self._fitted(row)
        axes = self._axes(row, column, size, caption)
        self._draw(axes, reduced(picture, height, width), extent=(0, self.wide, self.high, 0))
        rows, columns = self.square
        side = rows.stop - rows.start
        axes.add_patch(Rectangle((columns.start, rows.start), side, side, fill=False, edgecolor=FRAME, linewidth=1.4))

    def place(self, row: int, column: int) -> Square:
        """Say which pixels of the page a whole image has."""
        height, width = self._fitted(row)
        top, left = self._corner(row, column, width)
        return slice(top, top + height), slice(left, left + width)

    def detail(self, row: int, column: int, picture: npt.NDArray[np.float32], caption: str) -> None:
        """Draw a square, every pixel of the target a whole number of pixels wide."""
        side = self.square[0].stop - self.square[0].start
        drawn = side * (CELL // side)
        self._draw(self._axes(row, column, (drawn, drawn), caption), picture)

    def scale_bar(self, text: str) -> None:
        """Draw the error scale at the bottom, and say what it is."""
        from matplotlib.cm import ScalarMappable

        width = self.bar
        axes = self.figure.add_axes(self._box(MARGIN, self.height - 66, 14, width))
        bar = self.figure.colorbar(
            ScalarMappable(self.norm, COLOURS), cax=axes, orientation="horizontal", extend="max", format="%g"
        )
        bar.outline.set_visible(False)
        axes.tick_params(labelsize=10, color=INK, labelcolor=INK)
        self._text(MARGIN + width + 3 * GAP, self.height - 54, text)

    def _axes(self, row: int, column: int, size: tuple[int, int], caption: str) -> Axes:
        """Axes of an exact size in a cell, centred over their caption."""
        top, left = self._corner(row, column, size[1])
        middle = left + size[1] // 2
        axes = self.figure.add_axes(self._box(left, top, *size))
        axes.set_axis_off()
        below = 1 - (top + size[0] + 6) / self.height
        self.figure.text(middle / self.width, below, literal(caption), va="top", ha="center", **_style(10.5))
        return axes

    def _fitted(self, row: int) -> tuple[int, int]:
        """Give height and width of a whole image in a row."""
        ratio = self.wide / self.high
        height = min(self.rows[row], max(1, round(CELL / ratio)))
        return height, min(CELL, max(1, round(height * ratio)))

    def _corner(self, row: int, column: int, width: int) -> tuple[int, int]:
        """Give the first row and column of the page that a picture has in a cell."""
        top = TITLE + sum(self.rows[:row]) + row * CAPTION
        return top, MARGIN + column * (CELL + GAP) + CELL // 2 - width // 2

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


def shortened(key: str, longest: int) -> str:
    """Cut a name to what fits beside other words."""
    return key if len(key) <= longest else "..." + key[-longest:]
