"""One test image as several models restore it: pictures, error maps and a detail, encoded for a web page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.evaluation.figures.detail import Square, in_low, square_at, worst_square
from srexp.evaluation.figures.error_maps import STEPS, coloured, error_map
from srexp.evaluation.figures.panel import reduced, shown, window
from srexp.evaluation.figures.plots import grey_levels
from srexp.metrics.table import with_unit
from srexp.types import Figure, Pixels, Sample

SIDE, MAP_SIDE = 800, 320  # longer side of a whole picture and of its error map, in pixels; maps hold far more bytes
DETAIL, ENLARGED = 72, 3  # side of a detail, in pixels of the target, and how many times larger it is drawn
SLIDER = 144  # side of what the slider shows, in pixels of the target

#: Left, top, width and height of a part of a picture, as percentages.
Frame: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its caption.

    Args:
        address: Data URI.
        width: Pixels.
        height: Pixels.
        caption: What it is.
        figure: What was measured of it.
        frame: The detail in it; None for a picture without a frame.
        sharp: Whether it is enlarged without smoothing.
    """

    address: str
    width: int
    height: int
    caption: str
    figure: str = ""
    frame: Frame | None = None
    sharp: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One test image.

    Args:
        key: Its name.
        size: Height and width of the target.
        bits: Stored bit depth.
        rows: Pictures row by row, each with target or input first, then bicubic, then the models.
        slider: The place of the detail and what is around it, before and after: by bicubic and by the first model.
    """

    key: str
    size: tuple[int, int]
    bits: int
    rows: tuple[tuple[Picture, ...], ...]
    slider: tuple[Picture, Picture]

    @property
    def bytes(self) -> int:
        """Length of all its data URIs."""
        return sum(len(picture.address) for row in (*self.rows, self.slider) for picture in row)


def card(
    sample: Sample,
    restored: Mapping[str, Pixels],
    psnr: Mapping[str, float],
    *,
    scale: int,
    max_grey_levels: float,
    place: tuple[int, int] | None = None,
) -> Card:
    """Make the pictures of one image.

    Without a place, the detail lies where the models differ most from each other; with a single model, where it differs
    most from bicubic. All grey pictures of a row share one display window, taken from the target; all error maps share
    one scale.

    Args:
        sample: Degraded image and target.
        restored: Name to restored image, (h, w, c); bicubic first, then the models.
        psnr: The same names to the PSNR of the image.
        scale: Ratio of the high to the low resolution.
        max_grey_levels: Error that gets the last colour, in grey levels of 255.
        place: Row and column of the target that the detail is to show.

    Returns:
        Four rows: whole pictures, their error maps, the detail, its error maps.
    """
    low, high = sample.low, sample.high
    everywhere = window(high)
    if place is None:
        square = disagreement(restored, high, everywhere, scale=scale)
    else:
        square = square_at(place, high.shape, scale=scale, side=DETAIL)
    there = window(high[square])
    errors = {name: error_map(image, high) for name, image in restored.items()}
    frame = _percent(square, high.shape)
    wholes = [_grey(high, everywhere, "target", frame=frame)]
    wholes += [_grey(each, everywhere, name, with_unit(psnr[name]), frame) for name, each in restored.items()]
    input_name = f"input, {low.shape[0]} x {low.shape[1]}"
    maps = [_grey(low, everywhere, input_name, frame=frame)]
    details = [_enlarged(shown(high[square], there), "target: detail")]
    detail_maps = [_enlarged(shown(low[in_low(square, scale)], there), "input: detail", scale)]
    for name, error in errors.items():
        whole = coloured(reduced(error, *_fitted(error.shape, MAP_SIDE)), max_grey_levels)
        maps.append(_encoded(whole, f"{name}: error", f"mean {error.mean():.2f}", frame, lossless=True))
        details.append(_enlarged(shown(restored[name][square], there), f"{name}: detail"))
        inside_square = error[square]
        colours = coloured(inside_square, max_grey_levels)
        detail_maps.append(_enlarged(colours, f"{name}: error", figure=f"mean {inside_square.mean():.2f}"))
    rows = tuple(wholes), tuple(maps), tuple(details), tuple(detail_maps)
    wide = square_at(_middle(square), high.shape, scale=scale, side=SLIDER)
    before, after = (
        _enlarged(shown(image[wide], window(high[wide])), name) for name, image in list(restored.items())[:2]
    )
    return Card(sample.key, high.shape[:2], sample.bits, rows, (before, after))


def disagreement(restored: Mapping[str, Pixels], high: Pixels, limits: tuple[float, float], *, scale: int) -> Square:
    """Find the place where models differ most.

    Args:
        restored: Name to restored image, (h, w, c); the first is the baseline, which counts only beside a single model.
        high: The target, of which what is saturated is left out.
        limits: What of it is drawn black and what white.
        scale: Corner and side are multiples of it.

    Returns:
        Rows and columns of a square of 72 pixels, or less in a small image.
    """
    images = list(restored.values())
    compared = np.stack([np.clip(each, 0, 1) for each in (images[1:] if len(images) > 2 else images)])  # noqa: PLR2004
    spread: npt.NDArray[np.float32] = np.ptp(compared, axis=0).mean(axis=-1)
    return worst_square(spread, high, limits, scale=scale, side=DETAIL)


def scale_bar(max_grey_levels: float) -> Picture:
    """Draw the colours of the error maps from none to the last, 64 pixels wide.

    Args:
        max_grey_levels: Error that gets the last colour.
    """
    steps = np.linspace(0, max_grey_levels, STEPS, endpoint=False)[np.newaxis]
    return _encoded(coloured(steps, max_grey_levels), "Colours of the error maps", lossless=True, sharp=True)


def thumbnail(pixels: Pixels, side: int, caption: str, limits: tuple[float, float] | None = None) -> Picture:
    """Make a small picture of an image.

    Args:
        pixels: (h, w, c), in [0, 1].
        side: Its longer side on the page, in pixels; an image that is smaller stays as small.
        caption: What it is.
        limits: What is drawn black and what white; None: the 0.5 and 99.5 percentile of the picture.
    """
    small = reduced(pixels, *_fitted(pixels.shape, side))
    return _encoded(grey_levels(shown(small, limits or window(small))), caption, quality=60)


def png(figure: Figure, *, dpi: int = 200) -> bytes:
    """Draw a figure, twice as fine as it is shown."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi, pil_kwargs={"optimize": True})
    return out.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """Write a picture as an address that holds it.

    Example:
        >>> data_uri(b"abc", "image/png")
        'data:image/png;base64,YWJj'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _percent(square: Square, shape: tuple[int, ...]) -> Frame:
    rows, columns = square
    side = rows.stop - rows.start
    corner = 100 * columns.start / shape[1], 100 * rows.start / shape[0]
    left, top, width, height = (round(value, 2) for value in (*corner, 100 * side / shape[1], 100 * side / shape[0]))
    return left, top, width, height


def _middle(square: Square) -> tuple[int, int]:
    rows, columns = square
    return (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2


def _fitted(shape: tuple[int, ...], side: int = SIDE) -> tuple[int, int]:
    """Height and width of a whole picture on the page."""
    factor = min(1.0, side / max(shape[:2]))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _grey(
    pixels: Pixels, limits: tuple[float, float], caption: str, figure: str = "", frame: Frame | None = None
) -> Picture:
    small = grey_levels(shown(reduced(pixels, *_fitted(pixels.shape)), limits))
    return _encoded(small, caption, figure, frame, quality=82)


def _enlarged(pixels: npt.NDArray[Any], caption: str, factor: int = 1, *, figure: str = "") -> Picture:
    """Show every pixel as a square, which the page makes of it."""
    levels = pixels if pixels.dtype == np.uint8 else grey_levels(pixels)
    small = _encoded(levels, caption, figure, lossless=True, sharp=True)
    return replace(small, width=small.width * ENLARGED * factor, height=small.height * ENLARGED * factor)


def _encoded(
    pixels: npt.NDArray[np.uint8],
    caption: str,
    figure: str = "",
    frame: Frame | None = None,
    *,
    sharp: bool = False,
    **options: Any,
) -> Picture:
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)
    out = io.BytesIO()
    image.save(out, "WEBP", method=4, **options)
    return Picture(data_uri(out.getvalue(), "image/webp"), image.width, image.height, caption, figure, frame, sharp)
