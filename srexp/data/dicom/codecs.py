"""Which decoder decodes which compression inside DICOM, and libjpeg-turbo as one of pydicom's decoders.

The choice is narrow on purpose. GDCM, which pydicom would prefer, ends the whole process on damaged JPEG data;
pylibjpeg-libjpeg is under the GPL; and neither GDCM's plugin nor Pillow decodes 12 bits. libjpeg-turbo, which the
package imagecodecs brings, decodes lossless JPEG and 12 bits and raises on damage. How a plugin looks:
https://pydicom.github.io/pydicom/stable/guides/decoding/decoder_plugins.html
"""

from __future__ import annotations

import imagecodecs
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

_TURBO = "libjpeg-turbo"
#: The plugin for each compressed transfer syntax that can be read.
DECODERS = {
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGExtended12Bit: _TURBO,
    uid.JPEGLossless: _TURBO,
    uid.JPEGLosslessSV1: _TURBO,
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
    uid.RLELossless: "pydicom",
}

DECODER_DEPENDENCIES = {syntax: ("imagecodecs",) for syntax, plugin in DECODERS.items() if plugin == _TURBO}
_END_OF_IMAGE, _PADDING = b"\xff\xd9", 16


def is_available(syntax: str) -> bool:
    """Tell pydicom that the decoder is there.

    Args:
        syntax: Transfer syntax.

    Returns:
        Whether it is decoded here.
    """
    return syntax in DECODER_DEPENDENCIES


def decode(source: bytes, runner: DecodeRunner) -> bytearray:
    """Decode a frame with libjpeg-turbo.

    Args:
        source: The JPEG codestream.
        runner: pydicom's description of the image, which learns how values and colours are laid out.

    Returns:
        The values as little-endian words, or bytes up to 8 bits; colours of one pixel side by side.

    Raises:
        ValueError: The codestream breaks off, where libjpeg-turbo would fill the rest with grey.
    """
    if _END_OF_IMAGE not in source[-_PADDING:]:
        raise ValueError("no end of image")
    values = imagecodecs.jpeg8_decode(source)
    runner.set_option("bits_allocated", 8 * values.itemsize)
    runner.set_option("planar_configuration", 0)
    return bytearray(values.astype(values.dtype.newbyteorder("<")).tobytes())


def register() -> None:
    """Add the decoder to pydicom's, once."""
    for syntax in DECODER_DEPENDENCIES:
        decoder = get_decoder(syntax)
        if _TURBO not in decoder.available_plugins:
            decoder.add_plugin(_TURBO, (__name__, decode.__name__))
