"""138 chest radiographs of Montgomery County's tuberculosis screening, 4020 x 4892 pixels, published by the NLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from srexp.data.image import Intensity
from srexp.data.sources import public_dataset
from srexp.data.sources.folder import Folder
from srexp.data.sources.source import Item, OnError

if TYPE_CHECKING:
    from srexp.data.download.progress import Progress

SHA256 = "54601e952315d8f67383e9202a6e145997ade429f54f7e0af44b4e158714f424"
IMAGES = 138


@dataclass(frozen=True)
class Montgomery:
    """The radiographs of 138 patients, one each; the lung masks of the archive are left out.

    Args:
        name: Name of the data set.
        url: Address of the archive.
        cache: Folder that downloads are kept in.
        fractions: Shares of training, validation and test images.
        intensity: See `srexp.data.formats.registry.read_image`.
        on_error: `fail` refuses the data set when a file can't be used, `skip` goes on without it.
        limit: Use at most this many images.
        memory_mb: Memory for decoded images.

    Raises:
        RequestError: From `items`: not downloaded yet. From `download`: see `srexp.data.sources.public_dataset.obtain`.
    """

    name: str
    url: str
    cache: Path
    fractions: list[float] = field(default_factory=lambda: [0.8, 0.1, 0.1])
    intensity: Intensity = "bits"
    on_error: OnError = "fail"
    limit: int | None = None
    memory_mb: int = 1024

    attribution = (
        "Montgomery County chest X-rays, National Library of Medicine, National Institutes of Health, Bethesda, MD, "
        "USA: attribute the source, do not pass the images on, and cite S. Candemir et al., IEEE Trans. Med. Imaging "
        "33(2):577-590, 2014, and S. Jaeger et al., IEEE Trans. Med. Imaging 33(2):233-245, 2014"
    )

    def missing(self) -> str | None:
        """Say what has yet to be downloaded; no network."""
        return public_dataset.missing("montgomery", self._root, self._pieces())

    def download(self, progress: Progress | None = None) -> None:
        """Download and unpack what is missing."""
        public_dataset.obtain(self._root, self._pieces(), progress)

    def items(self) -> list[Item]:
        """List the images; the number in the name is the patient's."""
        public_dataset.require("montgomery", self._root, self._pieces())
        return Folder(self.name, str(self._root), patients=r"^MCUCXR_(\d+)_", limit=self.limit).items()

    @property
    def warnings(self) -> Sequence[str]:
        """Say when images have gone from the cache."""
        return public_dataset.incomplete(self._root, IMAGES)

    @property
    def _root(self) -> Path:
        return self.cache / "montgomery"

    def _pieces(self) -> list[public_dataset.Piece]:
        return [
            public_dataset.Piece(
                folder="CXR_png",
                archive="NLM-MontgomeryCXRSet.zip",
                url=self.url,
                checksum=f"sha256:{SHA256}",
                megabytes=617,
                unpack=_unpack,
            )
        ]


def _unpack(archive: Path, folder: Path, progress: Progress | None) -> None:
    from srexp.data.download.archive import Limits, unpack_zip

    unpack_zip(
        archive,
        folder,
        wanted=r"(.*/)?CXR_png/MCUCXR_\d+_[01]\.png",
        limits=Limits(members=5000, total_bytes=4 << 30),
        progress=progress,
    )
