"""Grey DICOM values: unused bits, padding, modality LUT, window and polarity (PS3.3 C.7.5.1.1.2, C.7.6.3, C.11)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pydicom

from srexp.data.dicom.header import Header, integer
from srexp.data.image import Intensity, Numbers, Stored, UnreadableImageError, quantised, ranged, refusing, stored

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
    if header.syntax.is_encapsulated and header.lossy:
        low = smallest(header)
        return values.clip(low, low + 2**header.bits - 1)
    shift = 0 if header.syntax.is_encapsulated else header.high_bit + 1 - header.bits
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
        values, bits = _look_up(values, table, header)
        low = 0
    else:
        slope, intercept = rescale(header.dataset, frame)
    inverted = header.photometric == "MONOCHROME1"
    if intensity == "window":
        unit = _windowed(values * slope + intercept, header, frame)
        image = stored(quantised(np.nan_to_num(1 - unit if inverted else unit), bits), bits, lossy=header.lossy)
    else:
        brightness = values - low if inverted == (slope < 0) else low + 2**bits - 1 - values
        image = ranged(brightness, bits, intensity, lossy=header.lossy, valid=valid)
    if valid.all() or not valid.any():
        return image
    darkest = image.pixels[valid].min()
    return stored(np.where(valid[..., np.newaxis], image.pixels, darkest), bits, lossy=header.lossy)


def padding_of(header: Header) -> range | None:
    """Tell which stored values pad the image to a rectangle (PS3.3 C.7.5.1.1.2); it may be several.

    Args:
        header: What the image claims.

    Returns:
        The values, None where none is named.
    """
    if header.dataset.get("PixelPaddingValue") in (None, ""):
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


def _look_up(values: Numbers, item: pydicom.Dataset, header: Header) -> tuple[Numbers, int]:
    """Map integers by a lookup table (PS3.3 C.11.1.1); values beyond its ends take its end entries.

    Returns:
        The mapped values in 0..2**bits-1, and bits.
    """
    with refusing("damaged lookup table"):
        entries, first, bits = (int(number) for number in item.LUTDescriptor)
        entries = entries % 2**_WORD or 2**_WORD
        if header.signed and first >= 2 ** (_WORD - 1):
            first -= 2**_WORD
        data = item.LUTData
        if isinstance(data, bytes):
            order = "<" if header.dataset.original_encoding[1] else ">"
            data = np.frombuffer(data, "u1" if len(data) < 2 * entries else f"{order}u2")
        lut = np.asarray(data, np.int32)[:entries]
        if not 8 <= bits <= _WORD or len(lut) < entries or lut.min() < 0 or lut.max() >= 2**bits:  # noqa: PLR2004
            raise UnreadableImageError(f"has a lookup table of {len(lut)} values for {entries} entries of {bits} bits")
        return np.asarray(lut[np.clip(values - first, 0, entries - 1)]), bits


def modality_table(header: Header) -> pydicom.Dataset | None:
    """Give the modality LUT, None where there is none."""
    return _first_item(header.dataset, "ModalityLUTSequence")


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
    slope, intercept = _number(source, "RescaleSlope", 1.0), _number(source, "RescaleIntercept", 0.0)
    if slope == 0:
        raise UnreadableImageError("has a RescaleSlope (0028,1053) of 0, which leaves no image")
    return slope, intercept


def _windowed(values: Numbers, header: Header, frame: int) -> Numbers:
    """Apply the first VOI LUT or window (PS3.3 C.11.2), giving [0, 1]."""
    table = _first_item(header.dataset, "VOILUTSequence")
    if table is not None:
        looked_up, bits = _look_up(np.floor(values + 0.5).astype(np.int32), table, header)
        return np.asarray(looked_up / (2**bits - 1))
    source = _describing(header.dataset, frame, "FrameVOILUTSequence", "WindowWidth")
    center, width = _number(source, "WindowCenter", math.nan), _number(source, "WindowWidth", math.nan)
    function = str(source.get("VOILUTFunction") or "LINEAR").upper()
    smallest_width = {"LINEAR": 1, "LINEAR_EXACT": 0, "SIGMOID": 0}.get(function, math.inf)
    if math.isnan(center) or not (width > smallest_width or width == 1):
        raise UnreadableImageError(
            "has no VOI window (0028,1051) that can be applied",
            fix="dataset.intensity=bits or dataset.intensity=percentile",
        )
    if function == "LINEAR":  # a width of 1 is a threshold
        center, width = center - 0.5, max(width - 1, _THRESHOLD)
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp((-4 * (values - center) / width).clip(-500, 500))))
    return np.asarray(((values - center) / width + 0.5).clip(0, 1))


def _describing(dataset: pydicom.Dataset, frame: int, macro: str, keyword: str) -> pydicom.Dataset:
    """Find the data set that holds an element: the frame's, the one shared by the frames, or the image's own."""
    with refusing("damaged functional groups"):
        groups = [
            *list(dataset.get("PerFrameFunctionalGroupsSequence") or [])[frame : frame + 1],
            *list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1],
        ]
        for group in groups:
            item = _first_item(group, macro)
            if item is not None and keyword in item:
                return item
    return dataset


def _first_item(dataset: pydicom.Dataset, keyword: str) -> pydicom.Dataset | None:
    """Give the first item of a sequence, None when there is no sequence or it is empty."""
    with refusing(f"has a damaged {keyword}"):
        items = dataset.get(keyword)
        return items[0] if items else None


def _number(dataset: pydicom.Dataset, keyword: str, default: float) -> float:
    """Give the first value of an element that holds numbers."""
    with refusing(f"has an invalid {keyword}"):
        value = dataset.get(keyword)
        if isinstance(value, pydicom.multival.MultiValue):
            value = value[0] if value else None
        number = default if value is None or value == "" else float(value)
        return number if math.isfinite(number) else default
