"""What is known of a restored image while it is written: where it came from, who made it, and its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from srexp.data.display import Display
from srexp.data.image import Integers, Intensity, Kind, Stored, quantised
from srexp.errors import SrexpError
from srexp.types import Pixels

_ROWS = 64
_BYTE, _WORD = 8, 16


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who made an image, for files that have a place for it.

    Args:
        model: What a reader calls the model, with its address.
        identity: What decides the result: the model's digest and the options. Files of one series that were made alike
            share a series.
        version: Version of srexp.
        scale: How many times larger the image became.
    """

    model: str
    identity: str
    version: str
    scale: int

    def sentence(self) -> str:
        """Say it in one sentence.

        Returns:
            Plain ASCII text, below 1000 characters.
        """
        text = f"Super-resolution x{self.scale} by srexp {self.version} with model {self.model}. Not for diagnosis."
        return text.encode("ascii", "replace").decode()[:1000]


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that images were read from.

    Args:
        path: The file.
        kind: What it is.
        frames: Which of its images are restored, in order.
        intensity: How its values became a range; with `bits` they go back to what they were.
    """

    path: Path
    kind: Kind
    frames: tuple[int, ...]
    intensity: Intensity


@dataclass(frozen=True, slots=True)
class Restored:
    """One restored image, while it is being made.

    Args:
        frame: Which image of the file it came from.
        shape: (h, w, c) of the restored image.
        bits: Bit depth of the image that it was made from.
        strips: Parts (rows, w, c) from top to bottom, in [0, 1] but for what the network overshoots; used up once.
        display: How the image that it was made from is to be seen; the writer's is that of what it writes.
    """

    frame: int
    shape: tuple[int, int, int]
    bits: int
    strips: Iterator[Pixels]
    display: Display = field(default_factory=Display)

    @classmethod
    def of(cls, image: Stored, frame: int, scale: int, strips: Iterator[Pixels]) -> Restored:
        """Describe what becomes of a stored image."""
        height, width, channels = image.pixels.shape
        return cls(frame, (height * scale, width * scale, channels), image.bits, strips, image.display)

    def blocks(self, bits: int) -> Iterator[Integers]:
        """Round to stored values, a few rows at a time.

        Args:
            bits: Bit depth of the file.

        Yields:
            (rows, w, c), in 0..2**bits-1.

        Raises:
            SrexpError: The network gave what is no number, or another shape.
        """
        rows = 0
        for strip in self.strips:
            if strip.shape[1:] != self.shape[1:]:
                raise SrexpError("the model gave another shape", got=strip.shape, expected=f"(rows, {self.shape[1:]})")
            for start in range(0, len(strip), _ROWS):
                block = strip[start : start + _ROWS]
                if not np.isfinite(block).all():
                    raise SrexpError("the model gave values that are not numbers", fix="choose another model_uri")
                yield quantised(np.clip(block.astype(np.float64), 0, 1), bits)
            rows += len(strip)
        if rows != self.shape[0]:
            raise SrexpError("the model gave another shape", got=f"{rows} rows", expected=f"{self.shape[0]} rows")

    def pixels(self, bits: int) -> Integers:
        """Round the whole image to stored values.

        Args:
            bits: Bit depth of the file.

        Returns:
            (h, w, c), uint8 up to 8 bits and uint16 above.
        """
        whole = np.empty(self.shape, np.uint8 if bits <= _BYTE else np.uint16)
        filled = 0
        for block in self.blocks(bits):
            whole[filled : filled + len(block)] = block
            filled += len(block)
        return whole


def file_bits(bits: int) -> int:
    """Bits of a file that knows bytes and words alone; values are spread over its range, so that white stays white."""
    return _BYTE if bits <= _BYTE else _WORD
