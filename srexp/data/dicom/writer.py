"""DICOM of restored images: stored values as the original means them, in an object derived from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import pydicom
from pydicom.valuerep import DSfloat

from srexp.data.dicom.derived import derived, keep_frames, secondary_capture
from srexp.data.dicom.elements import label
from srexp.data.dicom.grayscale import incoming
from srexp.data.dicom.header import Header, quiet, read_header
from srexp.data.dicom.reader import stored_frame
from srexp.data.dicom.sop_classes import check_geometry
from srexp.data.dicom.stored_values import Encoding, as_stored, encoding_of, sign_tables, unsigned, with_padding
from srexp.data.image import Numbers, UnreadableImageError, refusing
from srexp.data.restored_image import Origin, Provenance, Restored
from srexp.system.files.digests import sha256

_LONGEST_SIDE, _LARGEST_ELEMENT = 2**16 - 1, 2**32 - 2
_BYTE, _MM = 8, 1.0
_PIXEL_DATA = pydicom.tag.Tag("PixelData")


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
    with TemporaryFile(dir=target.parent) as scratch:
        make = _derived if origin.kind == "dicom" else _captured
        dataset = make(origin, made, images, scratch)
        scratch.write(b"\0" * (scratch.tell() % 2))
        scratch.seek(0)
        dataset.add_new("PixelData", "OW", scratch)
        _save(dataset, target)


def _derived(origin: Origin, made: Provenance, images: Iterable[Restored], scratch: IO[bytes]) -> pydicom.Dataset:
    with origin.path.open("rb") as file, refusing("damaged DICOM header"):
        header = read_header(file)
        file.seek(0)
        source = pydicom.dcmread(file, stop_before_pixels=True)
        keep_frames(source, origin.frames)
    if made.scale > 1:
        check_geometry(source)
    if "TotalPixelMatrixRows" in source:
        raise UnreadableImageError("is part of a whole-slide image, whose tiles can't be enlarged one by one")
    pages = iter(images)
    first = next(pages)
    encoding = _encoding(first, header, origin)
    shape = _size(first, encoding, len(origin.frames))
    with refusing("has a damaged description"):
        some = origin.frames if len(origin.frames) < header.frames else ()
        made_of_it = derived(source, encoding, shape, made, lossy=header.lossy, frames=some)
        if encoding.window_kept:
            sign_tables(made_of_it, *incoming(header, 0))
    _save(made_of_it, BytesIO())  # what can't be written is refused before the network runs, which it does from here on
    for image in chain([first], pages):
        _put_as_before(image, _encoding(image, header, origin), origin, made.scale, scratch)
    return made_of_it


def _encoding(image: Restored, header: Header, origin: Origin) -> Encoding:
    return encoding_of(header, bits=image.bits, channels=image.shape[-1], frame=image.frame, intensity=origin.intensity)


def _put_as_before(image: Restored, encoding: Encoding, origin: Origin, scale: int, scratch: IO[bytes]) -> None:
    """Write a frame's values as the original means them."""
    original = stored_frame(origin.path, image.frame) if encoding.padding else np.zeros((0, 0))
    for top, block in _blocks(image, encoding):
        values = as_stored(block, encoding)
        _put(with_padding(values, original, encoding, top=top, scale=scale), encoding, scratch)


def _save(dataset: pydicom.Dataset, target: Path | BytesIO) -> None:
    try:
        dataset.save_as(target, enforce_file_format=True)
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # pydicom makes others of its own
            raise
        raise UnreadableImageError(f"has {_unwritable(dataset)} that can't be written again") from None


def _unwritable(dataset: pydicom.Dataset) -> str:
    """Name the first element that can't be written by itself."""
    for tag in sorted(set(dataset.keys()) - {_PIXEL_DATA}):
        alone = pydicom.Dataset()
        alone.PixelRepresentation = dataset.PixelRepresentation
        try:
            alone[tag] = dataset[tag]
            alone.save_as(BytesIO(), implicit_vr=False, little_endian=True)
        except Exception:  # noqa: BLE001
            return label(tag)
    return "elements"


def _captured(origin: Origin, made: Provenance, images: Iterable[Restored], scratch: IO[bytes]) -> pydicom.Dataset:
    if len(origin.frames) > 1:
        raise UnreadableImageError(
            f"holds {len(origin.frames)} images, which don't make one DICOM file", fix="format=tiff"
        )
    (image,) = images
    colour = image.shape[-1] > 1
    bits = _BYTE if colour else image.bits  # secondary capture has no colours of 16 bits
    encoding = unsigned(max(bits, _BYTE), "RGB" if colour else "MONOCHROME2")
    shape = _size(image, encoding, 1)
    for _, block in _blocks(image, encoding):
        _put(block, encoding, scratch)
    captured = secondary_capture(sha256(origin.path), encoding, shape, made)
    if resolution := image.display.resolution:
        across, down = resolution.per(_MM)
        if resolution.unit:  # PS3.3 C.8.6.2: on what was scanned, not in a patient
            captured.NominalScannedPixelSpacing = [DSfloat(1 / each, auto_format=True) for each in (down, across)]
        elif across != down:
            captured.PixelAspectRatio = list(resolution.ratio())
    return captured


def _size(image: Restored, encoding: Encoding, frames: int) -> tuple[int, int]:
    """Give height and width, and refuse what DICOM can't hold, before the image is made."""
    height, width, _ = image.shape
    if max(height, width) > _LONGEST_SIDE:
        raise UnreadableImageError(
            f"would become {height} x {width} pixels, where DICOM has room for {_LONGEST_SIDE}", fix="format=tiff"
        )
    length = frames * height * width * encoding.samples * encoding.allocated // _BYTE
    if length > _LARGEST_ELEMENT:
        raise UnreadableImageError(
            f"would have {length:,} bytes of pixels, more than DICOM holds uncompressed", fix="format=tiff"
        )
    return height, width


def _blocks(image: Restored, encoding: Encoding) -> Iterator[tuple[int, Numbers]]:
    """Give a few rows at a time, with the row that they begin at."""
    top = 0
    for block in image.blocks(encoding.bits):
        yield top, block if encoding.samples > 1 else block[..., 0]
        top += len(block)


def _put(values: Numbers, encoding: Encoding, scratch: IO[bytes]) -> None:
    kind = f"<{'i' if encoding.signed else 'u'}{encoding.allocated // _BYTE}"
    scratch.write(np.ascontiguousarray(values, dtype=kind).tobytes())
