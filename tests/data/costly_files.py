"""Files that cost more than they look, of every kind, by what they spend: pixels, bytes, nesting and time."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import nibabel
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit

MIB = 2**20

#: How much larger a file of the slow lane is.
Large = int


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*between: bytes, side: int = 8, bits: int = 8, colour: int = 0, rows: bytes = bytes(72)) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0))
    body = b"".join([header, *between, chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")])
    return b"\x89PNG\r\n\x1a\n" + body


def zeros(size: int, wbits: int = zlib.MAX_WBITS) -> bytes:
    """Compress zeros without holding them."""
    press = zlib.compressobj(1, zlib.DEFLATED, wbits)
    return b"".join([*(press.compress(bytes(MIB)) for _ in range(size // MIB)), press.flush()])


def solid_png(large: Large) -> bytes:
    """As many pixels as are read, in the widest kind."""
    side = 10_000 if large > 1 else 2500
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zeros((side * 6 + 1) * side + MIB)) + chunk(b"IEND", b"")


def many_texts(large: Large) -> bytes:
    return png(*[chunk(b"zTXt", b"a\0\0" + zeros(MIB))] * (30 * large))


def jpeg(segments: bytes = b"", side: int = 64) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(buffer, format="JPEG")
    return b"\xff\xd8" + segments + buffer.getvalue()[2:]


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def scans(count: int, side: int = 2200) -> bytes:
    """A progressive JPEG that sends one band again and again."""
    table = bytes([1] + [0] * 15) + b"\0"
    head = segment(0xDB, b"\0" + bytes([1] * 64))
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    head += segment(0xC4, b"\0" + table) + segment(0xC4, b"\x10" + table)
    again = segment(0xDA, b"\1\1\0\x01\x3f\0") + b"\0"
    return b"\xff\xd8" + head + segment(0xDA, b"\1\1\0\0\0\0") + bytes(16) + again * count + b"\xff\xd9"


def looping_exif() -> bytes:
    directory = struct.pack("<HHHIIHHIII", 2, 0x8769, 4, 1, 8, 0x8825, 4, 1, 8, 8)
    return segment(0xE1, b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory)


def looping_set(frames: int) -> bytes:
    """A JPEG whose index of further pictures names itself (CIPA DC-007)."""
    entries = struct.pack("<IIIHH", 0x030000, 400, 0, 0, 0) * min(frames, 4000)
    index = struct.pack("<HHHII", 3, 0xB000, 7, 4, 0x30303130)
    index += struct.pack("<HHII", 0xB001, 4, 1, frames) + struct.pack("<HHIII", 0xB002, 7, len(entries), 50, 0)
    return jpeg(segment(0xE2, b"MPF\0II*\0" + struct.pack("<I", 8) + index + entries))


def bmp_runs(side: int) -> bytes:
    """Run lengths of 255 pixels in two bytes."""
    data = (b"\xff\0" * (side // 255) + b"\0\0") * side + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(data), 0, 0, 54 + 1024) + head + bytes(1024) + data


def tiff_tile(compression: int, stream: bytes, side: int = 64) -> bytes:
    """A TIFF whose one tile claims fewer pixels than its codestream has."""
    entries = {256: side, 257: side, 258: 8, 259: compression, 262: 1, 277: 1, 322: side, 323: side}
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries |= {324: start, 325: len(stream)}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + stream


def tiff_pages(count: int, *, shared: bool = False, loop: bool = False) -> bytes:
    """Many directories, each with its pixels or all with the same ones."""
    size, length = 2 + 12 * 8 + 4, 10_000 if shared else 64
    out, last = bytearray(b"II*\0" + struct.pack("<I", 8)), 8 + (count - 1) * (size + 64)
    for at in range(8, last + 1, size + 64):
        following = at + size + 64 if at < last else 8 if loop else 0
        pixels = 8 + size if shared else at + size
        values = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: pixels, 278: 8, 279: length}
        out += struct.pack("<H", 8) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
        out += struct.pack("<I", following) + bytes(64)
    return bytes(out) + bytes(length)


def tiff_tags(count: int) -> bytes:
    """A directory of BigTIFF that claims so many tags, each with as many values."""
    tag = struct.pack("<HHQQ", 700, 4, 2**40, 16)
    return b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, count) + tag * min(count, 5000) + bytes(8)


def strips(count: int) -> bytes:
    """One image of many strips, all of them one bomb."""
    buffer = io.BytesIO()
    bomb = zeros(12 * MIB)
    tifffile.imwrite(buffer, np.zeros((count, 8), "u1"), rowsperstrip=1, compression="zlib")
    whole = bytearray(buffer.getvalue())
    buffer.seek(0)
    with tifffile.TiffFile(buffer) as file:
        for name, value in (("StripOffsets", len(whole)), ("StripByteCounts", len(bomb))):
            tag = file.pages[0].tags[name]
            kind = {3: "<u2", 4: "<u4", 16: "<u8"}[int(tag.dtype)]
            new = np.full(count, min(value, np.iinfo(kind).max), kind).tobytes()
            whole[tag.valueoffset : tag.valueoffset + len(new)] = new
    return bytes(whole) + bomb


def dicom(change: Callable[[pydicom.Dataset], object], name: str = "MR_small.dcm") -> bytes:
    data = pydicom.dcmread(get_testdata_file(name))
    change(data)
    buffer = io.BytesIO()
    data.save_as(buffer)
    return buffer.getvalue()


def deflated(size: int) -> Callable[[pydicom.Dataset], None]:
    def change(data: pydicom.Dataset) -> None:
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        data.add_new((0x0009, 0x0010), "LO", "bomb")
        data.add_new((0x0009, 0x1001), "OB", bytes(size))

    return change


def inserted(elements: bytes) -> bytes:
    """A DICOM file with elements of implicit VR before its pixels."""
    whole = Path(get_testdata_file("MR_small_implicit.dcm")).read_bytes()
    at = whole.index(b"\xe0\x7f\x10\x00")
    return whole[:at] + elements + whole[at:]


def many(count: int) -> bytes:
    elements = np.zeros(count, [("group", "<u2"), ("element", "<u2"), ("length", "<u4")])
    index = np.arange(count)
    elements["group"], elements["element"] = 0x31 + 2 * (index // 60000), index % 60000
    return elements.tobytes()


def empty_elements(count: int) -> bytes:
    return inserted(many(count))


def nested_items(depth: int, *, known: bool) -> bytes:
    """Sequences within sequences (0040,A730), with and without lengths."""
    inner = b""
    for _ in range(depth):
        length, item = (len(inner) + 8, len(inner)) if known else (2**32 - 1, 2**32 - 1)
        ends = (b"", b"") if known else (b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\xdd\xe0" + bytes(4))
        head = struct.pack("<HHIHHI", 0x40, 0xA730, length, 0xFFFE, 0xE000, item)
        inner = head + inner + ends[0] + ends[1] if depth < 5000 or not known else head + inner
    return inserted(inner)


def items(count: int) -> bytes:
    """One sequence of empty items."""
    one = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    return inserted(struct.pack("<HHI", 0x40, 0xA730, len(one) * count) + one * count)


def element(group: int, number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def of_items(group: int, number: int, item: bytes, count: int) -> bytes:
    return element(group, number, element(0xFFFE, 0xE000, item) * count)


def shared_by_frames(empty: int, frames: int) -> bytes:
    """Empty items, among which each frame's could look for the size of its pixels."""
    place = element(0x20, 0x32, b"0\\0\\0 ")
    return inserted(of_items(0x5200, 0x9229, b"", empty) + of_items(0x5200, 0x9230, place, frames))


