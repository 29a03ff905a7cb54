from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from srexp.data.degradation.given import Given
from srexp.data.sources.paired import Pair, Paired, size_offence
from srexp.errors import RequestError
from tests.data.dicom.images import save, unsigned


def image(path: Path, side: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((side, side), side % 256, np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for number in range(4):
        image(tmp_path / "high" / f"p{number // 2}" / f"{number}.png", 64)
        image(tmp_path / "low" / f"p{number // 2}" / f"{number}.tif", 32)
    return tmp_path


def paired(folders: Path, **options: object) -> Paired:
    return Paired("paired", str(folders), **options)


def test_partners_have_the_same_relative_name_whatever_the_extension(folders):
    pairs = paired(folders, patients=r"(p\d)/").items()
    assert all(isinstance(pair, Pair) for pair in pairs)
    assert [(pair.key, pair.low.path.name, pair.patient) for pair in pairs] == [
        ("p0/0.png", "0.tif", "p0"),
        ("p0/1.png", "1.tif", "p0"),
        ("p1/2.png", "2.tif", "p1"),
        ("p1/3.png", "3.tif", "p1"),
    ]


def test_limit_takes_one_pair_of_each_patient_first(folders):
    assert [pair.key for pair in paired(folders, patients=r"(p\d)/", limit=2).items()] == ["p0/0.png", "p1/2.png"]


def test_frames_are_paired_by_number(tmp_path):
    for folder, side in (("high", 16), ("low", 8)):
        (tmp_path / folder).mkdir()
        pages = [Image.new("L", (side, side), page) for page in range(3)]
        pages[0].save(tmp_path / folder / "stack.tif", save_all=True, append_images=pages[1:])
    pairs = paired(tmp_path).items()
    assert [(pair.key, pair.low.frame) for pair in pairs] == [(f"stack.tif#{frame}", frame) for frame in range(3)]


def test_the_folders_may_have_other_names_and_places(folders):
    (folders / "low").rename(folders / "old machine")
    elsewhere = Paired("paired", "/nowhere", str(folders / "old machine"), str(folders / "high"))
    beside = Paired("paired", str(folders), "old machine")
    assert elsewhere.items() == beside.items()
    assert len(beside.items()) == 4


def test_images_without_a_partner_are_named(folders):
    (folders / "low" / "p0" / "1.tif").unlink()
    with pytest.raises(RequestError, match=r"dataset\.low lacks the partner of 1 images: p0/1"):
        paired(folders).items()
    image(folders / "low" / "p0" / "1.tif", 32)
    for number in range(10, 20):
        image(folders / "low" / f"{number}.png", 32)
    with pytest.raises(RequestError, match=r"dataset\.high lacks the partner of 10 images: .* and 5 more"):
        paired(folders).items()


def test_two_files_of_one_name_are_ambiguous(folders):
    image(folders / "high" / "p0" / "0.bmp", 64)
    with pytest.raises(RequestError, match=r"dataset\.high has 1 names twice") as caught:
        paired(folders).items()
    assert "p0/0.bmp" in str(caught.value.got)
    assert "p0/0.png" in str(caught.value.got)


@pytest.mark.parametrize("side", ["low", "high"])
def test_a_folder_that_is_not_there_is_called_by_its_key(folders, side):
    (folders / side).rename(folders / f"{side}_images")
    with pytest.raises(RequestError) as caught:
        paired(folders).items()
    assert f"dataset.{side} is not there" in caught.value.what
    assert "dataset.root" not in str(caught.value)


@given(low=st.tuples(st.integers(1, 300), st.integers(1, 300)), scale=st.integers(1, 8), spare=st.integers(0, 7))
def test_sizes_that_scale_makes_fit(low, scale, spare):
    high = (low[0] * scale + spare % scale, low[1] * scale)
    assert size_offence(high, low, scale) is None


@given(low=st.tuples(st.integers(10, 300), st.integers(10, 300)), scale=st.integers(1, 4), other=st.integers(1, 8))
def test_sizes_of_another_scale_are_refused_with_the_scale_that_fits(low, scale, other):
    offence = size_offence((low[0] * other, low[1] * other), low, scale)
    assert (offence is None) == (scale == other)
    if offence:
        assert f"(fix: scale={other})" in offence


def test_sizes_that_no_scale_makes_fit_are_refused_without_advice():
    assert size_offence((100, 200), (50, 70), 2) == (
        "is 100 x 200 and its low-resolution partner 50 x 70 instead of 50 x 100"
    )


def test_given_makes_nothing():
    degradation = Given()
    assert degradation.halo(2) == 0
    assert not degradation.degenerate(1)
    with pytest.raises(RequestError, match="dataset=paired"):
        degradation(np.zeros((4, 4, 1), np.float32), 2, np.random.default_rng(0))


def test_accents_of_another_form_are_the_same_name(folders):
    image(folders / "high" / "p\u00e9.png", 64)
    image(folders / "low" / "pe\u0301.png", 32)
    assert [pair.low.key for pair in paired(folders).items() if pair.key == "p\u00e9.png"] == ["pe\u0301.png"]
    image(folders / "low" / "p\u00e9.tif", 32)
    with pytest.raises(RequestError, match=r"dataset\.low has 1 names twice"):
        paired(folders).items()


@pytest.mark.parametrize(
    ("high", "low", "fits"),
    [
        (("7", "H"), ("7", "H"), True),
        (("7", "H"), ("7", None), True),
        (("7", None), ("7", "H"), True),
        (("7", "H"), (None, None), True),
        (("7", "H"), ("8", "H"), False),
        (("7", None), ("07", None), False),
    ],
)
def test_partners_are_of_one_patient(tmp_path, high, low, fits):
    for folder, (patient, issuer) in (("high", high), ("low", low)):
        (tmp_path / folder).mkdir()
        tags = {"PatientID": patient, "IssuerOfPatientID": issuer}
        save(tmp_path / folder / "a.dcm", unsigned(8), ExplicitVRLittleEndian, CTImageStorage, **tags)
    with nullcontext() if fits else pytest.raises(RequestError, match="1 images of another patient") as refused:
        assert len(paired(tmp_path, patients="dicom").items()) == 1
    if refused:
        assert "a.dcm" in str(refused.value)
        assert len(paired(tmp_path, patients=r"(\w+)").items()) == 1  # names decide


def test_a_partner_that_is_no_dicom_has_no_other_patient(tmp_path):
    (tmp_path / "high").mkdir()
    save(tmp_path / "high" / "a.dcm", unsigned(8), ExplicitVRLittleEndian, CTImageStorage, PatientID="7")
    image(tmp_path / "low" / "a.png", 32)
    assert [pair.low.path.name for pair in paired(tmp_path, patients="dicom").items()] == ["a.png"]
