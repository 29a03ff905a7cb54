"""One image that came in a request as a browser can window it: a line of facts, then its values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from srexp.data.degradation.imresize import enlarged_rows
from srexp.data.formats.registry import read_image
from srexp.data.image import Integers, Stored, UnreadableImageError, quantised
from srexp.enhance.serving.application import Look, Looked, Made
from srexp.experiment.restoration.request_images import Asked, asked_image, intensity_of, mended_elsewhere, whole_number

PACKED = "application/octet-stream"
_LARGEST_SCALE = 16
_ROWS = 64


def request_view(max_pixels: int) -> Look:
    """Join looking, reading and packing.

    Args:
        max_pixels: Largest image, in pixels of what is given.

    Returns:
        Function that looks at an image file and can then pack its values. Its options are `enlarge`, how many times
        bicubic interpolation makes it larger, `intensity`, and `frame`, see `asked_image`, whose refusals it raises.
    """

    def look(sent: Path, options: Mapping[str, str]) -> Looked:
        scale = whole_number(options, "enlarge", 1, range(1, _LARGEST_SCALE + 1))
        asked = asked_image(sent, options, most=max_pixels, scale=scale, intensity=intensity_of(options))

        def show(target: Path) -> Made:
            with mended_elsewhere():
                image = read_image(asked.path, asked.frame, asked.intensity)
            facts = {
                "kind": asked.kind,
                "frames": asked.frames,
                "window": _named_window(asked, image) if image.display.window else None,
                **shape_facts(image, scale),
            }
            return pack(target, facts, _enlarged(image, scale))

        return Looked(asked.height * asked.width * scale**2, show)

    return look


def shape_facts(image: Stored, scale: int) -> dict[str, int]:
    """Say how the values of an image are to be read once it is enlarged."""
    height, width, channels = image.pixels.shape
    return {"height": height * scale, "width": width * scale, "channels": channels, "bits": image.bits}


def pack(target: Path, facts: Mapping[str, Any], blocks: Iterable[Integers]) -> Made:
    """Write facts as a line of JSON, and behind it values from top to bottom.

    Args:
        target: File to write.
        facts: With height, width and channels.
        blocks: Rows, (rows, w, c): bytes, or words of which the lower byte comes first.

    Returns:
        What the file is.
    """
    with target.open("wb") as file:
        file.write(json.dumps(facts).encode() + b"\n")
        for block in blocks:
            file.write(np.ascontiguousarray(block, block.dtype.newbyteorder("<")).data)
    return Made(PACKED)


def _enlarged(image: Stored, scale: int) -> Iterator[Integers]:
    if scale == 1:
        yield image.pixels
        return
    low = image.to_float()
    for top in range(0, len(low) * scale, _ROWS):
        rows = slice(top, min(top + _ROWS, len(low) * scale))
        yield quantised(np.clip(enlarged_rows(low, scale, rows).astype(np.float64), 0, 1), image.bits)


def _named_window(asked: Asked, image: Stored) -> list[int] | None:
    """Give the range that the file says is to be shown, in values of the image: those that it makes neither end."""
    try:
        shown = read_image(asked.path, asked.frame, "window").pixels
    except UnreadableImageError:
        return None
    inside = image.pixels[(shown > 0) & (shown < image.max_value)]
    return [int(inside.min()), int(inside.max())] if inside.size else None
