"""138 chest radiographs of Montgomery County's tuberculosis screening, 4020 x 4892 pixels, published by the NLM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from srexp.data.download.archive import Limits, unpack_zip
from srexp.data.sources.public_dataset import Downloadable, Piece

SHA256 = "54601e952315d8f67383e9202a6e145997ade429f54f7e0af44b4e158714f424"


@dataclass(frozen=True)
class Montgomery(Downloadable):
    """The radiographs of 138 patients, one each; the lung masks of the archive are left out.

    Args:
        url: Address of the archive.
    """

    choice = "montgomery"
    images = 138
    patients = r"^MCUCXR_(\d+)_"
    attribution = (
        "Montgomery County chest X-rays, National Library of Medicine, National Institutes of Health, Bethesda, MD, "
        "USA: attribute the source, do not pass the images on, and cite S. Candemir et al., IEEE Trans. Med. Imaging "
        "33(2):577-590, 2014, and S. Jaeger et al., IEEE Trans. Med. Imaging 33(2):233-245, 2014"
    )

    def _pieces(self) -> list[Piece]:
        return [
            Piece(
                folder="CXR_png",
                archive="NLM-MontgomeryCXRSet.zip",
                url=self.url,
                checksum=f"sha256:{SHA256}",
                megabytes=617,
                unpack=partial(
                    unpack_zip,
                    wanted=r"(.*/)?CXR_png/MCUCXR_\d+_[01]\.png",
                    limits=Limits(members=5000, total_bytes=4 << 30),
                ),
            )
        ]
