"""From brightness back to stored DICOM values: the inverse of `dicom.grayscale`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydicom.dataset import Dataset

from srexp.data.dicom.elements import items, numbers
from srexp.data.dicom.grayscale import (
    first_mapped,
    is_inverted,
    is_padding,
    modality_table,
    padding_of,
    rescale,
    smallest,
)
from srexp.data.dicom.header import Header
from srexp.data.image import Intensity, Numbers
from srexp.data.restored_image import file_bits

_BYTE, _WORD = 8, 16


@dataclass(frozen=True, slots=True)
class Encoding:
    """How values are stored (PS3.3 C.7.6.3).

    Args:
        allocated: Bits allocated, 8 or 16.
        bits: Bits stored.
        low: Smallest value that can be stored; negative where values are signed.
        photometric: Photometric interpretation.
        inverted: Whether larger stored values are darker.
        padding: Values that pad the image.
        modality_kept: Whether stored values mean to the modality what they meant before.
        window_kept: Whether the window of the original applies to them.
    """

    allocated: int
    bits: int
    low: int
    photometric: str
    inverted: bool = False
    padding: range | None = None
    modality_kept: bool = True
    window_kept: bool = True

    @property
    def signed(self) -> bool:
        """Whether values are stored in two's complement."""
        return self.low < 0

    @property
    def samples(self) -> int:
        """Samples per pixel."""
        return 3 if self.photometric == "RGB" else 1


def unsigned(bits: int, photometric: str) -> Encoding:
    """Describe plain unsigned values that no description of another image applies to."""
    return Encoding(file_bits(bits), bits, 0, photometric, modality_kept=False, window_kept=False)


def encoding_of(header: Header, *, bits: int, channels: int, frame: int, intensity: Intensity) -> Encoding:
    """Say how a restored frame is stored, so that it means what the original meant.

    Args:
        header: What the original claims.
        bits: Bit depth that its brightness was read with.
        channels: 1, or 3 for colour, which comes out as RGB.
        frame: Which frame.
        intensity: How brightness was read. `bits` is undone; a window or a stretch can't be, and stays.

    Returns:
        The encoding.
    """
    if channels > 1:  # a palette's entries have 16 bits, of which its values tell 256 apart
        palette = header.photometric == "PALETTE COLOR"
        colours = unsigned(_BYTE if palette else bits, "RGB")
        return replace(colours, modality_kept=intensity == "bits" and not palette)
    if intensity != "bits":
        return unsigned(bits, "MONOCHROME2")
    inverted = is_inverted(header.dataset)
    if modality_table(header) is not None:  # it has many values for one, so what it gives is stored
        return Encoding(file_bits(bits), bits, 0, header.photometric, inverted, modality_kept=False)
    photometric = "MONOCHROME1" if header.photometric == "MONOCHROME1" else "MONOCHROME2"
    inverted = inverted != (rescale(header.dataset, frame)[0] < 0)
    padding = padding_of(header)
    return Encoding(header.bits_allocated, header.bits, smallest(header), photometric, inverted, padding)


def as_stored(brightness: Numbers, encoding: Encoding) -> Numbers:
    """Turn brightness into stored values.

    Args:
        brightness: Any shape, in 0..2**bits-1, larger is brighter.
        encoding: How values are stored.

    Returns:
        The same shape.

    Example:
        >>> as_stored(np.array([0, 1023]), Encoding(16, 10, 0, "MONOCHROME1", inverted=True)).tolist()
        [1023, 0]
    """
    values = brightness.astype(np.int32)
    return encoding.low + (2**encoding.bits - 1 - values if encoding.inverted else values)


def sign_tables(image: Dataset, low: float, high: float) -> None:
    """Say of each VOI LUT whether its first value has a sign, as explicit files must (PS3.3 C.11.2.1.1).

    Args:
        image: Elements of an image; they change in place.
        low: Smallest value that can come in.
        high: Largest.
    """
    for item in items(image, "VOILUTSequence"):
        if descriptor := numbers(item, "LUTDescriptor", 3):
            length, first, bits = map(int, descriptor)
            first = first_mapped(first, low, high)
            length = length % 2**_WORD - (2**_WORD if first < 0 and length % 2**_WORD >= 2 ** (_WORD - 1) else 0)
            item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [length, first, bits])


def with_padding(values: Numbers, original: Numbers, encoding: Encoding, *, top: int, scale: int) -> Numbers:
    """Put padding back where it was, and let no pixel of the image become padding.

    Args:
        values: Some rows of restored stored values, (rows, w * scale).
        original: Stored values of the whole original, (h, w).
        encoding: How values are stored.
        top: Row of the restored image that `values` begins at.
        scale: How many times larger the image became.

    Returns:
        The rows; padding is that of the original pixel over it.
    """
    padding = encoding.padding
    if padding is None:
        return values
    fits_above = padding.stop < encoding.low + 2**encoding.bits
    beside = padding.stop if fits_above else padding.start - 1
    values = np.where(is_padding(values, padding), beside, values)
    rows, columns = np.arange(top, top + len(values)) // scale, np.arange(values.shape[1]) // scale
    over = original[rows][:, columns]
    return np.where(is_padding(over, padding), over, values)
