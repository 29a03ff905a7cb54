"""The part of a DICOM file before its pixels: what the image claims to be, and the refusal of what is no image."""

from __future__ import annotations

import logging
import os
import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import pydicom
from pydicom import uid
from pydicom.uid import UID

from srexp.data.dicom import elements
from srexp.data.dicom.codecs import DECODERS
from srexp.data.dicom.elements import integer, label, text, value
from srexp.data.dicom.layout import Layout, check_complete, layout_of
from srexp.data.dicom.sop_classes import check_image
from srexp.data.image import UnreadableImageError, check_size, refusing

_GREY = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}
_COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
_ALLOCATED, _MIN_STORED = (8, 16), 8

_UNCOMPRESSED = {
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
}
#: Transfer syntaxes that are read.
SYNTAXES = (*_UNCOMPRESSED, *DECODERS)

# PS3.5 A.4 and pydicom.uid: transfer syntaxes that may lose something.
_LOSSY_SYNTAXES = {
    UID(f"1.2.840.10008.1.2.4.{number}") for number in (50, 51, 52, 53, 54, 55, 56, 59, 60, 63, 64, 81, 91, 93, 203)
}

_DEFLATED, _HEAD_BYTES = b"1.2.840.10008.1.2.1.99", 2048
_GROUP_LENGTH_ELEMENT = b"\x02\x00\x00\x00UL\x04\x00"
_INFLATED_LIMIT = 2**28
_MOST_ELEMENTS = 100_000  # an object of 2,000 frames with 40 elements each has fewer
_CHUNK = 2**20
_THIRD_PARTY = re.compile("pydicom|pylibjpeg|libjpeg|openjpeg|rle")


@dataclass(frozen=True, slots=True)
class Header:
    """What an image claims, checked.

    Args:
        dataset: All elements before the pixels (after them too when the file is deflated).
        syntax: Transfer syntax, which says how the pixels are encoded.
        rows: Height.
        columns: Width.
        frames: Number of images, at least 1.
        samples: 1, or 3 for colour.
        photometric: Photometric interpretation.
        bits_allocated: 8 or 16.
        bits: Bits stored, 8 to 16.
        high_bit: Position of the highest stored bit.
        signed: Whether stored values are in two's complement.
        lossy: Whether the pixels have been through a lossy compression at any time.
        layout: Where the pixels lie in the file, None when the file is deflated and the data set holds them.
    """

    dataset: pydicom.Dataset
    syntax: UID
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits: int
    high_bit: int
    signed: bool
    lossy: bool
    layout: Layout | None


