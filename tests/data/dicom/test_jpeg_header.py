"""What a compressed frame says of itself, and frames that contradict the header of their file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000Lossless,
)

from srexp.data.dicom.jpeg_header import frame_header
from srexp.data.formats.registry import read_image
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, unsigned


def test_signed_codestream_of_unsigned_values_is_refused(tmp_path: Path) -> None:
    data = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    data.PixelRepresentation = 0
    data.save_as(tmp_path / "a.dcm")
    with pytest.raises(UnreadableImageError, match="contradicts itself"):
        read_image(tmp_path / "a.dcm")


def test_compressed_frame_of_another_kind_is_refused(write: Write, tmp_path: Path) -> None:
    data = pydicom.dcmread(write(unsigned(8, (4, 4))))
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    data.PixelData = encapsulate([b"no codestream at all"])
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "b.dcm")
    with pytest.raises(UnreadableImageError, match="holds a frame that is not JPEG 2000"):
        read_image(tmp_path / "b.dcm")


@pytest.mark.parametrize("encode", [imagecodecs.jpeg8_encode, imagecodecs.jpegls_encode, imagecodecs.jpeg2k_encode])
@pytest.mark.parametrize("shape", [(24, 40), (24, 40, 3)])
def test_size_and_precision_are_read_before_decoding(encode: Callable[..., bytes], shape: tuple[int, ...]) -> None:
    header = frame_header(bytes(encode(np.zeros(shape, np.uint8))))
    assert header is not None
    assert (header.rows, header.columns, header.components, header.precision) == (24, 40, len(shape) * 2 - 3, 8)
    assert not header.signed


def test_other_bytes_have_no_such_header_and_half_a_one_is_refused() -> None:
    assert frame_header(b"no image") is None
    whole = bytes(imagecodecs.jpeg8_encode(np.zeros((24, 40), np.uint8)))
    with pytest.raises(UnreadableImageError, match="damaged compressed frame"):
        frame_header(whole[:20])