def frames_with_groups(elements: int) -> bytes:
    """As many frames as fit, each of one pixel and with its description."""
    size = element(0x28, 0x10, b"\1\0") + element(0x28, 0x11, b"\1\0") + element(0x28, 0x08, b"4096")
    place = element(0x20, 0x32, b"0\\0\\0 ") + element(0x28, 0x30, b"1\\1 ") * elements
    plane = of_items(0x20, 0x9113, place, 1) + of_items(0x28, 0x9110, place, 1)
    return inserted(size + of_items(0x5200, 0x9230, plane, 4096))


def encapsulated(stream: bytes, side: int) -> bytes:
    def change(data: pydicom.Dataset) -> None:
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        data.Rows = data.Columns = side
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.PixelRepresentation = 7, 0
        for keyword in ("PixelPaddingValue", "SmallestImagePixelValue", "LargestImagePixelValue"):
            data.pop(keyword, None)
        data.PixelData = pydicom.encaps.encapsulate([stream])
        data["PixelData"].is_undefined_length = True
        data["PixelData"].VR = "OB"

    return dicom(change)


def j2k_claims(side: int) -> bytes:
    data = bytearray(Path(get_testdata_file("MR_small_jp2klossless.dcm")).read_bytes())
    at = data.index(b"\xff\x4f\xff\x51") + 8
    data[at : at + 8] = struct.pack(">II", side, side)
    return bytes(data)


