"""Public data sets under a name: what has to be downloaded for them, and whether it is there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from srexp.data.sources.folder import Folder
from srexp.data.sources.source import Item, Source
from srexp.errors import RequestError
from srexp.system.masking.credentials import revealed

if TYPE_CHECKING:
    from srexp.data.download.progress import Progress


@dataclass(frozen=True, slots=True)
class Piece:
    """One archive, and the folder that its images go into.

    Args:
        folder: Name of the folder below that of the data set; it exists when, and only when, it is complete.
        archive: Name of the archive, which lies beside the folder until it is unpacked.
        url: Where the archive is.
        checksum: See `srexp.data.download.fetch.fetch`.
        megabytes: Size of the download, or a bound of it.
        unpack: Makes the folder from the archive, see `srexp.data.download.archive`; it is told `progress`.
        prefix_bytes: See `srexp.data.download.fetch.fetch`.
    """

    folder: str
    archive: str
    url: str
    checksum: str
    megabytes: int
    unpack: Callable[..., None]
    prefix_bytes: int | None = None


@dataclass(frozen=True)
class Downloadable(Source):
    """A source whose images come from the network; `items` works once `download` has been called on this machine.

    `check` asks `missing` and goes no further when something is; every other verb calls `download` before `items`.

    Args:
        url: Where the archives are.
        cache: Folder that downloads are kept in.

    Attributes:
        choice: The data set's choice in the configuration.
        images: How many images there are.
        patients: See `srexp.data.sources.patients.patients_of`.

    Raises:
        RequestError: From `items`: not downloaded yet.
    """

    url: str
    cache: Path

    choice: ClassVar[str]
    images: ClassVar[int]
    patients: ClassVar[str | None] = None

    def missing(self) -> str | None:
        """Say what has yet to be downloaded, without any network; None when all is there."""
        pieces = self._pieces()
        lacking = [piece for piece in pieces if not (self._root / piece.folder).is_dir()]
        if not lacking:
            return None
        size = sum(piece.megabytes for piece in lacking)
        files = f"{len(lacking)} of {len(pieces)} files" if len(pieces) > 1 else lacking[0].archive
        return (
            f"dataset={self.choice} is not there yet: {files} (up to {size:,} MB) will be downloaded into {self._root}"
        )

    def download(self, progress: Progress = lambda _name, _there, _total: None) -> None:
        """Download and unpack what is missing; several processes may do so at once.

        Args:
            progress: Told about every piece of a file that arrives or is unpacked.

        Raises:
            RequestError: See `srexp.data.download.fetch.fetch` and `srexp.data.download.archive`.
            SrexpError: The folder can't be written.
        """
        from srexp.data.download.fetch import exclusive, fetch, writing
        from srexp.data.download.http_range import Wanted

        places = self.url.rstrip("/"), revealed(self.url, "dataset.url").rstrip("/")
        for piece in self._pieces():
            folder, archive = self._root / piece.folder, self._root / piece.archive
            if folder.is_dir():
                continue
            with writing(self._root), exclusive(folder):
                if folder.is_dir():
                    continue
                url = piece.url.replace(*places, 1)
                fetch(Wanted(url, archive, piece.checksum, piece.prefix_bytes, progress=progress))
                piece.unpack(archive, folder, progress=progress)
                archive.unlink()

    def items(self) -> list[Item]:
        """List the images, whose names tell the patient."""
        self._require_files()
        return Folder(self.name, str(self._root), patients=self.patients, limit=self.limit).items()

    @property
    def warnings(self) -> Sequence[str]:
        """Say what the scores on this data set can't show, or that images have gone from the cache."""
        found = sum(1 for _ in self._root.glob("*/*.png"))
        if found in (0, self.images):
            return ()
        return (
            f"{self._root} holds {found} images instead of {self.images}: delete it, and it will be downloaded again",
        )

    @property
    def _root(self) -> Path:
        return self.cache / self.choice

    @abstractmethod
    def _pieces(self) -> list[Piece]:
        """List the archives that the data set consists of."""

    def _require_files(self) -> None:
        if sentence := self.missing():
            raise RequestError(sentence, fix=f"python -m srexp data dataset={self.choice}")
