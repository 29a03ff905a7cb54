from __future__ import annotations

import io
import random
import subprocess
import sys
import tarfile

import pytest
from PIL import Image

from srexp.data.preparation.prepare import prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources import nih_sample
from srexp.data.sources.nih_sample import ARCHIVES, NihSample
from srexp.errors import RequestError

CUT = 30_000


def png(seed: int, size: int = 48) -> bytes:
    stream = io.BytesIO()
    Image.frombytes("L", (size, size), random.Random(seed).randbytes(size * size)).save(stream, "PNG")
    return stream.getvalue()


def tarball(number: int) -> bytes:
    """Radiographs of patients with up to three images, as NIH's archives hold them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        folder = tarfile.TarInfo("images/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for index in range(30):
            content = png(1000 * number + index)
            info = tarfile.TarInfo(f"images/{100 * number + index // 3:08d}_{index % 3:03d}.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture(scope="module")
def tarballs() -> list[bytes]:
    return [tarball(number) for number in range(2)]


@pytest.fixture
def mirror(server, tarballs, sha256, monkeypatch):
    """A server with two tarballs, and a module that knows their prefixes."""
    links = []
    for number, content in enumerate(tarballs):
        server.put(f"shared/static/link{number}.gz", content, etag=f'"{number}"')
        links.append((f"link{number}", sha256(content[:CUT]).removeprefix("sha256:")))
    monkeypatch.setattr(nih_sample, "ARCHIVES", tuple(links))
    monkeypatch.setattr(nih_sample, "PREFIX_BYTES", CUT)
    monkeypatch.setattr(NihSample, "images", 24)
    return server


@pytest.fixture
def source(mirror, tmp_path) -> NihSample:
    return NihSample("nih_sample", mirror.url("shared/static/"), tmp_path / "cache")


def test_twelve_prefixes_of_fourteen_mebibytes_are_known():
    assert nih_sample.PREFIX_BYTES == 14_680_064
    assert len(ARCHIVES) == len({link for link, _ in ARCHIVES}) == len({digest for _, digest in ARCHIVES}) == 12
    assert all(len(link) == 32 and len(digest) == 64 and int(digest, 16) for link, digest in ARCHIVES)


def test_before_the_download_nothing_is_asked_and_the_way_is_said(source, mirror):
    assert "2 of 2 files" in str(source.missing())
    with pytest.raises(RequestError, match="is not there yet") as caught:
        source.items()
    assert caught.value.fix == "python -m srexp data dataset=nih_sample"
    assert source.warnings == ()
    assert mirror.asked == []


def test_the_whole_images_of_each_prefix_are_listed_by_patient(source, mirror):
    source.download()

    items = source.items()
    assert source.missing() is None
    assert len(items) == 24
    assert items[0].key == "images_001/00000000_000.png"
    assert items[12].key == "images_002/00000100_000.png"
    assert {item.patient for item in items[:4]} == {"00000000", "00000001"}
    assert all(item.split is None for item in items)
    assert source.warnings == ()
    assert {asked.headers["Range"] for asked in mirror.asked} == {f"bytes=0-{CUT - 1}"}
    assert {asked.method for asked in mirror.asked} == {"GET"}
    assert "Wang" in source.attribution


def test_it_can_be_prepared_for_training(source):
    source.download()
    prepared = prepare(source, Preparation(seed=1, channel="grey", scale=2, patch_size=16))
    patients = [{entry.patient for entry in entries} for entries in prepared.entries.values()]
    assert sum(len(entries) for entries in prepared.entries.values()) == 24
    assert not patients[0] & patients[1] | patients[0] & patients[2] | patients[1] & patients[2]


def test_one_archive_that_is_there_already_is_not_asked_for(source, mirror):
    source.download()
    mirror.asked.clear()
    (source.cache / "nih_sample" / "images_002").rename(source.cache / "elsewhere")
    assert "1 of 2 files" in str(source.missing())
    source.download()
    assert [asked.path for asked in mirror.asked] == ["shared/static/link1.gz"]


def test_a_whole_archive_put_there_by_hand_gives_the_same_images(source, mirror, tarballs):
    (source.cache / "nih_sample").mkdir(parents=True)
    for number, content in enumerate(tarballs, start=1):
        (source.cache / "nih_sample" / f"images_{number:03d}.tar.gz").write_bytes(content)
    source.download()
    assert len(source.items()) == 24
    assert mirror.asked == []


def test_wrong_bytes_are_refused_with_both_checksums(source, mirror):
    mirror.files["shared/static/link1.gz"].body = b"log in first" * 10_000
    with pytest.raises(RequestError, match="other bytes") as caught:
        source.download()
    assert "link1" in caught.value.what
    assert str(caught.value.expected).startswith("sha256:")
    assert "1 of 2 files" in str(source.missing())


def test_progress_names_each_file(source):
    seen: set[str] = set()
    source.download(lambda name, there, total: seen.add(name))
    assert seen >= {"images_001.tar.gz", "images_002.tar.gz"}


def test_an_image_that_went_is_noticed(source):
    source.download()
    next((source.cache / "nih_sample" / "images_001").iterdir()).unlink()
    assert "23 images instead of 24" in source.warnings[0]


def test_limit_takes_one_image_of_each_patient_first(source):
    source.download()
    limited = NihSample("nih_sample", source.url, source.cache, limit=8)
    assert len({item.patient for item in limited.items()}) == 8


def test_naming_the_data_set_imports_no_network_library():
    code = (
        "import sys, srexp.data.sources.nih_sample, srexp.data.sources.montgomery, srexp.data.sources.chestmnist; "
        "print({'requests', 'urllib3', 'filelock', 'rich'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
