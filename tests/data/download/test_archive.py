from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import random
import re
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srexp.data.download.archive import Limits, unpack_cut_tar, unpack_zip
from srexp.errors import RequestError

PNG = r"images/\w+\.png"


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def tar_gz(members: dict[str, bytes], *special: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in special:
            archive.addfile(info)
    return stream.getvalue()


@contextlib.contextmanager
def refused(archive: Path, said: str) -> Iterator[pytest.ExceptionInfo[RequestError]]:
    """Expect a refusal that names the archive and says why, and how to mend it."""
    begin = f"^{re.escape(str(archive))} can't be unpacked: "
    with pytest.raises(RequestError, match=f"{begin}.*{said}") as raised:
        yield raised
    assert raised.value.fix == f"delete {archive} and repeat the command"


def zipped(path: Path, members: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change:
                change(info)
            archive.writestr(info, content)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def special(kind: bytes, name: str = "images/x.png", link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive.tar.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


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


@pytest.mark.parametrize("pack", ["tar", "zip"])
def test_a_bomb_is_refused_before_it_goes_off(archive, folder, tmp_path, pack):
    """80 MB of zeros in 80 kB."""
    bomb = bytes(80 << 20)
    if pack == "tar":
        archive.write_bytes(tar_gz({"images/a.png": bomb}))
    else:
        zipped(archive, {"images/a.png": bomb})
    del bomb
    tracemalloc.start()
    with refused(archive, "which no images do"):
        (unpack_cut_tar if pack == "tar" else unpack_zip)(archive, folder, wanted=PNG)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20
    assert names(tmp_path) == ["archive.tar.gz"]


def test_a_long_name_record_is_no_bomb_either(archive, folder):
    """The extended header of a tar member is read into memory as a whole."""
    archive.write_bytes(tar_gz({"images/" + "x" * (12 << 20) + ".png": b"a"}))
    with refused(archive, "header of more than"):
        unpack_cut_tar(archive, folder, wanted=PNG)


def header_of(size: int, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A record that extends the next member's header: as long as it likes, and not compressible."""
    info = tarfile.TarInfo("long")
    info.type, info.size = kind, size
    text = noise(size // 2).hex().encode()
    record = (b"%d comment=" % size + text)[: size - 1].ljust(size - 1) + b"\n"
    return info.tobuf(tarfile.USTAR_FORMAT) + record + bytes(-size % 512)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_that_fills_memory_is_refused(archive, folder, kind):
    """Its bytes don't compress, so nothing else tells it from images."""
    honest = gzip.decompress(tar_gz({"images/a.png": b"a"}))
    archive.write_bytes(gzip.compress(header_of(8_000_000, kind) + honest, 1))
    tracemalloc.start()

    with refused(archive, "header of more than"):
        unpack_cut_tar(archive, folder, wanted=PNG)
    assert tracemalloc.get_traced_memory()[1] < 9_000_000  # the archive itself has 4.5 MB
    tracemalloc.stop()


def test_many_headers_in_a_row_are_refused(archive, folder):
    archive.write_bytes(gzip.compress(header_of(20) * 3000 + noise(10**6), 1))

    with refused(archive, ""):
        unpack_cut_tar(archive, folder, wanted=PNG)


def test_what_is_not_wanted_may_be_long(archive, folder):
    archive.write_bytes(tar_gz({"notes.txt": noise(5_000_000), "images/a.png": b"a", "more.txt": noise(3_000_000)}))

    unpack_cut_tar(archive, folder, wanted=PNG)
    assert names(folder) == ["a.png"]


def test_a_sparse_file_is_refused(archive, folder):
    """It claims a terabyte of zeros, for which the archive holds no byte."""
    info = tarfile.TarInfo("images/x.png")
    info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(2**40)}
    archive.write_bytes(tar_gz({}, info))

    with refused(archive, "sparse"):
        unpack_cut_tar(archive, folder, wanted=PNG)


def test_a_compression_that_names_its_memory_is_refused(archive, folder):
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr("images/a.png", b"a")

    with refused(archive, "deflate"):
        unpack_zip(archive, folder, wanted=PNG)


@pytest.mark.parametrize("pack", ["tar", "zip"])
@pytest.mark.parametrize(
    ("limits", "said"),
    [(Limits(members=3), "it has more than 3 members"), (Limits(total_bytes=15_000), r"[\d,]+ bytes grow to [\d,]+")],
)
def test_limits_are_kept(archive, folder, pack, limits, said):
    members = {f"images/{number}.png": noise(5000, number) for number in range(4)}
    if pack == "tar":
        archive.write_bytes(tar_gz(members))
    else:
        zipped(archive, members)
    with refused(archive, said):
        (unpack_cut_tar if pack == "tar" else unpack_zip)(archive, folder, wanted=PNG, limits=limits)
    assert not folder.exists()


def test_what_a_limit_names_is_still_unpacked(archive, folder):
    zipped(archive, {f"images/{number}.png": noise(5000, number) for number in range(4)})
    unpack_zip(archive, folder, wanted=PNG, limits=Limits(members=4, total_bytes=20_000))
    assert len(names(folder)) == 4


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
