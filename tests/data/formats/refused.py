"""Files that can't be kept exactly, of each kind, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import tifffile
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from tests.data.dicom.images import save, unsigned
from tests.data.formats.rewriting import tiff, values

_WIDTH, _LENGTH, _PHOTOMETRIC = 322, 323, 262  # of a tile; colours


def tiff_of(path: Path, tags: dict[int, int], **options: object) -> None:
    """Write a TIFF, and say afterwards what no writer would."""
    tiff(path, values(8, (32, 32)), **options)
    with tifffile.TiffFile(path, mode="r+") as file:
        for tag, value in tags.items():
            file.pages[0].tags[tag].overwrite(value)


def dicom_of(path: Path, change: Callable[[pydicom.Dataset], object], **tags: object) -> None:
    """Write an image in colour as DICOM, and change it afterwards."""
    colours = unsigned(8, (5, 7, 3))
    image = pydicom.dcmread(save(path, colours, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, **tags))
    change(image)
    image.save_as(path)


def of_real_numbers(image: pydicom.Dataset) -> None:
    del image.PixelData
    image.FloatPixelData = np.zeros((5, 7), "<f4").tobytes()


def with_palette_of_12_bits(image: pydicom.Dataset) -> None:
    image.PhotometricInterpretation, image.SamplesPerPixel = "PALETTE COLOR", 1
    for colour in ("Red", "Green", "Blue"):
        image.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [256, 0, 12])
        image.add_new(f"{colour}PaletteColorLookupTableData", "OW", bytes(512))


def replaced(path: Path, name: str, old: bytes, new: bytes) -> None:
    """Copy a file of pydicom's with other bytes in one place."""
    content = Path(get_testdata_file(name)).read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "tiff_thumbnail": (lambda path: tiff_of(path, {}, subfiletype=1), "has no page with an image"),
    "tiff_mask": (lambda path: tiff_of(path, {_PHOTOMETRIC: 4}), "is a mask of another page"),
    "tiff_tile": (
        lambda path: tiff_of(path, {_WIDTH: 60_000, _LENGTH: 60_000}, tile=(16, 16)),
        "claims tiles that are too large",
    ),
    "tiff_palette": (lambda path: tiff_of(path, {_PHOTOMETRIC: 3}), "lacks its palette"),
    "nifti_line": (
        lambda path: path.write_bytes(nibabel.Nifti1Image(np.zeros(9, np.uint8), np.eye(4)).to_bytes()),
        "has 1 axis, which is no image",
    ),
    "dicom_elsewhere": (  # JPIP: the pixels are to be asked for at an address
        lambda path: replaced(path, "MR_small_jp2klossless.dcm", b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.94"),
        "a transfer syntax that srexp does not decode (fix: decompress it)",
    ),
    "dicom_real_numbers": (lambda path: dicom_of(path, of_real_numbers), "holds floating-point pixel data"),
    "dicom_planes": (
        lambda path: dicom_of(path, lambda _: None, PlanarConfiguration=2),
        "has 2 as PlanarConfiguration (0028,0006), where 0 or 1 is expected",
    ),
    "dicom_palette": (lambda path: dicom_of(path, with_palette_of_12_bits), "has a palette"),
    "dicom_deflated": (
        lambda path: replaced(path, "image_dfl.dcm", b"\x02\x00\x00\x00UL\x04\x00", b"\x02\x00\x00\x00UN\x04\x00"),
        "is deflated and has no file meta group length",
    ),
    "dicom_jpeg_without_end": (
        lambda path: replaced(path, "JPGExtended.dcm", b"\xff\xd9", b"\0\0"),
        "damaged or undecodable pixel data",
    ),
}
