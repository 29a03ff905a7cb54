"""430 chest radiographs of NIH ChestX-ray14: the beginnings of its twelve archives, 14 MiB each instead of 45 GB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from srexp.data.download.archive import Limits, unpack_cut_tar
from srexp.data.sources.public_dataset import Downloadable, Piece

PREFIX_BYTES = 14 * 1024 * 1024

# Name of the archive in its static link, and SHA-256 of its first PREFIX_BYTES.
ARCHIVES: tuple[tuple[str, str], ...] = (
    ("vfk49d74nhbxq3nqjg0900w5nvkorp5c", "02c6040f8774c7ce911be9518ea92a44a3ba43ef28ae30a40e0451758eb361b0"),
    ("i28rlmbvmfjbl8p2n3ril0pptcmcu9d1", "1d073b875493182e8ab4e1143e7787527d9dcb89c66707cb7a9152e17636a03b"),
    ("f1t00wrtdk94satdfb9olcolqx20z2jp", "fe2adc80dfb9be0121fb80b63ad53a473d2f0c11e5d782b468e8723c14dcf675"),
    ("0aowwzs5lhjrceb3qp67ahp0rd1l1etg", "d1e61fa70289b5b1ee6ba294ed49f46a0a5a15eedbf8eafc57b4c51720777e6b"),
    ("v5e3goj22zr6h8tzualxfsqlqaygfbsn", "420fd6b66e64d4f1cda606b71226f9439f091e49c22b786509e7522a74f950ac"),
    ("asi7ikud9jwnkrnkj99jnpfkjdes7l6l", "95ca34596ecda2d71564574b707f79bc29f148bd45f243d95c949adaaaa972e9"),
    ("jn1b4mw4n6lnh74ovmcjb8y48h8xj07n", "88864e3d8f66f0561c9d8a463bb4e6807b978eab179f5bcdbc2bc54d3624cfd2"),
    ("tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j", "a0d034a94130efe0e9852b96f007332b21d56c23718e700775813059012e42ba"),
    ("upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj", "f0f5092715ed2f9df02429c42e00ef3f144cc296f5ca2f5bfa4aecfb45c57b55"),
    ("l6nilvfa9cg3s28tqv1qc1olm3gnz54p", "1f0a5b677c2a0a2359d2cc09869e07d0f8207efa2453b5736eff6da4f53f82a0"),
    ("hhq8fkdgvcari67vfhs7ppg2w6ni4jze", "de6142f5e5ede8bdf28349a8ee8eeda0dd63a38a2741524245ee895002e89a28"),
    ("ioqwiy20ihqwyr8pf4c24eazhh281pbu", "97cde53fd8f04ec576220f9cba4c9bac3eb4aa3db6d34b71b6c65e016d0c3c3f"),
)


@dataclass(frozen=True)
class NihSample(Downloadable):
    """The images that lie whole in the first 14 MiB of each archive, 34 to 38 of 1024 x 1024 pixels.

    Args:
        url: Address that the archives' static links are relative to.
    """

    choice = "nih_sample"
    images = 430
    patients = r"^(\d{8})_"
    attribution = (
        "NIH ChestX-ray14, from https://nihcc.app.box.com/v/ChestXray-NIHCC: usage unrestricted; acknowledge the NIH "
        "Clinical Center as the provider and cite X. Wang et al., ChestX-ray8, CVPR 2017"
    )

    def _pieces(self) -> list[Piece]:
        return [
            Piece(
                folder=f"images_{number:03d}",
                archive=f"images_{number:03d}.tar.gz",
                url=f"{self.url.rstrip('/')}/{link}.gz",
                checksum=f"sha256:{sha256}",
                megabytes=15,
                unpack=partial(
                    unpack_cut_tar,
                    wanted=r"(\./)?images/\d{8}_\d{3}\.png",
                    first_bytes=PREFIX_BYTES,
                    limits=Limits(members=1000, total_bytes=4 * PREFIX_BYTES),
                ),
                prefix_bytes=PREFIX_BYTES,
            )
            for number, (link, sha256) in enumerate(ARCHIVES, start=1)
        ]
