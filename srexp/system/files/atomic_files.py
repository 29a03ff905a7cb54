"""Files that are there whole or not at all, and that others may read only where that is wanted."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from srexp.errors import RequestError

_OTHERS = 0o077


class _Umask:
    """The umask of the process, while blocks that may overlap in threads need it narrow."""

    def __init__(self) -> None:
        self.turn, self.blocks, self.before, self.shared = threading.Lock(), 0, 0, False


_umask = _Umask()


def itself(path: str, flags: int) -> int:
    """Open a file, and neither what a link leads to nor a pipe, at which it would wait for ever: an opener of `open`.

    Raises:
        OSError: It is one of these, or can't be opened.
    """
    if Path(path).is_symlink():
        raise OSError(errno.ELOOP, "it is a link")
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if stat.S_ISFIFO(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is a pipe")
    return handle


@contextmanager
def private_files() -> Iterator[None]:
    """Let nobody but the user read what is written meanwhile, whatever the umask allows.

    The umask is the process's: what other threads write meanwhile is private, too. Blocks may overlap, in threads as
    well; the last one to end brings the user's back. Processes that are started inherit it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, private_files():
        ...     _ = Path(folder, "note.txt").write_text("mine")
        ...     oct(Path(folder, "note.txt").stat().st_mode & 0o077)
        '0o0'
    """
    with _umask.turn:
        before = os.umask(_OTHERS)
        os.umask(before | _OTHERS)
        if not _umask.blocks:
            _umask.before = before
        _umask.blocks += 1
    try:
        yield
    finally:
        with _umask.turn:
            _umask.blocks -= 1
            _umask.shared &= _umask.blocks > 0
            if not _umask.blocks or (_umask.shared and _umask.blocks == 1):
                os.umask(_umask.before)


def share_files() -> None:
    """Let others read what the umask allows until the outermost block of `private_files` ends, but for inner blocks."""
    with _umask.turn:
        _umask.shared = _umask.blocks > 0
        if _umask.blocks == 1:
            os.umask(_umask.before)


def require_no_way_out(folder: Path) -> None:
    """Refuse a folder to write to in which a link leads out of it; the folder itself may be one.

    Args:
        folder: That need not be there.

    Raises:
        RequestError: There is such a link, of a file or a folder, or one that nobody here may follow.
    """
    for path in (Path(place, name) for place, folders, files in os.walk(folder) for name in (*folders, *files)):
        if path.is_symlink() and _leads_out(path, folder):
            raise RequestError(
                "a link in the folder of the run leads out of it",
                got=str(path),
                expected="a folder to which nobody else writes",
                fix="remove the link, or hydra.run.dir= another folder",
            )


def _leads_out(link: Path, folder: Path) -> bool:
    try:  # unlike `Path.resolve`, this takes a link to itself, which leads nowhere
        return not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(folder))
    except OSError:
        return True


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Write a file so that whoever reads it, also meanwhile or after a kill, finds its old or its new content.

    It is written under a hidden name beside it that ends in ``.unfinished``, and renamed when the block ends.

    Args:
        path: Of the file; its folder is made if need be.
        durable: Also after a power cut, and then it is on the disk when the block has ended; otherwise faster.

    Yields:
        The new file, empty, open for bytes.

    Raises:
        OSError: The disk didn't take it; what was there before still is.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder, "runs", "note.bin")) as file:
        ...         _ = file.write(b"kept")
        ...     Path(folder, "runs", "note.bin").read_bytes()
        b'kept'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{threading.get_native_id()}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)  # left by a kill; "x" goes through no link that lies there
        with unfinished.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)  # what a full disk took of it is needed elsewhere
    if durable:
        _sync(path.parent)  # the names in a folder, too


def write_whole(path: Path, text: str) -> None:
    """Write a text file like `whole_file`, durably.

    Args:
        path: Of the file; its folder is made if need be.
        text: New content, written as UTF-8.

    Raises:
        OSError: The disk didn't take it; what was there before still is.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(Path(folder, "runs", "note.txt"), "kept")
        ...     Path(folder, "runs", "note.txt").read_text()
        'kept'
    """
    with whole_file(path) as file:
        file.write(text.encode())


def bring_to_disk(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, outlives a power cut.

    Args:
        path: Of the file or folder, written and closed.

    Raises:
        OSError: The disk didn't take it.
    """
    for each in (*path.rglob("*"), path, path.parent):
        _sync(each)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