def quiet() -> None:
    """Keep pydicom and its plugins from printing: their warnings and log lines quote the file's text."""
    if ("ignore", None, Warning, _THIRD_PARTY, 0) not in warnings.filters:
        warnings.filterwarnings("ignore", module=_THIRD_PARTY.pattern)
    for name in ("pydicom", "pylibjpeg", "libjpeg", "openjpeg", "rle"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def read_header(file: BinaryIO) -> Header:
    """Read up to the pixels and check what is claimed.

    Args:
        file: The file, at its beginning.

    Returns:
        The header.

    Raises:
        UnreadableImageError: Damaged, no image, or of a kind that can't be kept exactly.
    """
    quiet()
    deflated = _DEFLATED in file.read(_HEAD_BYTES)
    file.seek(0)
    with refusing("damaged DICOM header"):
        if deflated:
            _check_inflated_size(file)
        dataset = pydicom.dcmread(file, stop_before_pixels=not deflated)
        if (count := _elements_in(dataset)) > _MOST_ELEMENTS:
            raise UnreadableImageError(f"has {count:,} elements, where {_MOST_ELEMENTS:,} are read")
    syntax = elements.uid(dataset.file_meta, "TransferSyntaxUID")
    check_image(dataset)
    if not syntax:
        raise UnreadableImageError("has no Transfer Syntax UID (0002,0010), so the pixels can't be decoded")
    if syntax not in SYNTAXES:
        raise UnreadableImageError("has a transfer syntax that srexp does not decode", fix="decompress it")
    layout = None if deflated else layout_of(file, dataset, syntax)
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    try:
        check_size(rows, columns)
    except UnreadableImageError as error:
        raise type(error)(f"{error.reason}: {label('Rows')}, {label('Columns')}", fix=error.fix) from None
    photometric = text(dataset, "PhotometricInterpretation")
    header = Header(
        dataset=dataset,
        syntax=syntax,
        rows=rows,
        columns=columns,
        frames=max(1, integer(dataset, "NumberOfFrames", 1)),
        samples=integer(dataset, "SamplesPerPixel", 3 if photometric in _COLOUR else 1),
        photometric=photometric,
        bits_allocated=integer(dataset, "BitsAllocated"),
        bits=integer(dataset, "BitsStored"),
        high_bit=integer(dataset, "HighBit", integer(dataset, "BitsStored") - 1),
        signed=bool(integer(dataset, "PixelRepresentation", 0)),
        lossy=syntax in _LOSSY_SYNTAXES or text(dataset, "LossyImageCompression") == "01",
        layout=layout,
    )
    _check_pixel_format(header)
    _check_length(header)
    return header


def _elements_in(dataset: pydicom.Dataset) -> int:
    """Count elements, items and what these hold: whoever describes what is made of the image goes through all."""
    return len(dataset) + sum(1 + _elements_in(item) for _, item in elements.nested(dataset))


def _check_inflated_size(file: BinaryIO) -> None:
    """Refuse a deflated file that unpacks to more than memory should hold (PS3.5 A.5, PS3.10 7.1)."""
    tag_and_length, group_length = struct.unpack("<8sI", file.read(144)[132:])
    if tag_and_length != _GROUP_LENGTH_ELEMENT:
        raise UnreadableImageError("is deflated and has no file meta group length (0002,0000)")
    file.seek(group_length, os.SEEK_CUR)
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while chunk := file.read(_CHUNK):
        while chunk:
            total += len(inflater.decompress(chunk, _CHUNK))
            chunk = inflater.unconsumed_tail
            if total > _INFLATED_LIMIT:
                raise UnreadableImageError(f"unpacks to more than {_INFLATED_LIMIT:,} bytes")
    file.seek(0)


def _check_pixel_format(header: Header) -> None:
    if header.samples not in (1, 3) or header.photometric not in (_GREY if header.samples == 1 else _COLOUR):
        known = header.photometric in _GREY | _COLOUR
        raise UnreadableImageError(
            f"has {header.samples} samples per pixel with "
            f"{header.photometric if known else 'an unknown photometric interpretation'}: "
            f"{label('SamplesPerPixel')}, {label('PhotometricInterpretation')}"
        )
    if header.bits_allocated not in _ALLOCATED:
        raise UnreadableImageError(
            f"has {header.bits_allocated} bits allocated per sample, where 8 or 16 can be read: "
            f"{label('BitsAllocated')}"
        )
    if (
        not _MIN_STORED <= header.bits <= header.bits_allocated
        or not header.bits <= header.high_bit + 1 <= header.bits_allocated
    ):
        raise UnreadableImageError(
            f"stores {header.bits} of {header.bits_allocated} bits with high bit {header.high_bit}, "
            f"where 8 to {header.bits_allocated} can be read: {label('BitsStored')}, {label('HighBit')}"
        )


def _check_length(header: Header) -> None:
    halved = header.photometric == "YBR_FULL_422" and not header.syntax.is_encapsulated
    frame_bytes = header.rows * header.columns * (2 if halved else header.samples) * header.bits_allocated // 8
    layout = header.layout
    if layout is None:
        layout = Layout(0, len(value(header.dataset, "PixelData") or b""), None, ())
    check_complete(layout, header.frames, frame_bytes)
