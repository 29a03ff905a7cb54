"""DICOM: any transfer syntax that pydicom and its plugins decode, brought to unsigned values with white on top.

The steps of PS3.3 C.7.6.3 and C.11 are applied in their order: stored value, modality LUT, window, polarity. A
rescale slope and intercept only relabel the stored range, so a positive slope changes nothing and a negative one
turns the range over. Overlays are not part of the image. No text of a file leaves this module.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pydicom
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import RLELossless

from srexp.data.dicom.codecs import DECODERS, register
from srexp.data.dicom.derived import is_restoration
from srexp.data.dicom.description import described
from srexp.data.dicom.display import display_of
from srexp.data.dicom.elements import integer, label, numbers, text
from srexp.data.dicom.grayscale import stored_values, to_grayscale
from srexp.data.dicom.header import Header, quiet, read_header
from srexp.data.dicom.jpeg_header import frame_header, require_few_scans
from srexp.data.dicom.layout import encoded_frame
from srexp.data.image import Intensity, Numbers, Stored, UnreadableImageError, displayed, ranged, refusing
from srexp.data.restored_image import Origin, Provenance

register()


def shape_of(path: Path) -> tuple[int, int]:
    """Read the size off the header.

    Args:
        path: A DICOM file.

    Returns:
        Height and width.

    Raises:
        UnreadableImageError: No image that can be used, and why.
    """
    with path.open("rb") as file:
        header = _header(file)
    return header.rows, header.columns


def frames_in(path: Path) -> range:
    """List the frames, from the header.

    Args:
        path: A DICOM file.

    Returns:
        At least one position.

    Raises:
        UnreadableImageError: No image that can be used, and why.
    """
    with path.open("rb") as file:
        return range(_header(file).frames)


def patient_of(path: Path) -> str:
    """Give issuer and value of PatientID, as `formats.registry.patient_of` does for whoever asks."""
    quiet()
    with path.open("rb") as file, refusing("damaged DICOM header"):
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["PatientID", "IssuerOfPatientID"])
        patient = text(header, "PatientID")
        if not patient:
            raise UnreadableImageError(
                "has no PatientID (0010,0020)", fix="dataset.patients=null, a pattern or a CSV file"
            )
        return f"{text(header, 'IssuerOfPatientID')}/{patient}"


def identity_of(path: Path) -> tuple[str, str, str, bool]:
    """Give UIDs, and whether srexp made it, as `formats.registry.identity_of` does for whoever asks."""
    with path.open("rb") as file:
        image = _header(file).dataset
    uids = (text(image, f"{level}InstanceUID") for level in ("Study", "Series", "SOP"))
    return (*uids, is_restoration(image))  # type: ignore[return-value] # three texts


def read(path: Path, frame: int, intensity: Intensity) -> Stored:
    """Decode one frame.

    Args:
        path: A DICOM file.
        frame: Which frame, from 0.
        intensity: `bits` keeps the stored range (or that of the modality LUT), `window` clips to the VOI window or
            LUT and requantises to the stored bits, `percentile` stretches the image. Colour is never windowed.

    Returns:
        The image; larger is brighter, padding has the darkest value, colours are red, green, blue.

    Raises:
        UnreadableImageError: No image that can be used, and why.
    """
    with path.open("rb") as file:
        header = _header(file)
        if not 0 <= frame < header.frames:
            raise UnreadableImageError(f"has no frame {frame}")
        decoded = _decode(file, header, frame)
    with refusing("damaged description of grey values or colours"), np.errstate(all="ignore"):
        return displayed(_image(decoded, header, frame, intensity), display_of(header.dataset, frame, intensity))


def _image(decoded: Numbers, header: Header, frame: int, intensity: Intensity) -> Stored:
    if header.photometric == "PALETTE COLOR":
        return _palette(decoded, header, intensity)
    values = stored_values(decoded, header)
    if header.samples == 1:
        return to_grayscale(values, header, frame, intensity)
    return ranged(values, header.bits, intensity, lossy=header.lossy)


def description_of(
    path: Path, origin: Origin, made: Provenance, shape: tuple[int, int, int], bits: int
) -> tuple[Numbers, list[tuple[Any, ...]]]:
    """Describe what is made of an image, as `formats.registry.description_of` does for whoever asks."""
    with path.open("rb") as file:
        return described(file, _header(file), origin, made, shape=shape, bits=bits)


def stored_frame(path: Path, frame: int) -> Numbers:
    """Decode one frame and leave its values as they are stored.

    Args:
        path: A DICOM file.
        frame: Which frame, from 0.

    Returns:
        (h, w), or (h, w, 3); negative values where they are signed.

    Raises:
        UnreadableImageError: No image that can be used, and why.
    """
    with path.open("rb") as file:
        header = _header(file)
        return stored_values(_decode(file, header, frame), header)


class _Last(threading.local):
    """The header read last by this thread: the frames of one file are mostly read one after the other."""

    identity: tuple[int, ...] | None = None
    header: Header | None = None


_last = _Last()


def _header(file: BinaryIO) -> Header:
    status = os.fstat(file.fileno())
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if _last.header is None or _last.identity != identity:
        _last.header = read_header(file)
        _last.identity = identity
    return _last.header


def _decode(file: BinaryIO, header: Header, frame: int) -> Numbers:
    """Decode one frame as it is encoded, (h, w) or (h, w, 3)."""
    layout, options = header.layout, _options(header)
    with refusing(f"damaged or undecodable pixel data ({header.syntax.name})"):
        decoder = get_decoder(header.syntax)
        if layout is None:
            return decoder.as_array(header.dataset.PixelData, index=frame, **options)[0]
        file.seek(layout.start)
        if not header.syntax.is_encapsulated:
            return decoder.as_array(file, index=frame, **options)[0]
        encoded = encoded_frame(file, layout, frame, header.frames)
        if encoded is None:
            tables = [header.dataset.get(f"ExtendedOffsetTable{part}") for part in ("", "Lengths")]
            offsets = (tables[0], tables[1]) if all(tables) else None
            encoded = get_frame(file, frame, number_of_frames=header.frames, extended_offsets=offsets)
        _check_codestream(encoded, header)
        options |= {"number_of_frames": 1, "decoding_plugin": DECODERS[header.syntax]}
        return decoder.as_array(encapsulate([encoded]), index=0, **options)[0]


def _options(header: Header) -> dict[str, Any]:
    """Tell a decoder what was checked of the image, and nothing else of the file."""
    planar = integer(header.dataset, "PlanarConfiguration", 0) if header.samples > 1 else 0
    if planar not in (0, 1):
        raise UnreadableImageError(f"has {planar} as {label('PlanarConfiguration')}, where 0 or 1 is expected")
    return {
        "rows": header.rows,
        "columns": header.columns,
        "number_of_frames": header.frames,
        "samples_per_pixel": header.samples,
        "photometric_interpretation": header.photometric,
        "planar_configuration": planar,
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits,
        "pixel_representation": int(header.signed),
        "transfer_syntax_uid": header.syntax,
        "pixel_keyword": "PixelData",
        "pixel_vr": (header.layout and header.layout.vr) or ("OW" if header.bits_allocated > 8 else "OB"),  # noqa: PLR2004
        "correct_unused_bits": False,
    }


def _check_codestream(encoded: bytes, header: Header) -> None:
    """Refuse a compressed frame that is another image than the header says."""
    claim = frame_header(encoded)
    if claim is None:
        if header.syntax != RLELossless:
            raise UnreadableImageError(f"holds a frame that is not {header.syntax.name}")
        return
    if (claim.rows, claim.columns, claim.components) != (header.rows, header.columns, header.samples):
        raise UnreadableImageError(
            f"has a compressed frame of {claim.rows} x {claim.columns} x {claim.components}, "
            f"where the header says {header.rows} x {header.columns} x {header.samples}"
        )
    require_few_scans(encoded)
    if claim.signed and not header.signed:
        raise UnreadableImageError(
            "contradicts itself: signed compressed values, unsigned Pixel Representation (0028,0103)"
        )


def _palette(indices: Numbers, header: Header, intensity: Intensity) -> Stored:
    """Look the colours up (PS3.3 C.7.6.3.1.5)."""
    descriptors = [f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")]
    bits = min(int((numbers(header.dataset, keyword, 3) or [0])[-1]) for keyword in descriptors)
    with refusing(f"has a palette that does not fit its {label(descriptors[0])}"):
        colours = apply_color_lut(indices, header.dataset)
        if colours.shape[-1] != 3 or bits not in (8, 16):  # noqa: PLR2004
            raise UnreadableImageError(f"has a palette of {colours.shape[-1]} colours with {bits} bits")
    return ranged(colours, bits, intensity, lossy=header.lossy)
