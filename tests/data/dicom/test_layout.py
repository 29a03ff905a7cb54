"""Frames in several pieces, pieces that break off, and frames that are too few."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    RLELossless,
)

from srexp.data.formats.registry import frames_in, read_image
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, unsigned

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")


def test_frame_in_several_pieces(write: Write, tmp_path: Path) -> None:
    path = Path(get_testdata_file("MR_small_jp2klossless.dcm"))
    data = pydicom.dcmread(path)
    data.PixelData = encapsulate([pydicom.encaps.get_frame(data.PixelData, 0, number_of_frames=1)], 4)
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "pieces.dcm")
    assert read_image(tmp_path / "pieces.dcm").digest() == read_image(path).digest()


def test_frames_in_several_pieces(samples_dir: Path, tmp_path: Path) -> None:
    path = samples_dir / "emri_small_jpeg_2k_lossless.dcm"
    data = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=10))
    data.PixelData = encapsulate(frames, 3)
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "pieces.dcm")
    for frame in (0, 9):
        assert read_image(tmp_path / "pieces.dcm", frame).digest() == read_image(path, frame).digest()


def test_compressed_pixels_that_break_off_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(Path(get_testdata_file("MR_small_jp2klossless.dcm")).read_bytes()[:-400])
    with pytest.raises(UnreadableImageError, match="have no end"):
        read_image(path)


def test_compressed_frames_that_are_too_few_are_refused(write: Write, tmp_path: Path) -> None:
    data = pydicom.dcmread(write(unsigned(8, (3, 4, 4))))
    data.compress(RLELossless)
    data.NumberOfFrames = 7
    data.save_as(tmp_path / "b.dcm")
    with pytest.raises(UnreadableImageError, match="3 compressed pieces for 7 frames"):
        frames_in(tmp_path / "b.dcm")
