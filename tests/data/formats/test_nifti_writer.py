"""NIfTI stays in its place, and a stretched volume comes out as words."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from srexp.data.formats.registry import frames_in, read_image
from srexp.data.image import UnreadableImageError
from tests.data.formats.rewriting import FILES, nifti, through, tiff


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


def test_floating_point_is_stretched_and_comes_out_as_words(rng: np.random.Generator, tmp_path: Path) -> None:
    for path in (
        tiff(tmp_path / "a.tif", rng.random((9, 8), np.float32)),
        nifti(tmp_path / "a.nii", rng.random((9, 8, 2), np.float32)),
    ):
        [target] = through(path, tmp_path / "out" / path.name, intensity="percentile")
        for frame in frames_in(path):
            before, after = read_image(path, frame, "percentile"), read_image(target, frame)
            assert after.bits == 16
            np.testing.assert_array_equal(after.pixels, before.pixels)


@pytest.mark.parametrize(
    ("kind", "intensity", "kept"),
    [
        (np.int8, "bits", np.int8), (np.uint8, "bits", np.uint8), (np.int16, "bits", np.int16),
        (np.uint16, "bits", np.uint16), (np.int8, "percentile", np.uint8), (np.int16, "percentile", np.uint16),
    ],
)  # fmt: skip
@pytest.mark.parametrize("slope", [2.0, -0.5])
def test_a_volume_keeps_its_type_and_a_stretched_one_its_width(
    rng: np.random.Generator,
    tmp_path: Path,
    kind: type[np.generic],
    intensity: str,
    kept: type[np.generic],
    *,
    slope: float,
) -> None:
    limits = np.iinfo(kind)
    stored = rng.integers(limits.min, limits.max, (3, 4, 2, 3), kind, endpoint=True)
    stored[0, 0], stored[1, 0] = limits.min, limits.max
    path = nifti(tmp_path / "a.nii", stored, slope, 7)
    [target] = through(path, tmp_path / "out" / "a.nii", scale=2, intensity=intensity)
    after = nibabel.load(target)
    assert (after.get_data_dtype(), after.shape) == (np.dtype(kept), (6, 8, 2, 3))
    if intensity == "bits":
        assert (after.dataobj.slope, after.dataobj.inter) == (slope, 7)
        np.testing.assert_array_equal(after.dataobj.get_unscaled(), stored.repeat(2, 0).repeat(2, 1))
    else:
        assert (after.dataobj.slope, after.dataobj.inter) == (1, 0)


@pytest.mark.parametrize(("name", "compressed"), [("a.nii", False), ("a.nii.gz", True), ("A.NII.GZ", True)])
def test_the_name_says_whether_a_volume_is_compressed(tmp_path: Path, name: str, compressed: bool) -> None:
    path = nifti(tmp_path / "a.nii", np.zeros((3, 4, 2), np.uint8))
    [target] = through(path, tmp_path / "out" / name)
    assert (target.read_bytes()[:2] == b"\x1f\x8b") == compressed


@pytest.mark.parametrize(("sform", "qform"), [(0, 0), (0, 1), (2, 0), (4, 1)])
def test_each_way_to_say_where_a_volume_lies_stays_with_its_code(
    rng: np.random.Generator, tmp_path: Path, sform: int, qform: int
) -> None:
    turned = np.array([[0, -2, 0, 5], [3, 0, 0, 7], [0, 0, 4, 9], [0, 0, 0, 1.0]])
    upright = np.array([[3, 0, 0, -5], [0, 2, 0, 8], [0, 0, 4, 1], [0, 0, 0, 1.0]])
    image = nibabel.Nifti1Image(rng.integers(0, 99, (8, 6, 4), np.uint8), None)
    image.header.set_zooms((3, 2, 4))
    image.set_sform(turned if sform else None, sform)
    image.set_qform(upright if qform else None, qform)
    image.to_filename(path := tmp_path / "a.nii")
    [target] = through(path, tmp_path / "out" / "a.nii", scale=2)
    after = nibabel.load(target)
    grid = np.array([[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 1, 0], [0, 0, 0, 1]])
    for code, place, was in (
        (sform, after.get_sform(coded=True), turned),
        (qform, after.get_qform(coded=True), upright),
    ):
        assert place[1] == code
        assert place[0] is None if not code else place[0] == pytest.approx(was @ grid)
    assert after.header.get_zooms() == pytest.approx((1.5, 1, 4))


def test_as_many_pixels_as_the_header_can_say_are_written(tmp_path: Path) -> None:
    for shape in ((2**15 - 1, 1, 1), (1, 2**15 - 1, 1)):
        path = nifti(tmp_path / "a.nii", np.zeros(shape, np.uint8))
        assert nibabel.load(through(path, tmp_path / "out" / "a.nii")[0]).shape == shape


def test_more_pixels_than_the_header_can_say_are_refused(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", np.zeros((2**14, 2, 1), np.uint8))
    with pytest.raises(UnreadableImageError, match="would become 4 x 32768 pixels, where NIfTI has room for 32767"):
        through(path, tmp_path / "out" / "a.nii", scale=2)


@pytest.mark.parametrize(("intensity", "kept"), [("bits", True), ("percentile", False)])
def test_display_range_and_meaning_go_with_the_values(
    rng: np.random.Generator, tmp_path: Path, intensity: str, *, kept: bool
) -> None:
    volume = nibabel.Nifti1Image(rng.integers(0, 4000, (9, 8, 2)).astype(np.int16), np.eye(4))
    volume.header["cal_min"], volume.header["cal_max"] = 100, 900
    volume.header.set_intent("z score", name="activation")
    volume.to_filename(path := tmp_path / "a.nii")
    [target] = through(path, tmp_path / "out" / path.name, intensity=intensity)
    header = nibabel.load(target).header
    assert (header["cal_min"], header["cal_max"]) == ((100, 900) if kept else (0, 0))
    assert header.get_intent() == (("z score", (), "activation") if kept else ("none", (), ""))


def test_what_counts_the_old_grid_in_a_header_goes(rng: np.random.Generator, tmp_path: Path) -> None:
    """Slices that were acquired may lie along any axis; extensions of AFNI and DICOM describe the old object."""
    for axis, kept in ((0, False), (1, False), (2, True)):
        image = nibabel.Nifti1Image(rng.integers(0, 99, (8, 6, 4), np.uint8), np.eye(4))
        image.header.set_dim_info(slice=axis)
        said = {"slice_start": 1, "slice_end": 3, "slice_code": 1, "slice_duration": 0.5}
        for key, value in said.items():
            image.header[key] = value
        for code, content in ((2, b"DICM"), (4, b"<AFNI_attributes/>"), (6, b"a comment")):
            image.header.extensions.append(nibabel.nifti1.Nifti1Extension(code, content))
        image.to_filename(tmp_path / f"{axis}.nii")
        [target] = through(tmp_path / f"{axis}.nii", tmp_path / "out" / f"{axis}.nii", scale=2)
        header = nibabel.load(target).header
        left = {key: float(header[key]) for key in said}
        assert (header.get_dim_info()[2], left) == (axis, said if kept else dict.fromkeys(said, 0))
        assert [each.get_code() for each in header.extensions] == [6]
