"""Public data sets under a name: what has to be downloaded for them, and whether it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from srexp.errors import RequestError

if TYPE_CHECKING:
    from srexp.data.download.progress import Progress


@runtime_checkable
class Downloadable(Protocol):
    """A source whose images come from the network; `items` works once `download` has been called on this machine.

    `check` asks `missing` and goes no further when something is; every other verb calls `download` before `items`.
    """

    def missing(self) -> str | None:
        """Say what has yet to be downloaded, without any network; None when all is there."""

    def download(self, progress: Progress | None = None) -> None:
        """Download and unpack what is missing; returns at once when nothing is."""

    @property
    def warnings(self) -> Sequence[str]:
        """What the scores on this data set can't show, or what is wrong with the copy on this machine."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One archive, and the folder that its images go into.

    Args:
        folder: Name of the folder below that of the data set; it exists when, and only when, it is complete.
        archive: Name of the archive, which lies beside the folder until it is unpacked.
        url: Where the archive is.
        checksum: See `srexp.data.download.fetch.fetch`.
        megabytes: Size of the download, or a bound of it.
        unpack: Makes the folder from the archive.
        prefix_bytes: See `srexp.data.download.fetch.fetch`.
    """

    folder: str
    archive: str
    url: str
    checksum: str
    megabytes: int
    unpack: Callable[[Path, Path, Progress | None], None]
    prefix_bytes: int | None = None


def missing(name: str, root: Path, pieces: Sequence[Piece]) -> str | None:
    """Say what has yet to be downloaded.

    Args:
        name: The data set's choice in the configuration.
        root: Folder of the data set.
        pieces: All that belongs to it.

    Returns:
        A sentence, or None when everything is there.
    """
    lacking = [piece for piece in pieces if not (root / piece.folder).is_dir()]
    if not lacking:
        return None
    size = sum(piece.megabytes for piece in lacking)
    files = f"{len(lacking)} of {len(pieces)} files" if len(pieces) > 1 else lacking[0].archive
    return f"dataset={name} is not there yet: {files} (up to {size:,} MB) will be downloaded into {root}"


def require(name: str, root: Path, pieces: Sequence[Piece]) -> None:
    """Refuse to list a data set that is not there.

    Args:
        name: See `missing`.
        root: See `missing`.
        pieces: See `missing`.

    Raises:
        RequestError: Something is missing.
    """
    if sentence := missing(name, root, pieces):
        raise RequestError(sentence, fix=f"python -m srexp data dataset={name}")


def obtain(root: Path, pieces: Sequence[Piece], progress: Progress | None = None) -> None:
    """Download and unpack what is missing; several processes may do so at once.

    Args:
        root: Folder of the data set, made when it is not there.
        pieces: All that belongs to it.
        progress: Told about every piece of a file that arrives or is unpacked.

    Raises:
        RequestError: See `srexp.data.download.fetch.fetch` and `srexp.data.download.archive`.
        SrexpError: The folder can't be written.
    """
    from srexp.data.download.fetch import exclusive, fetch, writing

    for piece in pieces:
        folder, archive = root / piece.folder, root / piece.archive
        if folder.is_dir():
            continue
        with writing(root), exclusive(folder):
            if folder.is_dir():
                continue
            fetch(piece.url, archive, checksum=piece.checksum, prefix_bytes=piece.prefix_bytes, progress=progress)
            piece.unpack(archive, folder, progress)
            archive.unlink()


def incomplete(root: Path, images: int) -> tuple[str, ...]:
    """Say when a data set on this machine has another number of images than it is known for.

    Args:
        root: Folder of the data set.
        images: How many PNG files there should be in its folders.

    Returns:
        Nothing, or one sentence.
    """
    found = sum(1 for _ in root.glob("*/*.png"))
    if found in (0, images):
        return ()
    return (f"{root} holds {found} images instead of {images}: delete it, and it will be downloaded again",)
