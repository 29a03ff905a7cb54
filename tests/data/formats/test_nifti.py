"""NIfTI slices against the arrays they were written from."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.image import UnreadableImageError
from srexp.data.sources.folder import Folder
from tests.data.formats.rewriting import enlarged, through, through_and_lost

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")


def written(path: Path, values: np.ndarray, slope: float | None = None) -> Path:
    volume = nibabel.Nifti1Image(values, np.eye(4))
    if slope is not None:  # nibabel would rescale the values, so the header is changed afterwards
        data = bytearray(volume.to_bytes())
        offset = nibabel.Nifti1Header.template_dtype.fields["scl_slope"][1]
        data[offset : offset + 8] = np.array([slope, 5], "<f4").tobytes()
        path.write_bytes(data)
        return path
    volume.to_filename(path)
    return path


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize(("kind", "offset"), [(np.uint8, 0), (np.int16, 2**15), (np.uint16, 0)])
def test_each_slice_keeps_its_values(
    rng: np.random.Generator, tmp_path: Path, suffix: str, kind: type, offset: int
) -> None:
    limits = np.iinfo(kind)
    values = rng.integers(limits.min, limits.max, (6, 5, 4), kind, endpoint=True)
    path = written(tmp_path / f"v.{suffix}", values)
    assert list(frames_in(path)) == [0, 1, 2, 3]
    assert shape_of(path) == (5, 6)
    for frame in range(4):
        expected = values[:, ::-1, frame].T.astype(int) + offset
        image = read_image(path, frame)
        np.testing.assert_array_equal(image.pixels[..., 0], expected)
        assert image.bits == limits.bits


def test_further_axes_run_slower(rng: np.random.Generator, tmp_path: Path) -> None:
    values = rng.integers(0, 99, (3, 2, 4, 5), np.uint8)
    path = written(tmp_path / "v.nii", values)
    assert len(frames_in(path)) == 20
    np.testing.assert_array_equal(read_image(path, 4 * 3 + 2).pixels[..., 0], values[:, ::-1, 2, 3].T)


@pytest.mark.parametrize(("slope", "turned"), [(2.0, False), (-2.0, True)])
def test_scaling_only_relabels_but_for_its_sign(
    rng: np.random.Generator, tmp_path: Path, slope: float, turned: bool
) -> None:
    values = rng.integers(0, 256, (3, 2, 1), np.uint8)
    expected = values[:, ::-1, 0].T
    image = read_image(written(tmp_path / "v.nii", values, slope))
    np.testing.assert_array_equal(image.pixels[..., 0], 255 - expected if turned else expected)


def test_floating_point_needs_percentiles(rng: np.random.Generator, tmp_path: Path) -> None:
    values = rng.normal(size=(6, 5, 2)).astype(np.float32)
    values[0, 0, 0] = np.nan
    path = written(tmp_path / "v.nii", values)
    with pytest.raises(UnreadableImageError, match=r"no stored bit depth[\s\S]*dataset.intensity=percentile"):
        read_image(path)
    image = read_image(path, intensity="percentile")
    assert (image.bits, image.pixels.min(), image.pixels.max()) == (16, 0, 65535)


@pytest.mark.parametrize("kind", [np.int32, np.complex64])
def test_other_types_are_refused(tmp_path: Path, kind: type) -> None:
    with pytest.raises(UnreadableImageError, match=f"holds {np.dtype(kind).name} values"):
        read_image(written(tmp_path / "v.nii", np.zeros((2, 2, 2), kind)))


def test_colours_are_refused_as_such(tmp_path: Path) -> None:
    colours = np.zeros((2, 2, 2), [("R", np.uint8), ("G", np.uint8), ("B", np.uint8)])
    with pytest.raises(UnreadableImageError, match="holds RGB values"):
        read_image(written(tmp_path / "v.nii", colours))


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_truncated_volume_is_refused(rng: np.random.Generator, tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"v.{suffix}", rng.integers(0, 99, (20, 20, 20), np.uint8))
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(UnreadableImageError, match="truncated"):
        read_image(path, 19)


def test_volume_that_claims_more_than_the_file_can_hold_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "v.nii", np.zeros((4, 4, 4), np.uint8))
    data = bytearray(path.read_bytes())
    data[46:48] = (32767).to_bytes(2, "little")  # dim[3]
    path.write_bytes(data)
    with pytest.raises(UnreadableImageError, match="4 x 4 x 32767 values don't fit"):
        frames_in(path)


def test_slices_are_images_of_one_patient(tmp_path: Path) -> None:
    written(tmp_path / "sub-01.nii.gz", np.zeros((4, 4, 3), np.uint8))
    items = Folder("f", str(tmp_path)).items()
    assert [(item.key, item.patient) for item in items] == [(f"sub-01.nii.gz#{n}", "sub-01.nii.gz") for n in range(3)]


@pytest.mark.parametrize("name", ["volume", "volume.png", "volume.gz", "v.nii.gz", "v.nii"])
@pytest.mark.parametrize("compressed", [True, False])
def test_the_content_is_read_whatever_the_file_is_called(
    rng: np.random.Generator, tmp_path: Path, name: str, compressed: bool
) -> None:
    values = rng.integers(0, 99, (3, 2, 2), np.uint8)
    content = nibabel.Nifti1Image(values, np.eye(4)).to_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if compressed else content)
    assert len(frames_in(tmp_path / name)) == 2
    np.testing.assert_array_equal(read_image(tmp_path / name, 1).pixels[..., 0], values[:, ::-1, 1].T)
    [target] = through(tmp_path / name, tmp_path / "out" / name, scale=2)
    np.testing.assert_array_equal(read_image(target, 1).pixels, enlarged(read_image(tmp_path / name, 1).pixels, 2))


@pytest.mark.parametrize("code", [1002, 1005])
def test_labels_are_no_grey_values(tmp_path: Path, code: int) -> None:
    volume = nibabel.Nifti1Image(np.zeros((3, 2, 1), np.uint8), np.eye(4))
    volume.header["intent_code"] = code
    volume.to_filename(tmp_path / "v.nii")
    with pytest.raises(UnreadableImageError, match=f"holds labels \\(intent code {code}\\)"):
        read_image(tmp_path / "v.nii")


def test_a_range_to_be_shown_is_said_where_it_is_lost(tmp_path: Path) -> None:
    volume = nibabel.Nifti1Image(np.zeros((3, 2, 1), np.uint8), np.eye(4))
    volume.header["cal_max"] = 99
    volume.to_filename(tmp_path / "v.nii")
    lost = {
        intensity: through_and_lost(tmp_path / "v.nii", tmp_path / "out" / "v", wanted="png", intensity=intensity)[1]
        for intensity in ("bits", "percentile")
    }
    assert lost == {"bits": ["range of values to be shown not kept, for which PNG has no place"], "percentile": []}
