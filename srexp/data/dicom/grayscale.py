"""Grey DICOM values: unused bits, padding, modality LUT, window and polarity (PS3.3 C.7.5.1.1.2, C.7.6.3, C.11)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.uid import RLELossless

from srexp.data.dicom.elements import integer, items, label, number, numbers, text, value
from srexp.data.dicom.header import Header
from srexp.data.image import Intensity, Numbers, Stored, UnreadableImageError, quantised, ranged, stored

Mask = npt.NDArray[np.bool_]

_WORD = 16
_THRESHOLD = 1e-6


def stored_values(decoded: Numbers, header: Header) -> Numbers:
    """Take the stored bits out of the allocated ones, whose rest may hold anything (PS3.5 8.1.1).

    Args:
        decoded: (h, w) or (h, w, 3), integers of 8 or 16 bits as decoded.
        header: What the image claims.

    Returns:
        The same shape, in -2**(bits-1)..2**(bits-1)-1 when signed, in 0..2**bits-1 otherwise.
    """
    values: Numbers = decoded.astype(np.int32)
    coded = header.syntax.is_encapsulated and header.syntax != RLELossless  # which packs whole words (PS3.5 G)
    if coded and header.lossy:
        low = smallest(header)
        return values.clip(low, low + 2**header.bits - 1)
    shift = 0 if coded else header.high_bit + 1 - header.bits
    values = (values >> shift) & (2**header.bits - 1)
    return np.where(values >= 2 ** (header.bits - 1), values - 2**header.bits, values) if header.signed else values


def smallest(header: Header) -> int:
    """Give the smallest value that can be stored.

    Args:
        header: What the image claims.

    Returns:
        0 or negative.
    """
    return -(2 ** (header.bits - 1)) if header.signed else 0


def to_grayscale(values: Numbers, header: Header, frame: int, intensity: Intensity) -> Stored:
    """Bring stored values to unsigned ones in which larger is brighter.

    Args:
        values: (h, w), stored values.
        header: What the image claims.
        frame: Which frame, for enhanced objects that describe each.
        intensity: See `srexp.data.dicom.reader.read`.

    Returns:
        The image; padding has the darkest value of the rest.

    Raises:
        UnreadableImageError: A lookup table, slope or window that can't be applied.
    """
    valid = ~is_padding(values, padding_of(header))
    bits, low, slope, intercept = header.bits, smallest(header), 1.0, 0.0
    table = modality_table(header)
    if table is not None:
        values, bits = _look_up(values, table, header, low, low + 2**bits - 1)
        low = 0
    else:
        slope, intercept = rescale(header.dataset, frame)
    inverted = is_inverted(header.dataset)
    if intensity == "window":
        unit = _windowed(values * slope + intercept, header, frame, incoming(header, frame))
        image = stored(quantised(np.nan_to_num(1 - unit if inverted else unit), bits), bits, lossy=header.lossy)
    else:
        brightness = values - low if inverted == (slope < 0) else low + 2**bits - 1 - values
        image = ranged(brightness, bits, intensity, lossy=header.lossy, valid=valid)
    if valid.all() or not valid.any():
        return image
    darkest = image.pixels[valid].min()
    return stored(np.where(valid[..., np.newaxis], image.pixels, darkest), bits, lossy=header.lossy)


def is_inverted(dataset: pydicom.Dataset) -> bool:
    """Tell whether larger values are darker, before any rescaling.

    A Presentation LUT Shape goes before the photometric interpretation, with which it should agree (PS3.3
    C.8.11.3.1.2), as in dcmtk.

    Args:
        dataset: The image's elements.
    """
    shape = text(dataset, "PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return text(dataset, "PhotometricInterpretation") == "MONOCHROME1"


def padding_of(header: Header) -> range | None:
    """Tell which stored values pad the image to a rectangle (PS3.3 C.7.5.1.1.2); it may be several.

    Args:
        header: What the image claims.

    Returns:
        The values, None where none is named.
    """
    if not numbers(header.dataset, "PixelPaddingValue"):
        return None
    ends = [integer(header.dataset, "PixelPaddingValue")]
    ends.append(integer(header.dataset, "PixelPaddingRangeLimit", ends[0]))
    if header.signed:  # the element is often written as unsigned all the same
        ends = [end - 2**_WORD if end >= 2 ** (_WORD - 1) else end for end in ends]
    return range(min(ends), max(ends) + 1)


def is_padding(values: Numbers, padding: range | None) -> Mask:
    """Tell the pixels that pad the image.

    Args:
        values: Stored values, any shape.
        padding: What pads, see `padding_of`.

    Returns:
        The same shape.
    """
    if padding is None:
        return np.zeros(values.shape, bool)
    return (values >= padding.start) & (values < padding.stop)


def _look_up(values: Numbers, item: pydicom.Dataset, header: Header, low: float, high: float) -> tuple[Numbers, int]:
    """Map integers between low and high by a lookup table (PS3.3 C.11.1.1), those beyond its ends to its end entries.

    Returns:
        The mapped values in 0..2**bits-1, and bits.
    """
    length, first, bits = map(int, numbers(item, "LUTDescriptor", 3) or [0, 0, 0])
    entries, first = length % 2**_WORD or 2**_WORD, first_mapped(first, low, high)
    data = value(item, "LUTData")
    if isinstance(data, bytes):
        order = "<" if header.dataset.original_encoding[1] else ">"
        width = 1 if len(data) < 2 * entries else 2
        lut = np.frombuffer(data[: len(data) // width * width], f"{order}u{width}").astype(np.int32)[:entries]
    else:
        lut = np.array(numbers(item, "LUTData"), np.int32)[:entries]
    if not 8 <= bits <= _WORD or len(lut) < entries or lut.min() < 0 or lut.max() >= 2**bits:  # noqa: PLR2004
        raise UnreadableImageError(
            f"has {len(lut)} values as {label('LUTData')}, where {label('LUTDescriptor')} says {entries} of {bits} bits"
        )
    return np.asarray(lut[np.clip(values - first, 0, entries - 1)]), bits


def incoming(header: Header, frame: int) -> tuple[float, float]:
    """Give the smallest and the largest value that can come out of the modality LUT, to be windowed.

    Args:
        header: What the image claims.
        frame: Which frame.

    Returns:
        Both ends.
    """
    table = modality_table(header)
    if table is not None:
        return 0, 2 ** int((numbers(table, "LUTDescriptor", 3) or [0])[-1]) - 1
    slope, intercept = rescale(header.dataset, frame)
    low, high = sorted(end * slope + intercept for end in (smallest(header), smallest(header) + 2**header.bits - 1))
    return low, high


def first_mapped(first: int, low: float, high: float) -> int:
    """Tell the first value that a lookup table maps from 16 bits that may or may not have a sign (PS3.3 C.11.2.1.1).

    Its sign is that of the values which come in, after rescaling, whereas files and pydicom go by that of the pixels.

    Args:
        first: As read.
        low: Smallest value that can come in.
        high: Largest.

    Returns:
        The reading next to those values.

    Example:
        >>> first_mapped(64512, -1024, 3071), first_mapped(-25536, 0, 65535)
        (-1024, 40000)
    """
    span = 1 << _WORD
    alike = [first, first - span, first + span]
    return min(alike, key=lambda each: (max(low - each, each - high, 0), (each < 0) != (low < 0), abs(each - first)))


def modality_table(header: Header) -> pydicom.Dataset | None:
    """Give the modality LUT, None where there is none."""
    return next(iter(items(header.dataset, "ModalityLUTSequence")), None)


def rescale(dataset: pydicom.Dataset, frame: int) -> tuple[float, float]:
    """Give slope and intercept; what has none is left as it is.

    Args:
        dataset: The image's elements.
        frame: Which frame, for enhanced objects that describe each.

    Returns:
        Slope, never 0, and intercept.

    Raises:
        UnreadableImageError: The slope is 0.
    """
    source = _describing(dataset, frame, "PixelValueTransformationSequence", "RescaleSlope")
    slope, intercept = number(source, "RescaleSlope", 1.0), number(source, "RescaleIntercept", 0.0)
    if slope == 0:
        raise UnreadableImageError("has a RescaleSlope (0028,1053) of 0, which leaves no image")
    return slope, intercept


def _windowed(values: Numbers, header: Header, frame: int, ends: tuple[float, float]) -> Numbers:
    """Apply the first VOI LUT or window (PS3.3 C.11.2) to values between two ends, giving [0, 1]."""
    for table in items(header.dataset, "VOILUTSequence")[:1]:
        looked_up, bits = _look_up(np.floor(values + 0.5).astype(np.int32), table, header, *ends)
        return np.asarray(looked_up / (2**bits - 1))
    source = _describing(header.dataset, frame, "FrameVOILUTSequence", "WindowWidth")
    center, width = number(source, "WindowCenter", math.nan), number(source, "WindowWidth", math.nan)
    function = text(source, "VOILUTFunction").upper() or "LINEAR"
    smallest_width = {"LINEAR": 1, "LINEAR_EXACT": 0, "SIGMOID": 0}.get(function, math.inf)
    if math.isnan(center) or not (width > smallest_width or width == 1):
        raise UnreadableImageError(
            "has no VOI window (0028,1051) that can be applied: "
            f"{label('WindowCenter')}, {label('WindowWidth')}, {label('VOILUTFunction')}",
            fix="dataset.intensity=bits or dataset.intensity=percentile",
        )
    if function == "LINEAR":  # a width of 1 is a threshold
        center, width = center - 0.5, max(width - 1, _THRESHOLD)
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp((-4 * (values - center) / width).clip(-500, 500))))
    return np.asarray(((values - center) / width + 0.5).clip(0, 1))


def _describing(dataset: pydicom.Dataset, frame: int, macro: str, keyword: str) -> pydicom.Dataset:
    """Find the data set that holds an element: the frame's, the one shared by the frames, or the image's own."""
    groups = [
        *items(dataset, "PerFrameFunctionalGroupsSequence")[frame : frame + 1],
        *items(dataset, "SharedFunctionalGroupsSequence")[:1],
    ]
    for group in groups:
        for item in items(group, macro)[:1]:
            if keyword in item:
                return item
    return dataset