def nifti(shape: tuple[int, ...], tail: bytes = b"", start: float = 352) -> bytes:
    header = nibabel.Nifti1Image(np.zeros((4, 4, 1), "u1"), np.eye(4)).header
    header["dim"][: len(shape) + 1] = (len(shape), *shape)
    header["vox_offset"], header["magic"] = start, b"n+1"
    return header.binaryblock + tail


def nifti_gzip(shape: tuple[int, ...], size: int, extension: int = 0) -> bytes:
    head = nifti(shape, b"\1\0\0\0" + struct.pack("<ii", extension, 6) if extension else bytes(4), 352 + extension)
    return gzip.compress(head) + zeros(size, 16 + zlib.MAX_WBITS)  # two members make one stream


def npy(head: bytes, length: int | None = None) -> bytes:
    return b"\x93NUMPY\2\0" + struct.pack("<I", len(head) if length is None else length) + head


def sop(name: str, value: object) -> Callable[[pydicom.Dataset], None]:
    return lambda data: setattr(data, name, value)


#: Files by kind and by what they spend, for a factor of size.
FILES: dict[str, Callable[[Large], bytes]] = {
    "png-pixels-claimed": lambda _: png(side=60_000),
    "png-pixels": solid_png,
    "png-bytes-rows": lambda n: png(rows=bytes(40 * MIB * n)),
    "png-bytes-profile": lambda n: png(chunk(b"iCCP", b"a\0\0" + zeros(40 * MIB * n))),
    "png-bytes-texts": many_texts,
    "png-bytes-exif": lambda n: png(chunk(b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * MIB * n)),
    "png-nesting-chunks": lambda n: png(*[chunk(b"tEXt", b"a\0")] * (30_000 * n)),
    "png-nesting-frames": lambda _: png(chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
    "png-nesting-unknown-chunks": lambda n: png(*[chunk(b"prVt", b"")] * (10_000 * n * n)),
    "png-time-empty-data": lambda n: png(*[chunk(b"IDAT", b"")] * (30_000 * n)),
    "png-palette": lambda n: png(chunk(b"PLTE", bytes(3 * MIB * n)), colour=3),
    "jpeg-pixels-claimed": lambda _: scans(0, 65_000),
    "jpeg-bytes-profiles": lambda n: jpeg(segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(65_000)) * 50 * n),
    "jpeg-bytes-xmp": lambda n: jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a>" * 20_000) * 50 * n),
    "jpeg-nesting-exif": lambda _: jpeg(looping_exif()),
    "jpeg-nesting-pictures": lambda _: looping_set(2**31),
    "jpeg-time-scans": lambda n: scans(20_000 * n),
    "bmp-pixels-claimed": lambda _: (
        b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 60_000, 60_000, 1, 24, 0) + bytes(20)
    ),
    "bmp-pixels-claimed-behind": lambda _: b"BM" + bytes(8) + struct.pack("<I", 2**32 - 1) + bytes(99),
    "bmp-time-runs": lambda n: bmp_runs(2500 * min(n, 3)),
    "tiff-bytes-tile": lambda n: tiff_tile(34887, imagecodecs.lerc_encode(np.zeros((4000 * n, 40_000), "u1"))),
    "tiff-bytes-tile-png": lambda n: tiff_tile(34933, solid_png(n)),
    "tiff-bytes-tile-jpeg": lambda n: tiff_tile(7, scans(500 * n)),
    "tiff-bytes-tile-zlib": lambda n: tiff_tile(8, zeros(150 * MIB * n)),
    "tiff-bytes-tile-lzma": lambda _: tiff_tile(34925, imagecodecs.lzma_encode(bytes(30 * MIB))),
    "tiff-bytes-tile-zstd": lambda _: tiff_tile(50000, imagecodecs.zstd_encode(bytes(150 * MIB))),
    "tiff-bytes-tags": lambda _: tiff_tags(2**40),
    "tiff-nesting-tags": lambda _: tiff_tags(5000),
    "tiff-nesting-pages": lambda n: tiff_pages(2000 * n),
    "tiff-nesting-loop": lambda _: tiff_pages(500, loop=True),
    "tiff-time-pages-that-share": lambda n: tiff_pages(2000 * n, shared=True),
    "tiff-time-scans": lambda n: tiff_tile(7, scans(20_000 * n), 2208),
    "tiff-time-strips": lambda n: strips(200 * n),
    "dicom-pixels-claimed": lambda _: dicom(sop("Rows", 65_000)),
    "dicom-pixels-frames": lambda _: dicom(sop("NumberOfFrames", 2**31 - 1)),
    "dicom-pixels-codestream": lambda _: j2k_claims(60_000),
    "dicom-bytes-deflated": lambda n: dicom(deflated(80 * MIB * min(n, 4))),
    "dicom-bytes-palette": lambda _: inserted(struct.pack("<HHI", 0x28, 0x1201, 40_000_000) + bytes(40_000_000)),
    "dicom-nesting-elements": lambda n: empty_elements(110_000 * n),
    "dicom-nesting-items": lambda n: items(100_000 * n),
    "dicom-nesting-items-that-are-read": lambda n: items(24_000 * min(n, 4)),
    "dicom-nesting-sequences": lambda n: nested_items(1500 * n, known=False),
    "dicom-nesting-sequences-with-lengths": lambda n: nested_items(1500 * n, known=True),
    "dicom-time-corners": lambda n: shared_by_frames(20_000 * min(n, 2), 15_000),
    "dicom-time-frames": lambda n: frames_with_groups(2 * n),
    "dicom-time-numbers": lambda n: inserted(element(0x70, 0x101, b"1\\" * MIB * n)),
    "dicom-time-scans": lambda n: encapsulated(scans(20_000 * n), 2200),
    "nifti-pixels-claimed": lambda _: nifti((30_000, 30_000, 1)),
    "nifti-pixels-slices": lambda _: nifti((1, 1, 30_000, 30_000), bytes(100)),
    "nifti-gz-pixels-slices": lambda n: nifti_gzip((1, 1, 10_000, 3000 * n), 96 * MIB * n),
    "nifti-gz-bytes-extension": lambda n: nifti_gzip((4, 4, 1), 140 * MIB * n, 140 * MIB * n),
    "nifti-gz-bytes-small-extension": lambda n: nifti_gzip((4, 4, 1), 32 * MIB * n, 30 * MIB),
    "nifti-gz-bytes-tail": lambda n: nifti_gzip((4, 4, 1), 150 * MIB * n),
    "nifti-gz-nesting": lambda n: gzip.compress(gzip.compress(nifti((4, 4, 1), zeros(100 * MIB * n)))),
    "nifti-gz-time-members": lambda n: gzip.compress(nifti((4, 4, 900), bytes(4))) + gzip.compress(b"") * 100_000 * n,
    "nifti-gz-name": lambda n: b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * MIB * 4 * n,
    "npy-pixels-claimed": lambda _: npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 60000, 60000), }\n"),
    "npy-bytes-header": lambda n: npy(b" " * MIB * 20 * n, 2**32 - 1),
    "npy-nesting": lambda _: npy(b"(" * 9000),
}

#: What the refusal says where it is sure on every machine which bound is met.
REASONS = {
    "jpeg-time-scans": "holds a JPEG of more than 100 scans",
    "tiff-time-scans": "holds a JPEG of more than 100 scans",
    "dicom-time-scans": "holds a JPEG of more than 100 scans",
    "tiff-bytes-tile": "takes more than 128 MiB of memory to be read",
    "nifti-gz-bytes-extension": "has a header of 146,800,992 bytes",
    "nifti-pixels-slices": "is truncated",
    "nifti-gz-pixels-slices": "claims more than the 100,000 images",
    "tiff-time-pages-that-share": "has pages that share their pixels",
    "tiff-nesting-loop": "pages without end",
}
