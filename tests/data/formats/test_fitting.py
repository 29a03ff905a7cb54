"""Every reader and every writer with all that says how pixels are to be seen; oracles are other programs' readers."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from srexp.data.display import Display, Resolution
from srexp.data.formats.fitting import fitted
from srexp.data.formats.registry import read_image, shape_of
from srexp.data.formats.signatures import kind_of
from srexp.data.image import Kind, Numbers
from srexp.data.restored_image import Restored
from tests.data.formats.rewriting import chunked, enlarged, nifti, png, through, through_and_lost

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TARGETS = ("png", "jpeg", "bmp", "tiff", "dicom")
MM = 25.4 / 254  # side of a pixel in the files below, across; down it is twice as long
ENDING = {"png": "png", "png16": "png", "jpeg": "jpg", "bmp": "bmp", "tiff": "tif", "tiff16": "tif"}


def pattern(colours: int, bits: int = 8) -> Numbers:
    """A picture that looks different in each of the eight orientations, in blocks that JPEG keeps."""
    corners = np.zeros((16, 24, colours), np.uint16)
    corners[:8, :8], corners[8:, :8], corners[:8, 16:] = 255, 170, 85
    return (corners * 257).astype(np.uint16) if bits > 8 else corners.astype(np.uint8)


def made(folder: Path, source: str, orientation: int = 1, colours: int = 3) -> Path:
    """A file with orientation, resolution and profile, as far as its kind knows them."""
    path = folder / f"a.{ENDING[source]}"
    pixels = pattern(colours, 16 if source.endswith("16") else 8)
    values = pixels if colours > 1 else pixels[..., 0]
    exif = Image.Exif()
    exif[0x0112] = orientation
    if source.startswith("png"):
        content = png(path, values).read_bytes()
        described = {"iCCP": b"x\0\0" + zlib.compress(PROFILE), "pHYs": struct.pack(">IIB", 10000, 5000, 1)}
        path.write_bytes(chunked(content, **described, eXIf=exif.tobytes().removeprefix(b"Exif\0\0")))
    elif source.startswith("tiff"):
        tifffile.imwrite(
            path,
            values,
            photometric="rgb" if colours > 1 else "minisblack",
            metadata=None,
            resolution=(254, 127),
            resolutionunit="INCH",
            iccprofile=PROFILE,
            extratags=[(274, "H", 1, orientation, True)],
        )
    elif source == "jpeg":
        Image.fromarray(values).save(path, dpi=(254, 127), icc_profile=PROFILE, exif=exif, quality=100, subsampling=0)
    else:
        Image.fromarray(values).save(path, dpi=(254, 127))
    return path


def seen(path: Path) -> Numbers:
    """The picture as others see it, upright."""
    kind = kind_of(path)
    if kind == "dicom":
        return pydicom.dcmread(path).pixel_array
    if kind == "tiff":
        with tifffile.TiffFile(path) as file:
            image = Image.fromarray((file.asarray() // (257 if file.pages[0].bitspersample == 16 else 1)).astype("u1"))
            image.getexif()[0x0112] = file.pages[0].tags.valueof(274, default=1)
            return np.asarray(ImageOps.exif_transpose(image))
    with Image.open(path) as opened:
        return np.asarray(ImageOps.exif_transpose(opened)) // (257 if opened.mode.startswith("I;16") else 1)


def pixel(path: Path) -> tuple[float, float] | None:
    """Width and height of an upright pixel in mm, as others read them."""
    kind = kind_of(path)
    if kind == "dicom":
        down, across = pydicom.dcmread(path).NominalScannedPixelSpacing
        return across, down
    if kind == "tiff":
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            size = tuple({2: 25.4, 3: 10.0}[page.resolutionunit] / each for each in page.resolution)
            return size[::-1] if page.tags.valueof(274, default=1) > 4 else size
    with Image.open(path) as image:
        size = tuple(25.4 / each for each in image.info["dpi"])
        return size[::-1] if image.getexif().get(0x0112, 1) > 4 else size


def profile(path: Path) -> bytes | None:
    if kind_of(path) == "tiff":
        with tifffile.TiffFile(path) as file:
            return file.pages[0].tags.valueof(34675)
    with Image.open(path) as image:
        return image.info.get("icc_profile")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("source", ["png", "png16", "jpeg", "tiff", "tiff16"])
def test_an_image_stands_upright_in_training_and_in_every_file(tmp_path: Path, source: str, orientation: int) -> None:
    path = made(tmp_path, source, orientation)
    image = Image.fromarray(pattern(3))
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    read = read_image(path)
    close = 3 if source == "jpeg" else 0
    assert shape_of(path) == expected.shape[:2]
    assert np.abs(read.pixels // (257 if read.bits > 8 else 1) - expected.astype(int)).max() <= close
    for wanted in ("same", *TARGETS):
        [target] = through(path, tmp_path / wanted / path.name, scale=2, wanted=wanted)
        found = seen(target).astype(int)
        assert np.abs(found - enlarged(expected, 2)).max() <= (3 if "jpeg" in (source, wanted) else 0), wanted
        assert read_image(target).pixels.shape == found.shape
        if wanted != "dicom":
            width, height = pixel(target)
            across, down = (MM, 2 * MM) if orientation < 5 else (2 * MM, MM)
            assert (width, height) == pytest.approx((across / 2, down / 2), rel=0.003), wanted


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("wanted", ["same", *TARGETS])
@pytest.mark.parametrize("source", ENDING)
def test_size_of_a_pixel_and_profile_are_kept_or_said_to_be_lost(
    tmp_path: Path, source: str, wanted: str, colours: int
) -> None:
    path = made(tmp_path, source, colours=colours)
    [target], lost = through_and_lost(path, tmp_path / "out" / path.name, scale=2, wanted=wanted)
    assert pixel(target) == pytest.approx((MM / 2, MM), rel=0.003)
    holds = kind_of(target) in ("png", "jpeg", "tiff")
    kind = kind_of(target)
    most = 8 if kind in ("jpeg", "bmp") or (kind == "dicom" and colours > 1) else 16
    gone = [] if holds or source == "bmp" else ["colour profile"]
    gone += ["more than 8 bits"] * (read_image(path).bits > most)
    assert lost == [f"{each} not kept, for which {kind.upper()} has no place" for each in gone]
    if holds and source != "bmp":
        assert profile(target) == PROFILE


@pytest.mark.parametrize(
    ("wanted", "shape", "lost"),
    [
        ("png", (2, 1), False),
        ("tiff", (2, 1), False),
        ("dicom", (2, 1), False),
        ("jpeg", (2, 1), True),
        ("bmp", (2, 1), True),
        ("jpeg", (1, 1), False),
        ("bmp", (1, 1), False),
    ],
)
def test_the_shape_of_a_pixel_without_its_size(tmp_path: Path, wanted: str, shape: tuple[int, int], lost: bool) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(chunked(png(path, pattern(1)[..., 0]).read_bytes(), pHYs=struct.pack(">IIB", *shape, 0)))
    [target], said = through_and_lost(path, tmp_path / "out" / "a.x", wanted=wanted)
    assert bool(said) == lost
    if wanted == "dicom":
        assert list(pydicom.dcmread(target).PixelAspectRatio) == [2, 1]  # height, width
    if wanted == "tiff":
        with tifffile.TiffFile(target) as file:
            assert (file.pages[0].resolution, file.pages[0].resolutionunit) == ((2, 1), 1)
    if wanted == "png":
        assert struct.pack(">IIB", 2, 1, 0) in target.read_bytes()


@pytest.mark.parametrize("per_metre", [1, 2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize("wanted", TARGETS)
def test_a_resolution_beyond_what_a_file_holds_is_said_and_ends_nothing(
    tmp_path: Path, wanted: str, per_metre: int
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(chunked(png(path, pattern(1)[..., 0]).read_bytes(), pHYs=struct.pack(">IIB", *[per_metre] * 2, 1)))
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.x", scale=2, wanted=wanted)
    if lost:
        assert lost == [f"size of a pixel not kept, for which {wanted.upper()} has no place"]
    else:
        assert pixel(target) == pytest.approx([500 / per_metre] * 2, rel=0.01)


@pytest.mark.parametrize(
    ("wanted", "unit", "most"), [("png", 1000.0, 2**31 - 1), ("bmp", 1000.0, 2**31 - 1), ("jpeg", 25.4, 2**16 - 1)]
)
def test_a_format_takes_whole_numbers_up_to_what_its_field_holds(wanted: Kind, unit: float, most: int) -> None:
    for pixels, kept in ((most, True), (most + 1, False), (55.5, True), (45.5, False), (0.4, False)):
        lost: list[str] = []
        display = Display(resolution=Resolution(pixels, 100, unit))
        made = fitted(Restored(0, (1, 1, 1), 8, iter(()), display=display), wanted, wanted, 1, lost)
        assert (made.display.resolution is not None, not lost) == (kept, kept)


def test_what_a_png_says_of_its_colours_stays_in_a_png(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    tone: dict[str, Any] = {"gAMA": struct.pack(">I", 100000), "cHRM": struct.pack(">8I", *range(1, 9))}
    for bits in (8, 16):
        path.write_bytes(chunked(png(path, pattern(3, bits)).read_bytes(), **tone))
        [target] = through(path, tmp_path / "out" / "a.png")
        with Image.open(target) as image:
            assert image.info["gamma"] == 1
            assert image.info["chromaticity"] == pytest.approx([each / 100000 for each in range(1, 9)])
        for wanted in ("jpeg", "tiff", "bmp", "dicom"):
            _, lost = through_and_lost(path, tmp_path / "out" / "a.x", wanted=wanted)
            assert lost[0] == f"gamma and chromaticities not kept, for which {wanted.upper()} has no place"
    path.write_bytes(chunked(png(path, pattern(3)).read_bytes(), sRGB=b"\0"))
    assert through_and_lost(path, tmp_path / "out" / "a.x", wanted="bmp")[1] == []  # what all take it for


def test_a_slice_of_a_volume_keeps_the_size_of_its_pixels(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", np.zeros((4, 5, 2), np.uint8))  # unit unknown
    _, lost = through_and_lost(path, tmp_path / "out" / "a.png", wanted="png")
    assert lost == ["distance between planes not kept, for which PNG has no place"]
    content = bytearray(path.read_bytes())
    content[123] = 2  # xyzt_units: mm
    path.write_bytes(content)
    [target], lost = through_and_lost(path, tmp_path / "out" / "a.tif", wanted="tiff", scale=2)
    assert pixel(target) == pytest.approx((3 / 2, 2 / 2))
    assert lost == ["distance between planes not kept, for which TIFF has no place"]


@pytest.mark.parametrize("wanted", ["png", "jpeg", "bmp", "tiff"])
def test_dicom_says_the_size_of_its_pixels_to_other_files(tmp_path: Path, wanted: str) -> None:
    from pydicom.data import get_testdata_file

    path = Path(get_testdata_file("CT_small.dcm"))
    down, across = map(float, pydicom.dcmread(path).PixelSpacing)
    [target], lost = through_and_lost(path, tmp_path / "a.x", wanted=wanted, scale=2)
    assert pixel(target) == pytest.approx((across / 2, down / 2), rel=0.01)
    deep = ["more than 8 bits"] * (wanted in ("jpeg", "bmp"))
    assert lost == [f"{each} not kept, for which {wanted.upper()} has no place" for each in deep]


def test_damaged_descriptions_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    content = png(path, pattern(1)[..., 0]).read_bytes()
    path.write_bytes(chunked(content, pHYs=bytes(9), eXIf=b"no TIFF header"))
    np.testing.assert_array_equal(read_image(path).pixels, pattern(1))
    assert through_and_lost(path, tmp_path / "out" / "a.bmp", wanted="bmp")[1] == []


def said(display: Display, source: Kind, target: Kind, *, scale: int = 1, bits: int = 8, colours: int = 1) -> Any:
    lost: list[str] = []
    image = Restored(0, (1, 1, colours), bits, iter(()), display=display)
    made = fitted(image, source, target, scale, lost)
    place = f" not kept, for which {target.upper()} has no place"
    assert all(line.endswith(place) for line in lost)
    return made.display, [line.removesuffix(place) for line in lost]


LUTS = (("Ranges", (1.0, 2.0)), ("LUTs", (b"",)))
STACK = Display(window=True, planes=2.0, stack=("unit=mm",), channels=LUTS)
LOST = ["colours of channels", "range of values to be shown", "distance between planes"]


def test_a_stack_is_one_in_tiff_alone() -> None:
    assert said(STACK, "tiff", "tiff") == (STACK, [])
    for target in ("png", "jpeg", "bmp", "dicom"):
        assert said(STACK, "tiff", target) == (STACK, LOST)
    alone = Display(window=True, planes=2.0, channels=LUTS)
    assert said(alone, "tiff", "tiff") == (alone, LOST)
    for part, line in (({"window": True}, LOST[1]), ({"planes": 2.0}, LOST[2]), ({"channels": LUTS[1:]}, LOST[0])):
        assert said(Display(**part), "tiff", "png")[1] == [line]
    assert said(Display(channels=LUTS[:1]), "tiff", "png")[1] == []


def test_a_place_on_its_page_needs_a_resolution_and_a_tiff() -> None:
    place, resolution = (1.0, 2.0), Resolution(3, 3, 10.0)
    assert said(Display(place=place, resolution=resolution), "tiff", "tiff")[1] == []
    assert said(Display(place=place), "tiff", "tiff")[1] == ["place on its page"]
    assert said(Display(place=place, resolution=resolution), "tiff", "png")[1] == ["place on its page"]
    assert said(Display(resolution=resolution), "tiff", "tiff")[1] == []


@pytest.mark.parametrize("kind", TARGETS)
def test_orientation_stays_where_it_was_alone(kind: Kind) -> None:
    turned = Display(orientation=6, resolution=Resolution(30, 60, 25.4))
    other: Kind = "bmp" if kind == "tiff" else "tiff"
    for source, target, orientation, (across, down) in ((kind, kind, 6, (60, 120)), (other, kind, 1, (120, 60))):
        if target == "dicom" == source:
            continue
        made, _ = said(turned, source, target, scale=2)
        assert made == Display(orientation, made.resolution)
        assert made.resolution.per(25.4) == pytest.approx((across, down))


def test_dicom_and_nifti_take_everything_from_their_own_header() -> None:
    described = Display(orientation=6, window=True, planes=2.0, profile=b"x", place=(1, 2), tone=((1,),))
    for kind in ("dicom", "nifti"):
        assert said(described, kind, kind, scale=2, bits=16, colours=3) == (described, [])


@pytest.mark.parametrize(
    ("target", "grey", "colour"), [("png", 16, 16), ("tiff", 16, 16), ("jpeg", 8, 8), ("bmp", 8, 8), ("dicom", 16, 8)]
)
def test_depth_beyond_what_a_kind_holds_is_said(target: Kind, grey: int, colour: int) -> None:
    for bits in (8, 9, 16):
        for colours, most in ((1, grey), (3, colour)):
            gone = [f"more than {most} bits"] if bits > most else []
            assert said(Display(), "nifti", target, bits=bits, colours=colours)[1] == gone


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_kind_takes_of_colours(target: Kind) -> None:
    curve, usual = Display(tone=((b"gAMA", b""),)), Display(tone=((b"sRGB", b"\0"),))
    for display, lines in ((curve, ["gamma and chromaticities"]), (usual, [])):
        other: Kind = "bmp" if target == "png" else "png"
        assert said(display, other, target) == (Display(), lines)
        if target != "dicom":
            assert said(display, target, target) == ((display, []) if target in ("png", "tiff") else (Display(), lines))
    profile = Display(profile=b"x")
    kept = target in ("png", "jpeg", "tiff")
    assert said(profile, "nifti", target) == ((profile, []) if kept else (Display(), ["colour profile"]))


@pytest.mark.parametrize(("target", "unit"), [("tiff", 10.0), ("dicom", 1.0)])
def test_fractions_are_written_within_what_32_bits_count(target: Kind, unit: float) -> None:
    for pixels, kept in ((2.0**31 - 1, True), (2.0**31, False), (2.0**-30, True), (2.0**-31, False), (0.3, True)):
        for resolution in (Resolution(pixels, 1, unit), Resolution(1, pixels, unit)):
            made, lost = said(Display(resolution=resolution), "png", target)
            assert (made.resolution, lost) == ((resolution, []) if kept else (None, ["size of a pixel"]))


@pytest.mark.parametrize("target", TARGETS)
def test_a_shape_without_a_size_is_said_where_it_says_something(target: Kind) -> None:
    for ratio, whole in (((0.5, 0.25), (2, 1)), ((3, 3), (1, 1))):
        made, lost = said(Display(resolution=Resolution(*ratio, None)), "nifti", target)
        if target in ("jpeg", "bmp"):
            assert (made.resolution, lost) == (None, ["size of a pixel"] * (whole != (1, 1)))
        else:
            assert (made.resolution, lost) == (Resolution(*(whole if target == "png" else ratio), None), [])
