"""Values go back to files as they came: bits, sign, polarity; and the description says the new size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from srexp.data.formats.registry import frames_in, read_image
from srexp.data.formats.signatures import kind_of
from srexp.data.formats.writers import output_names, target_format, target_names
from srexp.errors import RequestError
from tests.data.formats.rewriting import FILES, enlarged, through, through_and_lost, tiff, values


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("scale", [1, 3])
def test_values_come_back_at_their_bit_depth(tmp_path: Path, name: str, scale: int) -> None:
    path = FILES[name](tmp_path)
    [target] = through(path, tmp_path / "out" / path.name, scale=scale)
    assert kind_of(target) == kind_of(path)
    assert list(frames_in(target)) == list(frames_in(path))
    for frame in frames_in(path):
        before, after = read_image(path, frame), read_image(target, frame)
        assert (after.bits, after.lossy) == (before.bits, False)
        np.testing.assert_array_equal(after.pixels, enlarged(before.pixels, scale))


@pytest.mark.parametrize(
    ("wanted", "kind", "bits"), [("png", "png", 16), ("tiff", "tiff", 12), ("jpeg", "jpeg", 8), ("bmp", "bmp", 8)]
)
def test_another_kind_keeps_the_range(tmp_path: Path, wanted: str, kind: str, bits: int) -> None:
    smooth = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    path = tiff(tmp_path / "a.tif", smooth, bitspersample=12)
    [target] = through(path, tmp_path / "out" / "a.x", wanted=wanted)
    image = read_image(target)
    assert (kind_of(target), image.bits) == (kind, bits)
    assert image.to_float() == pytest.approx(
        read_image(path).to_float(), abs=0.02 if wanted == "jpeg" else 0.6 / 2**bits * 16
    )


def test_several_images_become_several_files_where_one_holds_one(tmp_path: Path) -> None:
    path = FILES["tiff16_pages"](tmp_path)
    targets = through(path, tmp_path / "out" / "a.png", wanted="png")
    assert [target.name for target in targets] == ["a_0000.png", "a_0001.png", "a_0002.png"]
    for frame, target in enumerate(targets):
        np.testing.assert_array_equal(read_image(target).pixels, read_image(path, frame).pixels)


def test_names() -> None:
    kinds = {
        "scan.nii.gz": ("nifti", "nifti"),
        "s/1.2.840": ("dicom", "png"),
        "s/A.DCM": ("dicom", "png"),
        "s/A.tif": ("tiff", "png"),
        "s/kept.jpg": ("png", "png"),
    }
    assert target_names(kinds) == {
        "scan.nii.gz": "scan.nii.gz",
        "s/1.2.840": "s/1.2.840.png",
        "s/A.DCM": "s/A.DCM.png",
        "s/A.tif": "s/A.tif.png",
        "s/kept.jpg": "s/kept.jpg",
    }
    for kind, ending in {"png": "png", "jpeg": "jpg", "bmp": "bmp", "tiff": "tif", "dicom": "dcm"}.items():
        assert target_names({"a.raw": ("nifti", kind)}) == {"a.raw": f"a.raw.{ending}"}
    with pytest.raises(RequestError, match="NumPy"):
        target_format("npy", "same")


def test_what_is_wanted_and_what_is_read_choose_the_kind() -> None:
    kinds = ("png", "jpeg", "bmp", "tiff", "dicom")
    for read in (*kinds, "nifti"):
        assert target_format(read, "same") == read
        assert [target_format(read, wanted) for wanted in kinds] == list(kinds)
    assert target_format("npy", "png") == "png"


def test_names_meet_whatever_their_case_and_one_that_stays_is_kept() -> None:
    kinds = {"a.png": ("png", "png"), "A.tif": ("tiff", "png"), "b.NII.GZ": ("nifti", "tiff"), "c": ("png", "png")}
    assert target_names(kinds) == {"a.png": "a.png", "A.tif": "A.tif.png", "b.NII.GZ": "b.tif", "c": "c"}
    assert target_names({"x.dcm": ("dicom", "png")}) == {"x.dcm": "x.png"}


def test_one_image_of_several_has_its_own_name_and_several_their_numbers() -> None:
    for kind in ("png", "jpeg", "bmp"):
        assert output_names("a.b.x", kind, (0,)) == output_names("a.b.x", kind, (7,)) == ["a.b.x"]
        assert output_names("a.b.x", kind, (3, 12345)) == ["a.b_0003.x", "a.b_12345.x"]
    for kind in ("tiff", "dicom", "nifti"):
        assert output_names("a.x", kind, (0, 1)) == ["a.x"]


def test_what_each_page_loses_is_said_once(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", values(16, (3, 6, 5)), iccprofile=b"x")
    _, lost = through_and_lost(path, tmp_path / "out" / "a.bmp", wanted="bmp")
    assert lost == [f"{each} not kept, for which BMP has no place" for each in ("colour profile", "more than 8 bits")]
