"""Unpacking the wanted files of an archive that somebody else made, into a folder that appears only when complete."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from srexp.errors import RequestError

if TYPE_CHECKING:
    from srexp.data.download.progress import Progress

_CHUNK = 1 << 16
_SLACK = 1 << 20  # small archives may compress well
_LARGEST_HEADER = 1 << 20  # of a member, with what extends it
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DAMAGED = (
    zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError, zlib.error, struct.error, EOFError, NotImplementedError,
    ValueError, RecursionError,
)  # fmt: skip
_ENCRYPTED = 0x1  # ZIP application note, general purpose bit 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may grow to; one that claims or yields more is refused.

    Args:
        members: Number of entries, wanted or not.
        total_bytes: Bytes unpacked.
        ratio: Bytes unpacked per byte of the archive; images and arrays of images compress by far less.
    """

    members: int = 20_000
    total_bytes: int = 8 << 30
    ratio: int = 100


LIMITS = Limits()


def unpack_zip(
    archive: Path, folder: Path, *, wanted: str, limits: Limits = LIMITS, progress: Progress | None = None
) -> None:
    """Unpack the wanted members of a ZIP file (or of an .npz, which is one).

    Args:
        archive: The file.
        folder: Where they shall lie, under their last names; made in one step when all are there.
        wanted: Regular expression that the whole path of a wanted member matches.
        limits: Bounds of what is unpacked.
        progress: Told about every piece.

    Raises:
        RequestError: Damaged, too large, or with a member that no honest archive of images has.
        OSError: The folder can't be written.
    """
    with _writing(archive, folder, progress) as writer, zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
        _check_count(archive, len(entries), limits)
        chosen = [entry for entry in entries if _is_wanted_entry(archive, entry, wanted)]
        writer.total = sum(entry.file_size for entry in chosen)
        _check_growth(archive, writer.total, archive.stat().st_size, limits)
        for entry in chosen:
            with opened.open(entry) as source:
                writer.write(entry.filename, source, entry.file_size)


def unpack_cut_tar(
    archive: Path,
    folder: Path,
    *,
    wanted: str,
    first_bytes: int | None = None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
) -> None:
    """Unpack the wanted members of the beginning of a .tar.gz; the member in which it ends is dropped.

    Args:
        archive: The file, cut anywhere.
        folder: Where they shall lie, under their last names; made in one step when all are there.
        wanted: Regular expression that the whole path of a wanted member matches.
        first_bytes: How much of the file to use; None for all of it.
        limits: Bounds of what is unpacked.
        progress: Told about every piece.

    Raises:
        RequestError: Damaged, too large, or with a member that no honest archive of images has.
        OSError: The folder can't be written.
    """
    with _writing(archive, folder, progress) as writer, archive.open("rb") as file:
        stream = _Gunzip(archive, io.BytesIO(file.read(first_bytes)), limits)
        with tarfile.open(fileobj=stream, mode="r|") as opened:
            try:
                for count, member in enumerate(opened, start=1):
                    _check_count(archive, count, limits)
                    is_wanted = _is_wanted_member(archive, member, wanted)
                    with stream.content():
                        source = opened.extractfile(member)
                        if is_wanted and (source is None or not writer.write(member.name, source, member.size)):
                            break
                        while source and source.read(_CHUNK):  # what is skipped would count as a header
                            pass
            except tarfile.ReadError:
                if not stream.ended:
                    raise


@contextlib.contextmanager
def _writing(archive: Path, folder: Path, progress: Progress | None) -> Iterator[_Writer]:
    """Fill a folder that takes its final name when all went well, and vanishes when not.

    A library's complaint is passed on with the name of the archive; one in which nothing was wanted is refused.
    """
    making = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        writer = _Writer(archive, making, progress)
        yield writer
        if not writer.names:
            raise _refused(archive, "none of the files that the data set should have is in it")
        making.replace(folder)
    except _DAMAGED as error:
        raise _refused(archive, f"it is damaged ({str(error) or 'it ends early'})") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # a seek to a place that the archive's table of contents invents
            raise _refused(archive, f"it is damaged ({error})") from error
        raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


