from __future__ import annotations

import errno
import gzip
import os
import re
import stat
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srexp.data.download.archive import unpack_cut_tar, unpack_zip
from srexp.errors import RequestError
from tests.data.download.archives import names, noise, refused, special, tar_gz, zipped

PNG = r"images/\w+\.png"


def test_a_cut_tarball_gives_every_whole_member_and_drops_the_last(archive, folder):
    members = {f"images/{number:08d}_000.png": noise(30_000, number) for number in range(9)}
    whole = tar_gz(members)
    archive.write_bytes(whole[: len(whole) // 2])

    unpack_cut_tar(archive, folder, wanted=PNG)

    assert names(folder) == [f"{number:08d}_000.png" for number in range(4)]
    for path in folder.iterdir():
        assert path.read_bytes() == members[f"images/{path.name}"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_wherever_it_is_cut_the_members_before_are_whole(tmp_path_factory, data):
    sizes = data.draw(st.lists(st.integers(0, 3000), min_size=1, max_size=8))
    members = {f"images/{number}.png": noise(size, number) for number, size in enumerate(sizes)}
    whole = tar_gz(members)
    cut = data.draw(st.integers(0, len(whole)))
    base = tmp_path_factory.mktemp("cut")
    (base / "a").write_bytes(whole)
    try:
        unpack_cut_tar(base / "a", base / "out", wanted=PNG, first_bytes=cut)
        found = names(base / "out")
    except RequestError:
        found = []  # cut before the first member was complete
    assert found == sorted(f"{number}.png" for number in range(len(found)))
    for name in found:
        assert (base / "out" / name).read_bytes() == members[f"images/{name}"]
    if cut == len(whole):
        assert len(found) == len(members)
    assert names(base) == (["a", "out"] if found else ["a"])


def test_only_wanted_members_are_unpacked(archive, folder):
    archive.write_bytes(
        tar_gz({"images/a.png": b"a", "images/._a.png": b"mac", "labels.csv": b"x", "other/b.png": b"b"})
    )
    unpack_cut_tar(archive, folder, wanted=PNG)
    assert names(folder) == ["a.png"]


def test_several_gzip_members_are_one_stream(archive, folder):
    plain = gzip.decompress(tar_gz({"images/a.png": noise(5000), "images/b.png": noise(5000, 1)}))
    archive.write_bytes(gzip.compress(plain[:4000]) + gzip.compress(plain[4000:]))
    unpack_cut_tar(archive, folder, wanted=PNG)
    assert names(folder) == ["a.png", "b.png"]


@pytest.mark.parametrize("name", ["/etc/passwd.png", "../x.png", "images/../../x.png", "C:/x.png", "..\\x.png"])
def test_names_that_lead_out_are_refused(archive, folder, tmp_path, name):
    archive.write_bytes(tar_gz({"images/a.png": b"a", name: b"x"}))
    with refused(archive, "leads out"):
        unpack_cut_tar(archive, folder, wanted=".*")
    archive.unlink()
    with refused(archive, "leads out"):
        unpack_zip(zipped(archive, {"images/a.png": b"a", name: b"x"}), folder, wanted=".*")
    assert names(tmp_path) == ["archive.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tarball_are_refused(archive, folder, kind):
    archive.write_bytes(tar_gz({"images/a.png": b"a"}, special(kind, link="/etc/passwd")))
    with refused(archive, "link or a device"):
        unpack_cut_tar(archive, folder, wanted=PNG)
    assert not folder.exists()


def test_links_in_a_zip_are_refused(archive, folder):
    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    with refused(archive, "link"):
        unpack_zip(zipped(archive, {"images/a.png": b"/etc/passwd"}, link), folder, wanted=PNG)


def test_encrypted_zips_are_refused(archive, folder):
    zipped(archive, {"images/a.png": b"secret"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with refused(archive, "encrypted"):
        unpack_zip(archive, folder, wanted=PNG)


@pytest.mark.parametrize("pack", ["tar", "zip"])
def test_two_members_of_one_name_are_refused(archive, folder, pack):
    members = {"images/a/x.png": b"a", "images/b/x.png": b"b"}
    if pack == "tar":
        archive.write_bytes(tar_gz(members))
    else:
        zipped(archive, members)
    with refused(archive, r"'x\.png'"):
        (unpack_cut_tar if pack == "tar" else unpack_zip)(archive, folder, wanted=r".*\.png")
    assert not folder.exists()


def test_a_zip_gives_the_wanted_members_and_says_how_far_it_is(archive, folder):
    zipped(archive, {"set/CXR_png/a.png": noise(100_000), "set/Mask/a.png": b"m", "set/readme.txt": b"r"})
    seen: list[tuple[str, int, int | None]] = []
    unpack_zip(archive, folder, wanted=r"set/CXR_png/\w+\.png", progress=lambda *a: seen.append(a))
    assert names(folder) == ["a.png"]
    assert (folder / "a.png").read_bytes() == noise(100_000)
    assert seen[-1] == ("unpacking archive.tar.gz", 100_000, 100_000)


def test_an_archive_of_something_else_is_refused(archive, folder):
    zipped(archive, {"readme.txt": b"r"})
    with refused(archive, "none of the files"):
        unpack_zip(archive, folder, wanted=PNG)
    assert not folder.exists()


@pytest.mark.parametrize(
    "content", [b"", b"not an archive" * 100, b"PK\x03\x04broken" * 50, b"\x1f\x8b\x08\x00broken" * 9]
)
def test_damage_is_said(archive, folder, content):
    archive.write_bytes(content)
    for unpack in (unpack_cut_tar, unpack_zip):
        with refused(archive, "") as raised:
            unpack(archive, folder, wanted=PNG)
        assert not re.search(r"[a-z]Error|BadZip|\(\)", str(raised.value))
    assert not folder.exists()


def test_a_flipped_byte_in_a_zip_is_found_by_its_checksum(archive, folder):
    zipped(archive, {"images/a.png": noise(50_000)})
    content = bytearray(archive.read_bytes())
    content[25_000] ^= 1
    archive.write_bytes(content)
    with refused(archive, "damaged"):
        unpack_zip(archive, folder, wanted=PNG)
    assert not folder.exists()


@settings(max_examples=150, deadline=None)
@given(
    position=st.floats(0, 1), value=st.integers(0, 255), length=st.integers(1, 8), pack=st.sampled_from(["tar", "zip"])
)
def test_mutated_archives_are_unpacked_or_refused(tmp_path_factory, position, value, length, pack):
    base = tmp_path_factory.mktemp("fuzz")
    path = base / "a"
    members = {f"images/{number}.png": noise(600, number) for number in range(4)}
    if pack == "tar":
        path.write_bytes(tar_gz(members))
    else:
        zipped(path, members)
    content = bytearray(path.read_bytes())
    start = int(position * (len(content) - 1))
    content[start : start + length] = bytes([value]) * len(content[start : start + length])
    path.write_bytes(content)
    try:
        (unpack_cut_tar if pack == "tar" else unpack_zip)(path, base / "out", wanted=PNG)
    except RequestError:
        assert names(base) == ["a"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSPC, errno.EACCES])
def test_a_seek_to_nowhere_is_damage_and_what_the_disk_refuses_is_not(archive, folder, monkeypatch, number):
    def fails(*_):
        raise OSError(number, os.strerror(number))

    zipped(archive, {"images/a.png": b"a"})
    monkeypatch.setattr(zipfile.ZipFile, "open", fails)
    with (
        refused(archive, "it is damaged")
        if number == errno.EINVAL
        else pytest.raises(OSError, match=os.strerror(number))
    ):
        unpack_zip(archive, folder, wanted=PNG)
    assert not folder.exists()


def test_what_a_killed_process_left_is_cleared(archive, folder, tmp_path):
    (tmp_path / ".images.part").mkdir()
    (tmp_path / ".images.part" / "half.png").write_bytes(b"half")
    zipped(archive, {"images/a.png": b"a"})
    unpack_zip(archive, folder, wanted=PNG)
    assert names(folder) == ["a.png"]
    assert names(tmp_path) == ["archive.tar.gz", "images"]
