"""What the scan found, kept on disk, so that a data set is decoded in full only once."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from srexp.data.sources.source import Found, Item
from srexp.system.files.atomic_files import whole_file

_READERS = 2  # rises when a file is read as other pixels than before

Identity = tuple[int, int, int, int, int, int]


def identity_of(item: Item) -> Identity:
    """Tell one image file from another without reading it; links to one file are the same.

    Args:
        item: Which image.

    Returns:
        Device, inode, size, times of modification and of any change, and frame.

    Raises:
        OSError: The file is gone or can't be reached.
    """
    status = item.path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, item.frame


class Index:
    """The findings by identity of the file, in a JSON file.

    A damaged or unwritable index costs time and nothing else. Two processes may share it: the last one to finish wins.

    Args:
        cache_dir: Folder of the index; None keeps it in memory alone.
        about: What decides the findings besides the files and how srexp reads them; one index file for each.
    """

    def __init__(self, cache_dir: Path | None, about: Sequence[str]) -> None:
        described = json.dumps([installed_version(), _READERS, *about])
        name = f"index-{hashlib.sha256(described.encode()).hexdigest()[:16]}.json"
        self._path = cache_dir / name if cache_dir else None
        self.found: dict[Identity, Found] = self._load()
        self._known = len(self.found)

    def save(self) -> None:
        """Write what is new, in one step, so that a reader never meets half a file."""
        if self._path is None or len(self.found) == self._known:
            return
        rows = [[*identity, asdict(found)] for identity, found in self.found.items()]
        with contextlib.suppress(OSError):
            with whole_file(self._path, durable=False) as file:
                json.dump(rows, codecs.getwriter("utf-8")(file))  # piece by piece: there may be 100,000 rows
            self._known = len(self.found)

    def _load(self) -> dict[Identity, Found]:
        if self._path is None:
            return {}
        with contextlib.suppress(OSError, ValueError, TypeError, IndexError, KeyError):
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            return {(row[0], row[1], row[2], row[3], row[4], row[5]): Found(**row[6]) for row in rows}
        return {}


def installed_version() -> str:
    """Give the installed version of srexp: another one may read, judge or restore files in another way."""
    try:
        return metadata.version("srexp")
    except metadata.PackageNotFoundError:
        return "checkout"
