"""Small files that claim, or unpack to, more than memory holds are refused before memory grows."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian

HUGE = 60_000
MEASURE = """
import json, sys
from pathlib import Path
from srexp.system.memory import peak_bytes
from srexp.data.dicom import reader
from srexp.data.formats import nifti, raster, tiff
from srexp.data.formats.registry import read_image, frames_in, shape_of
from srexp.data.image import UnreadableImageError

def measured(path):
    before, reason = peak_bytes() // 2**20, ""
    for attempt in (shape_of, frames_in, read_image):
        try:
            attempt(path)
        except UnreadableImageError as error:
            reason = error.reason
    return peak_bytes() // 2**20 - before, reason

for harmless in sys.argv[2:]:  # the decoders' own modules are no growth
    read_image(Path(harmless))
print(json.dumps({path.name: measured(path) for path in sorted(Path(sys.argv[1]).iterdir())}))
"""


def png(path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", HUGE, HUGE, 16, 0, 0, 0, 0)
    rows = zlib.compress(bytes(10**6))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def patched(path: Path, at: int, value: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)


def bmp(path: Path) -> None:
    Image.new("L", (8, 8)).save(path, format="BMP")
    patched(path, 18, struct.pack("<ii", HUGE, HUGE))


def jpeg(path: Path) -> None:
    Image.new("L", (8, 8)).save(path, format="JPEG")
    patched(path, path.read_bytes().index(b"\xff\xc0") + 5, struct.pack(">HH", HUGE, HUGE))


def tiff(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), compression="zlib")
    with tifffile.TiffFile(path) as file:
        tags = [file.pages[0].tags[name].valueoffset for name in ("ImageWidth", "ImageLength")]
    for offset in tags:
        patched(path, offset, struct.pack("<H", HUGE))


def tiff_strip(path: Path) -> None:
    """Claim 8 x 8 pixels in front of 300 MB of zeros."""
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), compression="zlib")
    bomb = zlib.compress(bytes(3 * 10**8), 1)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + bomb)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["StripOffsets"].overwrite(size)
        file.pages[0].tags["StripByteCounts"].overwrite(len(bomb))


def dicom(path: Path) -> None:
    data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    data.Rows = data.Columns = HUGE
    data.save_as(path)


def dicom_codestream(path: Path) -> None:
    """Claim 64 x 64 pixels in the header and far more in the JPEG 2000 codestream."""
    path.write_bytes(Path(get_testdata_file("MR_small_jp2klossless.dcm")).read_bytes())
    patched(path, path.read_bytes().index(b"\xff\x4f\xff\x51") + 8, struct.pack(">II", HUGE, HUGE))


def dicom_frames(path: Path) -> None:
    data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    data.NumberOfFrames = 10**9
    data.save_as(path)


def dicom_deflated(path: Path) -> None:
    data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.add_new((0x0009, 0x0010), "LO", "bomb")
    data.add_new((0x0009, 0x1001), "OB", bytes(3 * 10**8))
    data.save_as(path)


def nifti(path: Path) -> None:
    volume = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    data = bytearray(volume.to_bytes())
    data[42:48] = struct.pack("<hhh", 30000, 30000, 30000)
    path.write_bytes(data)


def nifti_gzip(path: Path) -> None:
    volume = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    data = bytearray(volume.to_bytes())
    data[42:48] = struct.pack("<hhh", 30000, 30000, 1)
    path.write_bytes(gzip.compress(data + bytes(10**7)))


BOMBS: dict[str, tuple[Callable[[Path], None], str]] = {
    "header.png": (png, "claims 60000 x 60000 pixels"),
    "header.bmp": (bmp, "claims 60000 x 60000 pixels"),
    "header.jpg": (jpeg, "claims 60000 x 60000 pixels"),
    "header.tif": (tiff, "claims 60000 x 60000 pixels"),
    "strip.tif": (tiff_strip, ""),
    "header.dcm": (dicom, "claims 60000 x 60000 pixels"),
    "codestream.dcm": (dicom_codestream, "a compressed frame of 60000 x 60000 x 1"),
    "frames.dcm": (dicom_frames, "is truncated"),
    "deflated.dcm": (dicom_deflated, "unpacks to more than"),
    "header.nii": (nifti, "claims 30000 x 30000 pixels"),
    "header.nii.gz": (nifti_gzip, "claims 30000 x 30000 pixels"),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Megabytes that memory grew by, and the reason, of each bomb; read in a process of its own."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (make, _) in BOMBS.items():
        make(folder / name)
        assert (folder / name).stat().st_size < 2 * 2**20
    harmless = [get_testdata_file(name) for name in ("MR_small.dcm", "MR_small_jp2klossless.dcm", "image_dfl.dcm")]
    for suffix in ("png", "bmp", "jpg", "tif"):
        path = tmp_path_factory.mktemp("harmless") / f"a.{suffix}"
        Image.new("L", (8, 8)).save(path)
        harmless.append(str(path))
    command = [sys.executable, "-c", MEASURE, str(folder), *harmless]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_before_memory_grows(measured: dict[str, tuple[int, str]], name: str) -> None:
    megabytes, reason = measured[name]
    assert BOMBS[name][1] in reason
    assert megabytes < 200