class _Writer:
    """Writes members into one folder under safe names, and counts."""

    def __init__(self, archive: Path, folder: Path, progress: Progress | None) -> None:
        self.archive, self.folder, self.progress = archive, folder, progress
        self.total: int | None = None
        self.written = 0
        self.names: set[str] = set()

    def write(self, member: str, source: IO[bytes], size: int) -> bool:
        """Write one member; False, and no file, when the archive ends inside it."""
        name = PurePosixPath(member).name
        if not _PLAIN_NAME.fullmatch(name) or name in self.names:
            raise _refused(self.archive, f"two members have the name {name!r}, or it is no plain one")
        self.names.add(name)
        left = size
        try:
            with (self.folder / name).open("xb") as file:
                while left and (chunk := source.read(min(left, _CHUNK))):
                    file.write(chunk)
                    left -= len(chunk)
                    self.written += len(chunk)
                    if self.progress:
                        self.progress(f"unpacking {self.archive.name}", self.written, self.total)
        finally:
            if left:
                (self.folder / name).unlink()
                self.names.remove(name)
        return not left


class _Gunzip(io.RawIOBase):
    """The decompressed bytes of a .gz file that may end anywhere, as far as they can be had."""

    def __init__(self, archive: Path, packed: IO[bytes], limits: Limits) -> None:
        self._archive, self._packed, self._limits = archive, packed, limits
        self._unpacked = gzip.GzipFile(fileobj=packed)
        self._grown, self._within = 0, _LARGEST_HEADER
        self.ended = False

    @contextlib.contextmanager
    def content(self) -> Iterator[None]:
        """Let bytes be those of a member meanwhile; before and after, they are a header, which is held in memory."""
        self._within = self._limits.total_bytes
        yield
        self._within = self._grown + _LARGEST_HEADER

    def read(self, size: int = -1) -> bytes:
        """Give `size` bytes, fewer only at the end."""
        piece = bytearray()
        with contextlib.suppress(
            EOFError
        ):  # cut before the end; one piece at a time, or what is before it would be lost
            while len(piece) < size and (chunk := self._unpacked.read1(size - len(piece))):
                piece += chunk
        self.ended = len(piece) < size
        self._grown += len(piece)
        _check_growth(self._archive, self._grown, self._packed.tell(), self._limits)
        if self._grown > self._within:
            raise _refused(self._archive, f"a member has a header of more than {_LARGEST_HEADER:,} bytes")
        return bytes(piece)


def _is_wanted_entry(archive: Path, entry: zipfile.ZipInfo, wanted: str) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.flag_bits & _ENCRYPTED:
        raise _refused(archive, f"{entry.filename!r} is a link, a device or encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # LZMA names the memory that it takes
        raise _refused(archive, f"{entry.filename!r} is compressed in another way than deflate")
    _check_name(archive, entry.filename)
    return not entry.is_dir() and re.fullmatch(wanted, entry.filename) is not None


def _is_wanted_member(archive: Path, member: tarfile.TarInfo, wanted: str) -> bool:
    if not (member.isreg() or member.isdir()):
        raise _refused(archive, f"{member.name!r} is a link or a device")
    if member.issparse():
        raise _refused(archive, f"{member.name!r} is a sparse file, which takes more than the archive has bytes for")
    _check_name(archive, member.name)
    return member.isreg() and re.fullmatch(wanted, member.name) is not None


def _check_name(archive: Path, name: str) -> None:
    """Refuse names that lead elsewhere, on any system, though only their last part is ever used."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        raise _refused(archive, f"the name {name!r} leads out of the folder")


def _check_count(archive: Path, members: int, limits: Limits) -> None:
    if members > limits.members:
        raise _refused(archive, f"it has more than {limits.members:,} members")


def _check_growth(archive: Path, unpacked: int, packed: int, limits: Limits) -> None:
    if unpacked > limits.total_bytes or unpacked > limits.ratio * packed + _SLACK:
        raise _refused(archive, f"{packed:,} bytes grow to {unpacked:,} or more, which no images do")


def _refused(archive: Path, reason: str) -> RequestError:
    return RequestError(
        f"{archive} can't be unpacked: {reason}",
        expected="the archive as its publisher made it",
        fix=f"delete {archive} and repeat the command",
    )
