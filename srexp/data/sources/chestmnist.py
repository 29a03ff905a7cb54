"""112,120 chest radiographs of NIH ChestX-ray14, reduced to 28, 64, 128 or 224 pixels a side by MedMNIST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from srexp.data.download.archive import unpack_zip
from srexp.data.sources.limit import spread
from srexp.data.sources.public_dataset import Downloadable, Piece
from srexp.data.sources.source import Item, Split

# Name of the archive and its MD5, by size.
ARCHIVES: dict[int, tuple[str, str]] = {
    28: ("chestmnist.npz", "02c8a6516a18b556561a56cbdd36c4a8"),
    64: ("chestmnist_64.npz", "9de6cd0b934ebb5b7426cfba5efbae16"),
    128: ("chestmnist_128.npz", "db107e5590b27930b62dbaf558aebee3"),
    224: ("chestmnist_224.npz", "45bd33e6f06c3e8cdb481c74a89152aa"),
}
OFFICIAL_SPLIT: tuple[tuple[str, Split], ...] = (("train", "train"), ("val", "validation"), ("test", "test"))


@dataclass(frozen=True)
class ChestMnist(Downloadable):
    """The images in MedMNIST's own training, validation and test splits.

    They stay in three arrays on disk, of which only the images in use are read.

    Args:
        url: Address that the archives are relative to.
        size: Pixels a side.
    """

    size: Literal[28, 64, 128, 224] = 64
    fractions: list[float] = field(init=False, default_factory=lambda: [0.7, 0.1, 0.2])

    choice = "chestmnist"
    images = 112_120
    attribution = (
        "ChestMNIST of MedMNIST v2, https://medmnist.com, CC BY 4.0; cite J. Yang et al., Scientific Data 10:41, 2023, "
        "and for the NIH ChestX-ray14 images in it X. Wang et al., CVPR 2017"
    )

    @property
    def warnings(self) -> Sequence[str]:
        """Say what is unknown of these images."""
        return (
            "chestmnist does not say which patient an image shows: each counts as a patient of its own, and whether "
            "the official splits share patients can't be checked",
        )

    def items(self) -> list[Item]:
        """List the images; only the headers of the arrays are read."""
        from srexp.data.formats import npy

        self._require_files()
        folder = self._root / self._pieces()[0].folder
        items = []
        for part, split in OFFICIAL_SPLIT:
            path = folder / f"{part}_images.npy"
            size = npy.shape_of(path)
            for frame in npy.frames_in(path):
                key = f"{path.name}#{frame}"
                items.append(Item(key, path, frame, patient=key, split=split, size=size))
        return spread(items, self.limit)

    def _pieces(self) -> list[Piece]:
        archive, md5 = ARCHIVES[self.size]
        return [
            Piece(
                folder=f"{self.size}x{self.size}",
                archive=archive,
                url=f"{self.url.rstrip('/')}/{archive}?download=1",
                checksum=f"md5:{md5}",
                megabytes=-(-self.images * self.size**2 // 10**6),
                unpack=partial(unpack_zip, wanted=r"(train|val|test)_images\.npy"),  # an .npz file is a ZIP file
            )
        ]
