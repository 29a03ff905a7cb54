from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from srexp.data.download.archive import unpack_zip
from srexp.data.sources.public_dataset import Downloadable, Piece
from srexp.errors import RequestError, SrexpError


@dataclass(frozen=True)
class Given(Downloadable):
    """A data set of some pieces in the folder `set` of a cache."""

    pieces: list[Piece] = field(default_factory=list)

    choice = "set"
    images = 2

    def _pieces(self) -> list[Piece]:
        return self.pieces


def given(cache: Path, *pieces: Piece) -> Given:
    return Given("set", "", cache, list(pieces))


@pytest.fixture
def archive() -> bytes:
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        opened.writestr("a.png", b"a")
        opened.writestr("b.png", b"b")
    return stream.getvalue()


@pytest.fixture
def piece(server, archive, sha256) -> Piece:
    server.put("some.zip", archive, etag='"1"')

    def unpack(file: Path, folder: Path, progress: object) -> None:
        unpack_zip(file, folder, wanted=r"\w\.png")

    return Piece("some", "some.zip", server.url("some.zip"), sha256(archive), 3, unpack)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_what_is_missing_is_said_and_what_is_there_is_not(tmp_path, piece):
    source = given(tmp_path, piece)
    expected = f"dataset=set is not there yet: some.zip (up to 3 MB) will be downloaded into {tmp_path / 'set'}"
    assert source.missing() == expected
    with pytest.raises(RequestError, match="is not there yet") as caught:
        source.items()
    assert caught.value.fix == "python -m srexp data dataset=set"

    source.download()

    assert source.missing() is None
    assert [item.key for item in source.items()] == ["some/a.png", "some/b.png"]


def test_the_folder_appears_and_the_archive_goes(tmp_path, piece, server):
    given(tmp_path, piece).download()
    assert names(tmp_path / "set") == ["some"]
    assert names(tmp_path / "set" / "some") == ["a.png", "b.png"]
    given(tmp_path, piece).download()
    assert len(server.asked) == 1


def test_an_archive_put_there_by_hand_is_used(tmp_path, piece, server, archive):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "some.zip").write_bytes(archive)
    given(tmp_path, piece).download()
    assert names(tmp_path / "set") == ["some"]
    assert server.asked == []


def test_many_pieces_are_counted(tmp_path, piece):
    (tmp_path / "set" / "some").mkdir(parents=True)
    others = [Piece(f"x{n}", f"x{n}.zip", piece.url, piece.checksum, 1000, piece.unpack) for n in range(2)]
    assert "2 of 3 files (up to 2,000 MB)" in str(given(tmp_path, piece, *others).missing())


@pytest.mark.slow
def test_several_processes_fill_one_cache(tmp_path, piece, server, answer):
    server.files["some.zip"].answers = [answer(pause=0.5, piece=60)]
    code = """
import sys
from pathlib import Path
from srexp.data.sources.public_dataset import Downloadable, Piece
from srexp.data.download.archive import unpack_zip

def unpack(file, folder, progress):
    unpack_zip(file, folder, wanted=r"\\w\\.png")

class Given(Downloadable):
    choice = "set"

    def _pieces(self):
        return [Piece("some", "some.zip", self.url, sys.argv[3], 3, unpack)]

Given("set", sys.argv[2], Path(sys.argv[1])).download()
print(sorted(path.name for path in Path(sys.argv[1], "set", "some").iterdir()))
"""
    command = [sys.executable, "-c", code, str(tmp_path), piece.url, piece.checksum]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert said == ["['a.png', 'b.png']\n"] * 3
    assert len(server.asked) == 1
    assert names(tmp_path / "set") == ["some"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path, piece):
    (tmp_path / "blocked").write_text("a file")
    with pytest.raises(SrexpError, match=r"paths\.cache=/mnt") as caught:
        given(tmp_path / "blocked", piece).download()
    assert caught.value.exit_code == 1


def test_images_that_went_from_the_cache_are_missed(tmp_path):
    source, folder = given(tmp_path), tmp_path / "set" / "some"
    assert source.warnings == ()
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"")
    assert "1 images instead of 2" in source.warnings[0]
    (folder / "b.png").write_bytes(b"")
    assert source.warnings == ()


def test_sources_that_need_no_network_are_not_downloadable():
    from srexp.data.sources.chestmnist import ChestMnist
    from srexp.data.sources.folder import Folder
    from srexp.data.sources.samples import Samples

    assert not isinstance(Samples("samples"), Downloadable)
    assert not isinstance(Folder("folder", "x"), Downloadable)
    assert isinstance(ChestMnist("chestmnist", "http://x/", Path("x")), Downloadable)
