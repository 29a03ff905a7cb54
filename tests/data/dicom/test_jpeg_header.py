"""What a compressed frame says of itself, and frames that contradict the header of their file."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000Lossless,
)

from srexp.data.dicom.jpeg_header import MOST_SCANS, frame_header, require_few_scans
from srexp.data.formats.registry import read_image
from srexp.data.image import UnreadableImageError
from tests.data.costly_files import scans, segment
from tests.data.dicom.images import Write, unsigned

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")


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
    for frame in (b"\xff\xd8\0\0", b"\0\0\0\x0cjP  " + b"jp2c" + b"no codestream"):
        with pytest.raises(UnreadableImageError, match=r"damaged compressed frame \(no (marker|SIZ)\)"):
            frame_header(frame)


def test_fill_bytes_and_markers_without_a_length_are_passed_over() -> None:
    """ITU-T T.81 B.1.1.2: any marker may have fill bytes before it."""
    whole = bytes(imagecodecs.jpeg8_encode(np.zeros((24, 40), np.uint8)))
    assert frame_header(whole[:2] + b"\xff\xff\xff\xd0\xff\x01" + whole[2:]) == frame_header(whole)


def test_a_jpeg_of_many_scans_is_refused_and_what_is_no_jpeg_is_not() -> None:
    require_few_scans(scans(MOST_SCANS - 1))
    with pytest.raises(UnreadableImageError, match="more than 100 scans"):
        require_few_scans(scans(MOST_SCANS))
    require_few_scans(b"II*\0" + scans(MOST_SCANS))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"progressive": True, "restart_marker_blocks": 1}])
def test_no_scans_are_seen_in_pixels_texts_and_what_follows_the_image(options: dict[str, bool]) -> None:
    """Encoders write FF00 for a byte FF; in a thumbnail or a film beside the image the marker means nothing."""
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=95, **options)
    stream, many = buffer.getvalue(), b"\xff\xda\0\2" * 500
    require_few_scans(stream[:2] + segment(0xE1, many) + stream[2:] + many)
    with pytest.raises(UnreadableImageError, match="more than 100 scans"):
        require_few_scans(stream.removesuffix(b"\xff\xd9") + many)


def test_scans_are_counted_as_fast_as_a_stream_is_read() -> None:
    start = scans(0)[:-2]
    for tail in (b"\xff" * 10**7, b"\xff\xd0" * 10**7, b"\xff\x00" * 10**7, b"\xff\xd8" * 10**7):
        began = time.process_time()
        require_few_scans(start + tail)
        assert time.process_time() - began < 2
