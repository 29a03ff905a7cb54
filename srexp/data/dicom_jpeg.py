"""JPEG of 12 bits inside DICOM (process 4), which pydicom's freely licensed plugins refuse, decoded by imagecodecs.

A decoding plugin as pydicom describes it: https://pydicom.github.io/pydicom/stable/guides/plugin_table.html
"""

from __future__ import annotations

import imagecodecs
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import JPEGExtended12Bit

DECODER_DEPENDENCIES = {JPEGExtended12Bit: ("imagecodecs",)}
_LABEL = "imagecodecs"


def is_available(uid: str) -> bool:
    """Tell pydicom that the decoder is there.

    Args:
        uid: Transfer syntax.

    Returns:
        Whether it is the one decoded here.
    """
    return uid == JPEGExtended12Bit


def decode(source: bytes, runner: DecodeRunner) -> bytearray:
    """Decode a grey frame.

    Args:
        source: The JPEG codestream.
        runner: pydicom's description of the image.

    Returns:
        The values as little-endian words, or bytes up to 8 bits.

    Raises:
        ValueError: The image is not grey.
    """
    if runner.samples_per_pixel != 1:
        raise ValueError("colour JPEG of 12 bits")
    values = imagecodecs.jpeg8_decode(source)
    runner.set_option("bits_allocated", 8 * values.itemsize)
    return bytearray(values.astype(values.dtype.newbyteorder("<")).tobytes())


def register() -> None:
    """Add the decoder to pydicom's, once."""
    decoder = get_decoder(JPEGExtended12Bit)
    if _LABEL not in decoder.available_plugins:
        decoder.add_plugin(_LABEL, (__name__, decode.__name__))
