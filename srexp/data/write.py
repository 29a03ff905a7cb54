"""Restored images back to files: the kind, the bit depth and the meaning of values that they were read with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from srexp.data.find import IMAGE_ENDINGS
from srexp.data.image import Integers, Intensity, Stored, quantised
from srexp.data.read import Kind
from srexp.errors import RequestError, SrexpError
from srexp.types import Pixels

Format: TypeAlias = Literal["png", "jpeg", "bmp", "tiff", "dicom"]
"""What a file can be turned into; NIfTI stays NIfTI."""

ENDING: dict[Kind, str] = {"png": ".png", "jpeg": ".jpg", "bmp": ".bmp", "tiff": ".tif", "dicom": ".dcm"}
_ENDINGS = (".nii.gz", *IMAGE_ENDINGS)
_ONE_IMAGE = ("png", "jpeg", "bmp")
_ROWS = 64
_BYTE, _WORD = 8, 16


@dataclass(frozen=True, slots=True)
class Made:
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
    """

    frame: int
    shape: tuple[int, int, int]
    bits: int
    strips: Iterator[Pixels]

    @classmethod
    def of(cls, image: Stored, frame: int, scale: int, strips: Iterator[Pixels]) -> Restored:
        """Describe what becomes of a stored image."""
        height, width, channels = image.pixels.shape
        return cls(frame, (height * scale, width * scale, channels), image.bits, strips)

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
        whole: Integers | None = None
        filled = 0
        for block in self.blocks(bits):
            if whole is None:
                whole = np.empty(self.shape, block.dtype)
            whole[filled : filled + len(block)] = block
            filled += len(block)
        return np.empty(self.shape, np.uint8) if whole is None else whole


def file_bits(bits: int) -> int:
    """Bits of a file that knows bytes and words alone; values are spread over its range, so that white stays white."""
    return _BYTE if bits <= _BYTE else _WORD


def target_format(kind: Kind, wanted: str) -> Kind:
    """Choose what is written.

    Args:
        kind: What was read.
        wanted: `same`, or a `Format`.

    Returns:
        The kind of the file to write.

    Raises:
        RequestError: There is no way from one to the other.
    """
    if wanted != "same":
        return next(known for known in get_args(Format) if known == wanted)
    if kind == "npy":
        raise RequestError("a NumPy file isn't written", expected="PNG, TIFF, JPEG, BMP, DICOM or NIfTI")
    return kind


def target_names(kinds: Mapping[str, tuple[Kind, Kind]]) -> dict[str, str]:
    """Name what files become: as they are called, with another ending where the kind changes.

    Args:
        kinds: What each file is and what is to be written, by its relative path.

    Returns:
        Relative path of the file to write, by that of the file read; all differ, as far as their names allow.

    Example:
        >>> target_names({"a.dcm": ("dicom", "png"), "b.dcm": ("dicom", "png"), "b.tif": ("tiff", "png")})
        {'a.dcm': 'a.png', 'b.dcm': 'b.dcm.png', 'b.tif': 'b.tif.png'}
    """

    def short(name: str) -> str:
        ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")
        return name[: len(name) - len(ending)]

    targets = {name: name if kind == wanted else short(name) + ENDING[wanted] for name, (kind, wanted) in kinds.items()}
    taken = Counter(targets.values())
    return {
        name: name + ENDING[kinds[name][1]] if taken[target] > 1 and target != name else target
        for name, target in targets.items()
    }


def output_names(name: str, kind: Kind, frames: Sequence[int]) -> list[str]:
    """Name the files that one file becomes: several where the kind holds one image and there are more.

    Args:
        name: Name of the file to write.
        kind: What is written.
        frames: Which images there are.

    Returns:
        As many names as files.

    Example:
        >>> output_names("a.png", "png", (0, 1)), output_names("a.tif", "tiff", (0, 1))
        (['a_0000.png', 'a_0001.png'], ['a.tif'])
    """
    if kind not in _ONE_IMAGE or len(frames) == 1:
        return [name]
    stem, dot, ending = name.rpartition(".")
    return [f"{stem}_{frame:04}{dot}{ending}" for frame in frames]


def write_images(
    folder: Path, name: str, kind: Kind, origin: Origin, made: Made, *, images: Iterable[Restored]
) -> None:
    """Write what becomes of one file, under `output_names`.

    Colour images come out as red, green and blue, opaque: palettes and transparency were resolved when they were read.

    Args:
        folder: Existing folder to write to.
        name: Name of the file.
        kind: What to write, see `target_format`.
        origin: The file that the images come from, whose description is taken over.
        made: Who made the images.
        images: They are asked for one by one, and each is written before the next is made.

    Raises:
        RequestError: The file can't hold these images.
        SrexpError: An image could not be made.
    """
    target = folder / name
    if kind in _ONE_IMAGE:
        from srexp.data import write_raster

        for one, image in zip(output_names(name, kind, origin.frames), images, strict=True):
            write_raster.write(folder / one, kind, origin, made.scale, image)
    elif kind == "tiff":
        from srexp.data import write_tiff

        write_tiff.write(target, origin, made, images)
    elif kind == "nifti":
        from srexp.data import write_nifti

        write_nifti.write(target, origin, made.scale, images)
    else:
        from srexp.data import write_dicom

        write_dicom.write(target, origin, made, images)
