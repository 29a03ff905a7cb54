"""Archives that would fill the memory or the disk are refused before they do."""

from __future__ import annotations

import gzip
import tarfile
import tracemalloc
import zipfile

import pytest

from srexp.data.download.archive import Limits, unpack_cut_tar, unpack_zip
from tests.data.download.archives import names, noise, refused, tar_gz, zipped

PNG = r"images/\w+\.png"


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
