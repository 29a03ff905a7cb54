"""Files of several kinds, and their way through reader and writer."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import tifffile
from PIL import Image

from srexp.data.formats.registry import frames_in, read_image
from srexp.data.formats.signatures import kind_of
from srexp.data.formats.writers import output_names, target_format, write_images
from srexp.data.image import Numbers
from srexp.data.restored_image import Origin, Provenance, Restored
from srexp.types import Pixels

MADE = {scale: Provenance("net version 1", "identity", "0.1", scale) for scale in (1, 2, 3)}


def enlarged(low: Pixels, scale: int) -> Pixels:
    return low.repeat(scale, 0).repeat(scale, 1)


def through(path: Path, target: Path, **options: Any) -> list[Path]:
    """Read a file, enlarge it by repeating pixels, in strips, and write it."""
    return through_and_lost(path, target, **options)[0]


def through_and_lost(
    path: Path, target: Path, *, scale: int = 1, wanted: str = "same", intensity: Any = "bits"
) -> tuple[list[Path], list[str]]:
    """Do the same, and give what the new file could not hold, too."""
    kind = kind_of(path)
    origin = Origin(path, kind, tuple(frames_in(path)), intensity)

    def images():
        for frame in origin.frames:
            image = read_image(path, frame, intensity)
            high = enlarged(image.to_float(), scale)
            yield Restored.of(image, frame, scale, iter(np.array_split(high, 3)))

    target.parent.mkdir(exist_ok=True)
    wanted_kind = target_format(kind, wanted)
    lost = write_images(target.parent, target.name, wanted_kind, origin, MADE[scale], images=images())
    return [target.parent / name for name in output_names(target.name, wanted_kind, origin.frames)], lost


def values(bits: int, shape: tuple[int, ...] = (13, 9)) -> Numbers:
    return np.random.default_rng(5).integers(0, 2**bits, shape).astype(np.uint16 if bits > 8 else np.uint8)


def chunked(content: bytes, **chunks: bytes) -> bytes:
    """Put chunks into a PNG, the EXIF behind its pixels, where some programs write it."""

    def chunk(kind: str, data: bytes) -> bytes:
        body = kind.encode() + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    early = b"".join(chunk(kind, data) for kind, data in chunks.items() if kind != "eXIf")
    late = chunk("eXIf", chunks["eXIf"]) if "eXIf" in chunks else b""
    return content[:33] + early + content[33:-12] + late + content[-12:]


def png(path: Path, pixels: Numbers) -> Path:
    import imagecodecs

    path.write_bytes(imagecodecs.png_encode(pixels))
    return path


def tiff(path: Path, pixels: Numbers, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **{"photometric": "minisblack", "metadata": None, **options})
    return path


def nifti(path: Path, volume: Numbers, slope: float = 1.0, inter: float = 0.0) -> Path:
    image = nibabel.Nifti1Image(volume, np.array([[0, -2, 0, 5], [3, 0, 0, 7], [0, 0, 4, 9], [0, 0, 0, 1.0]]))
    image.header.set_slope_inter(slope, inter)
    image.to_filename(path)
    return path


FILES = {
    "png8": lambda folder: png(folder / "a.png", values(8)),
    "png16": lambda folder: png(folder / "a.png", values(16)),
    "png8_colour": lambda folder: png(folder / "a.png", values(8, (7, 5, 3))),
    "png16_colour": lambda folder: png(folder / "a.png", values(16, (7, 5, 3))),
    "tiff8": lambda folder: tiff(folder / "a.tif", values(8)),
    "tiff10": lambda folder: tiff(folder / "a.tif", values(10), bitspersample=10),
    "tiff12": lambda folder: tiff(folder / "a.tif", values(12), bitspersample=12),
    "tiff16": lambda folder: tiff(folder / "a.tif", values(16)),
    "tiff16_signed": lambda folder: tiff(folder / "a.tif", values(16).view(np.int16)),
    "tiff16_white_is_zero": lambda folder: tiff(folder / "a.tif", values(16), photometric="miniswhite"),
    "tiff16_pages": lambda folder: tiff(folder / "a.tif", values(16, (3, 6, 5))),
    "tiff16_colour": lambda folder: tiff(folder / "a.tif", values(16, (6, 5, 3)), photometric="rgb"),
    "nifti_signed": lambda folder: nifti(folder / "a.nii.gz", values(16, (5, 6, 3)).view(np.int16), 0.5, -3),
    "nifti_turned": lambda folder: nifti(folder / "a.nii", values(16, (5, 6, 3)), -2.0, 100),
    "nifti8_4d": lambda folder: nifti(folder / "a.nii", values(8, (5, 6, 3, 2))),
    "bmp": lambda folder: Image.fromarray(values(8)).save(folder / "a.bmp") or folder / "a.bmp",
}
