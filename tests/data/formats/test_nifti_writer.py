"""NIfTI stays in its place, and a stretched volume comes out as words."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from srexp.data.formats.registry import frames_in, read_image
from srexp.data.image import UnreadableImageError
from tests.data.formats.rewriting import FILES, RNG, nifti, through, tiff


def test_nifti_stays_in_its_place(tmp_path: Path) -> None:
    path = FILES["nifti_signed"](tmp_path)
    [target] = through(path, tmp_path / "out" / path.name, scale=3)
    before, after = nibabel.load(path), nibabel.load(target)
    assert after.shape == (15, 18, 3)
    assert (after.dataobj.slope, after.dataobj.inter) == (0.5, -3)
    assert after.header.get_zooms() == pytest.approx((1, 2 / 3, 4))
    assert [int(after.header[f"{form}_code"]) for form in ("sform", "qform")] == [
        int(before.header[f"{form}_code"]) for form in ("sform", "qform")
    ]
    corners = np.array([[-0.5, -0.5, 0, 1], [4.5, -0.5, 0, 1], [-0.5, 5.5, 2, 1]])
    finer = np.array([[-0.5, -0.5, 0, 1], [14.5, -0.5, 0, 1], [-0.5, 17.5, 2, 1]])
    assert finer @ after.affine.T == pytest.approx(corners @ before.affine.T, abs=1e-5)


def test_floating_point_is_stretched_and_comes_out_as_words(tmp_path: Path) -> None:
    for path in (
        tiff(tmp_path / "a.tif", RNG.random((9, 8), np.float32)),
        nifti(tmp_path / "a.nii", RNG.random((9, 8, 2), np.float32)),
    ):
        [target] = through(path, tmp_path / "out" / path.name, intensity="percentile")
        for frame in frames_in(path):
            before, after = read_image(path, frame, "percentile"), read_image(target, frame)
            assert after.bits == 16
            np.testing.assert_array_equal(after.pixels, before.pixels)


def test_more_pixels_than_the_header_can_say_are_refused(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", np.zeros((2**14, 2, 1), np.uint8))
    with pytest.raises(UnreadableImageError, match="would become 4 x 32768 pixels, where NIfTI has room for 32767"):
        through(path, tmp_path / "out" / "a.nii", scale=2)


@pytest.mark.parametrize(("intensity", "kept"), [("bits", True), ("percentile", False)])
def test_display_range_and_meaning_go_with_the_values(tmp_path: Path, intensity: str, *, kept: bool) -> None:
    volume = nibabel.Nifti1Image(RNG.integers(0, 4000, (9, 8, 2)).astype(np.int16), np.eye(4))
    volume.header["cal_min"], volume.header["cal_max"] = 100, 900
    volume.header.set_intent("z score", name="activation")
    volume.to_filename(path := tmp_path / "a.nii")
    [target] = through(path, tmp_path / "out" / path.name, intensity=intensity)
    header = nibabel.load(target).header
    assert (header["cal_min"], header["cal_max"]) == ((100, 900) if kept else (0, 0))
    assert header.get_intent() == (("z score", (), "activation") if kept else ("none", (), ""))


def test_what_counts_the_old_grid_in_a_header_goes(tmp_path: Path) -> None:
    """Slices that were acquired may lie along any axis; extensions of AFNI and DICOM describe the old object."""
    for axis, kept in ((0, False), (1, False), (2, True)):
        image = nibabel.Nifti1Image(RNG.integers(0, 99, (8, 6, 4), np.uint8), np.eye(4))
        image.header.set_dim_info(slice=axis)
        image.header["slice_end"], image.header["slice_code"], image.header["slice_duration"] = 3, 1, 0.5
        for code, content in ((2, b"DICM"), (4, b"<AFNI_attributes/>"), (6, b"a comment")):
            image.header.extensions.append(nibabel.nifti1.Nifti1Extension(code, content))
        image.to_filename(tmp_path / f"{axis}.nii")
        [target] = through(tmp_path / f"{axis}.nii", tmp_path / "out" / f"{axis}.nii", scale=2)
        header = nibabel.load(target).header
        said = [float(header[key]) for key in ("slice_end", "slice_code", "slice_duration")]
        assert (header.get_dim_info()[2], said) == (axis, [3, 1, 0.5] if kept else [0, 0, 0])
        assert [each.get_code() for each in header.extensions] == [6]
