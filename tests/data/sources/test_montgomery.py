from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from srexp.data.preparation.prepare import prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources import montgomery
from srexp.data.sources.montgomery import Montgomery
from srexp.errors import RequestError


def png(grey: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (40, 32), grey).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def source(server, sha256, tmp_path, monkeypatch) -> Montgomery:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("MontgomerySet/NLM-MontgomeryCXRSet-ReadMe.pdf", b"read me")
        archive.writestr("MontgomerySet/CXR_png/Thumbs.db", b"thumbs")
        for number in range(1, 6):
            name = f"MCUCXR_{number:04d}_{number % 2}"
            archive.writestr(f"MontgomerySet/CXR_png/{name}.png", png(number))
            archive.writestr(f"MontgomerySet/ManualMask/leftMask/{name}.png", png(255))
            archive.writestr(f"MontgomerySet/ManualMask/rightMask/{name}.png", png(255))
            archive.writestr(f"MontgomerySet/ClinicalReadings/{name}.txt", b"Patient's Sex: F")
            archive.writestr(f"__MACOSX/MontgomerySet/CXR_png/._{name}.png", b"mac")
    server.put("set.zip", stream.getvalue())
    monkeypatch.setattr(montgomery, "SHA256", sha256(stream.getvalue()).removeprefix("sha256:"))
    monkeypatch.setattr(Montgomery, "images", 5)
    return Montgomery("montgomery", server.url("set.zip"), tmp_path / "cache")


def test_radiographs_are_taken_and_masks_readings_and_rubbish_are_not(source):
    assert "617 MB" in str(source.missing())
    with pytest.raises(RequestError, match="is not there yet"):
        source.items()

    source.download()

    items = source.items()
    assert [item.key for item in items] == [f"CXR_png/MCUCXR_{n:04d}_{n % 2}.png" for n in range(1, 6)]
    assert [item.patient for item in items] == [f"{n:04d}" for n in range(1, 6)]
    assert sorted(path.name for path in (source.cache / "montgomery" / "CXR_png").iterdir()) == [
        f"MCUCXR_{n:04d}_{n % 2}.png" for n in range(1, 6)
    ]
    assert source.missing() is None
    assert source.warnings == ()
    assert "National Library of Medicine" in source.attribution


def test_it_can_be_prepared_for_training(source):
    source.download()
    prepared = prepare(source, Preparation(seed=1, channel="grey", scale=2, patch_size=16))
    entries = [entry for part in prepared.entries.values() for entry in part]
    assert {int(prepared.read(entry).pixels[0, 0, 0]) for entry in entries} == {1, 2, 3, 4, 5}
