"""No name, number, date or free text of a DICOM file leaves the reading of it."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources.folder import Folder
from srexp.errors import RequestError

SECRETS = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "ID-4711-0815",
    "PatientBirthDate": "19640812",
    "AccessionNumber": "ACC99887766",
    "InstitutionName": "Hospital of Nowhere",
    "ReferringPhysicianName": "Quack^Doctor",
    "StudyDescription": "query tumour left lung",
    "PatientComments": "lives next door",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.77",
    "IssuerOfPatientID": "Registry Office",
}
WRONG_PLACES = (
    *("Modality", "PhotometricInterpretation", "NumberOfFrames", "Rows", "PixelPaddingValue", "WindowWidth"),
    *("VOILUTFunction", "RescaleSlope", "ModalityLUTSequence"),
)


def write(path: Path, number: int, **tags: object) -> None:
    data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    for keyword, value in {**SECRETS, **tags}.items():
        setattr(data, keyword, value)
    data.PatientID = f"{SECRETS['PatientID']}-{number // 2}"
    pixels = np.random.default_rng(number).integers(0, 2**15, (64, 64), np.int16)
    data.PixelData = pixels.tobytes()
    data.save_as(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Eight images of four persons, whose names are in the headers only."""
    (tmp_path / "root").mkdir()
    for number in range(8):
        write(tmp_path / "root" / f"{number}.dcm", number)
    return tmp_path / "root"


def assert_silent(*places: str) -> None:
    for place in places:
        for secret in SECRETS.values():
            for part in (secret, *secret.split("^")):
                assert part.lower() not in place.lower()


def kept(folder: Path) -> str:
    return "\n".join(path.name + path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


def prepared(root: Path, cache: Path, on_error: str = "fail") -> Prepared:
    source = Folder("f", str(root), patients="dicom", on_error=on_error)
    return prepare(source, Preparation(seed=0, channel="grey", scale=2, patch_size=16, cache_dir=cache))


def test_nothing_of_a_person_is_kept_shown_or_logged(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    data = prepared(root, tmp_path / "cache")
    assert len({row["patient"] for row in data.manifest()}) == 4
    keys = [entry.key for entries in data.entries.values() for entry in entries]
    shown = capfd.readouterr()
    assert_silent(str(data.manifest()), str(keys), data.fingerprint, kept(tmp_path / "cache"), caplog.text, *shown)


@pytest.mark.parametrize(
    ("keyword", "secret"),  # in the fast lane each keyword and each secret once
    [
        pytest.param(keyword, secret, marks=[] if place == number % len(WRONG_PLACES) else pytest.mark.slow)
        for place, keyword in enumerate(WRONG_PLACES)
        for number, secret in enumerate(SECRETS)
    ],
)
def test_secret_in_the_wrong_place_is_not_quoted(
    root: Path, keyword: str, secret: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    data = pydicom.dcmread(root / "0.dcm")
    data.add(pydicom.DataElement(keyword, "LO", SECRETS[secret]))
    data.save_as(root / "0.dcm")
    capfd.readouterr()
    caplog.clear()
    source = Folder("f", str(root), intensity="window")
    told = ""
    try:
        prepare(source, Preparation(seed=0, channel="grey", scale=2, patch_size=16))
    except RequestError as error:
        told = "".join(traceback.format_exception(error))
    assert not told or "0.dcm: " in told
    assert_silent(told, caplog.text, *capfd.readouterr())
