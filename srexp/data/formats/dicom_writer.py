"""DICOM of restored images: stored values as the original means them, in an object derived from it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from pydicom.valuerep import DSfloat

from srexp.data.dicom.derived import secondary_capture
from srexp.data.dicom.description import check_size, head_of, pixel_bytes
from srexp.data.dicom.header import quiet
from srexp.data.dicom.stored_values import Encoding, as_stored, unsigned, with_padding
from srexp.data.formats.registry import description_of, stored_frame
from srexp.data.image import Numbers, UnreadableImageError
from srexp.data.restored_image import Origin, Provenance, Restored
from srexp.system.files.digests import sha256

_BYTE, _MM = 8, 1.0
_PIXEL_DATA = struct.Struct("<HH2sHI")  # tag, kind of value, length (PS3.5 7.1.2)


def write(target: Path, origin: Origin, made: Provenance, images: Iterable[Restored]) -> None:
    """Write one object with all frames; they go to disk as they come.

    Args:
        target: File to write: explicit VR little endian, not compressed.
        origin: The file they came from: its patient, study, geometry and grey scale are kept. From another kind of file
            a secondary capture image is made, which names no patient.
        made: Who made them.
        images: The restored images.

    Raises:
        RequestError: A DICOM object can't hold these images.
    """
    quiet()
    head, length, values = (_derived if origin.kind == "dicom" else _captured)(origin, made, images)
    with target.open("wb") as file:
        file.write(head.data)
        file.write(_PIXEL_DATA.pack(0x7FE0, 0x0010, b"OW", 0, length + length % 2))
        for each in values:
            file.write(each)
        file.write(bytes(length % 2))


def _derived(origin: Origin, made: Provenance, images: Iterable[Restored]) -> tuple[Numbers, int, Iterator[bytes]]:
    """Give what goes before the pixels, their length, and them, for which the network runs only then."""
    pages = iter(images)
    first = next(pages)
    head, of_frames = description_of(origin, made, first.shape, first.bits)
    encodings = [Encoding(*each) for each in of_frames]

    def values() -> Iterator[bytes]:
        for image, encoding in zip(chain([first], pages), encodings, strict=True):
            original = stored_frame(origin.path, image.frame) if encoding.padding else np.zeros((0, 0))
            for top, block in _blocks(image, encoding):
                stored = as_stored(block, encoding)
                yield _bytes(with_padding(stored, original, encoding, top=top, scale=made.scale), encoding)

    return head, pixel_bytes(first.shape, encodings[0], len(encodings)), values()


def _captured(origin: Origin, made: Provenance, images: Iterable[Restored]) -> tuple[Numbers, int, Iterator[bytes]]:
    if len(origin.frames) > 1:
        raise UnreadableImageError(
            f"holds {len(origin.frames)} images, which don't make one DICOM file", fix="format=tiff"
        )
    (image,) = images
    colour = image.shape[-1] > 1
    bits = _BYTE if colour else image.bits  # secondary capture has no colours of 16 bits
    encoding = unsigned(max(bits, _BYTE), "RGB" if colour else "MONOCHROME2")
    check_size(image.shape, encoding, 1)
    captured = secondary_capture(sha256(origin.path), encoding, image.shape[:2], made)
    if resolution := image.display.resolution:
        across, down = resolution.per(_MM)
        if resolution.unit:  # PS3.3 C.8.6.2: on what was scanned, not in a patient
            captured.NominalScannedPixelSpacing = [DSfloat(1 / each, auto_format=True) for each in (down, across)]
        elif across != down:
            captured.PixelAspectRatio = list(resolution.ratio())
    values = (_bytes(block, encoding) for _, block in _blocks(image, encoding))
    return head_of(captured), pixel_bytes(image.shape, encoding, 1), values


def _blocks(image: Restored, encoding: Encoding) -> Iterator[tuple[int, Numbers]]:
    """Give a few rows at a time, with the row that they begin at."""
    top = 0
    for block in image.blocks(encoding.bits):
        yield top, block if encoding.samples > 1 else block[..., 0]
        top += len(block)


def _bytes(values: Numbers, encoding: Encoding) -> bytes:
    return values.astype(f"<{'i' if encoding.signed else 'u'}{encoding.allocated // _BYTE}").tobytes()
