"""112,120 chest radiographs of NIH ChestX-ray14, reduced to 28, 64, 128 or 224 pixels a side by MedMNIST."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from srexp.data.image import Intensity
from srexp.data.sources import public_dataset
from srexp.data.sources.limit import spread
from srexp.data.sources.source import Item, OnError, Split

if TYPE_CHECKING:
    from srexp.data.download.progress import Progress

# Name of the archive and its MD5, by size.
ARCHIVES: dict[int, tuple[str, str]] = {
    28: ("chestmnist.npz", "02c8a6516a18b556561a56cbdd36c4a8"),
    64: ("chestmnist_64.npz", "9de6cd0b934ebb5b7426cfba5efbae16"),
    128: ("chestmnist_128.npz", "db107e5590b27930b62dbaf558aebee3"),
    224: ("chestmnist_224.npz", "45bd33e6f06c3e8cdb481c74a89152aa"),
}
OFFICIAL_SPLIT: tuple[tuple[str, Split], ...] = (("train", "train"), ("val", "validation"), ("test", "test"))
IMAGES = 112_120


@dataclass(frozen=True)
class ChestMnist:
    """The images in MedMNIST's own training, validation and test splits.

    They stay in three arrays on disk, of which only the images in use are read.

    Args:
        name: Name of the data set.
        url: Address that the archives are relative to.
        cache: Folder that downloads are kept in.
        size: Pixels a side.
        intensity: See `srexp.data.formats.registry.read_image`.
        on_error: `fail` refuses the data set when a file can't be used, `skip` goes on without it.
        limit: Use at most this many images, from each split alike.
        memory_mb: Memory for decoded images.

    Raises:
        RequestError: From `items`: not downloaded yet. From `download`: see `srexp.data.sources.public_dataset.obtain`.
    """

    name: str
    url: str
    cache: Path
    size: Literal[28, 64, 128, 224] = 64
    intensity: Intensity = "bits"
    on_error: OnError = "fail"
    limit: int | None = None
    memory_mb: int = 1024

    attribution = (
        "ChestMNIST of MedMNIST v2, https://medmnist.com, CC BY 4.0; cite J. Yang et al., Scientific Data 10:41, 2023, "
        "and for the NIH ChestX-ray14 images in it X. Wang et al., CVPR 2017"
    )
    fractions = (0.7, 0.1, 0.2)
    warnings = (
        "chestmnist does not say which patient an image shows: each counts as a patient of its own, and whether the "
        "official splits share patients can't be checked",
    )

    def missing(self) -> str | None:
        """Say what has yet to be downloaded; no network."""
        return public_dataset.missing("chestmnist", self._root, [self._piece()])

    def download(self, progress: Progress | None = None) -> None:
        """Download and unpack what is missing."""
        public_dataset.obtain(self._root, [self._piece()], progress)

    def items(self) -> list[Item]:
        """List the images; only the headers of the arrays are read."""
        from srexp.data.formats import npy

        public_dataset.require("chestmnist", self._root, [self._piece()])
        folder = self._root / self._piece().folder
        items = []
        for part, split in OFFICIAL_SPLIT:
            path = folder / f"{part}_images.npy"
            size = npy.shape_of(path)
            for frame in npy.frames_in(path):
                key = f"{path.name}#{frame}"
                items.append(Item(key, path, frame, patient=key, split=split, size=size))
        return spread(items, self.limit)

    @property
    def _root(self) -> Path:
        return self.cache / "chestmnist"

    def _piece(self) -> public_dataset.Piece:
        archive, md5 = ARCHIVES[self.size]
        return public_dataset.Piece(
            folder=f"{self.size}x{self.size}",
            archive=archive,
            url=f"{self.url.rstrip('/')}/{archive}?download=1",
            checksum=f"md5:{md5}",
            megabytes=-(-IMAGES * self.size**2 // 10**6),
            unpack=_unpack,
        )


def _unpack(archive: Path, folder: Path, progress: Progress | None) -> None:
    """Unpack the arrays of images; an .npz file is a ZIP file of .npy files."""
    from srexp.data.download.archive import unpack_zip

    unpack_zip(archive, folder, wanted=r"(train|val|test)_images\.npy", progress=progress)
