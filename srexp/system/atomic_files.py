"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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
        with unfinished.open("wb") as file:
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
