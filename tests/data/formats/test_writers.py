"""Values go back to files as they came: bits, sign, polarity; and the description says the new size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from srexp.data.formats.registry import frames_in, kind_of, read_image
from srexp.data.formats.writers import output_names, target_format, target_names, write_images
from srexp.data.image import Numbers
from srexp.data.restored_image import Made, Origin, Restored
from srexp.errors import RequestError, SrexpError
from srexp.types import Pixels

RNG = np.random.default_rng(5)
MADE = {scale: Made("net version 1", "identity", "0.1", scale) for scale in (1, 2, 3)}


def enlarged(low: Pixels, scale: int) -> Pixels:
    return low.repeat(scale, 0).repeat(scale, 1)


def through(path: Path, target: Path, *, scale: int = 1, wanted: str = "same", intensity: Any = "bits") -> list[Path]:
    """Read a file, enlarge it by repeating pixels, in strips, and write it."""
    kind = kind_of(path)
    origin = Origin(path, kind, tuple(frames_in(path)), intensity)

    def images():
        for frame in origin.frames:
            image = read_image(path, frame, intensity)
            high = enlarged(image.to_float(), scale)
            yield Restored.of(image, frame, scale, iter(np.array_split(high, 3)))

    target.parent.mkdir(exist_ok=True)
    wanted_kind = target_format(kind, wanted)
    write_images(target.parent, target.name, wanted_kind, origin, MADE[scale], images=images())
    return [target.parent / name for name in output_names(target.name, wanted_kind, origin.frames)]


def values(bits: int, shape: tuple[int, ...] = (13, 9)) -> Numbers:
    return RNG.integers(0, 2**bits, shape).astype(np.uint16 if bits > 8 else np.uint8)


def png(path: Path, pixels: Numbers) -> Path:
    import imagecodecs

    path.write_bytes(imagecodecs.png_encode(pixels))
    return path


def tiff(path: Path, pixels: Numbers, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **{"photometric": "minisblack", "metadata": None, **options})
    return path


def nifti(path: Path, volume: Numbers, slope: float = 1.0, inter: float = 0.0) -> Path:
    image = nibabel.Nifti1Image(volume, np.array([[0, -2, 0, 5], [3, 0, 0, 7], [0, 0, 4, 9], [0, 0, 0, 1.0]]))
    image.header.set_slope_inter(slope, inter)
    image.to_filename(path)
    return path


FILES = {
    "png8": lambda folder: png(folder / "a.png", values(8)),
    "png16": lambda folder: png(folder / "a.png", values(16)),
    "png8_colour": lambda folder: png(folder / "a.png", values(8, (7, 5, 3))),
    "png16_colour": lambda folder: png(folder / "a.png", values(16, (7, 5, 3))),
    "tiff8": lambda folder: tiff(folder / "a.tif", values(8)),
    "tiff10": lambda folder: tiff(folder / "a.tif", values(10), bitspersample=10),
    "tiff12": lambda folder: tiff(folder / "a.tif", values(12), bitspersample=12),
    "tiff16": lambda folder: tiff(folder / "a.tif", values(16)),
    "tiff16_signed": lambda folder: tiff(folder / "a.tif", values(16).view(np.int16)),
    "tiff16_white_is_zero": lambda folder: tiff(folder / "a.tif", values(16), photometric="miniswhite"),
    "tiff16_pages": lambda folder: tiff(folder / "a.tif", values(16, (3, 6, 5))),
    "tiff16_colour": lambda folder: tiff(folder / "a.tif", values(16, (6, 5, 3)), photometric="rgb"),
    "nifti_signed": lambda folder: nifti(folder / "a.nii.gz", values(16, (5, 6, 3)).view(np.int16), 0.5, -3),
    "nifti_turned": lambda folder: nifti(folder / "a.nii", values(16, (5, 6, 3)), -2.0, 100),
    "nifti8_4d": lambda folder: nifti(folder / "a.nii", values(8, (5, 6, 3, 2))),
    "bmp": lambda folder: Image.fromarray(values(8)).save(folder / "a.bmp") or folder / "a.bmp",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("scale", [1, 3])
def test_values_come_back_at_their_bit_depth(tmp_path: Path, name: str, scale: int) -> None:
    path = FILES[name](tmp_path)
    [target] = through(path, tmp_path / "out" / path.name, scale=scale)
    assert kind_of(target) == kind_of(path)
    assert list(frames_in(target)) == list(frames_in(path))
    for frame in frames_in(path):
        before, after = read_image(path, frame), read_image(target, frame)
        assert (after.bits, after.lossy) == (before.bits, False)
        np.testing.assert_array_equal(after.pixels, enlarged(before.pixels, scale))


def test_tiff_keeps_sign_polarity_packing_and_resolution(tmp_path: Path) -> None:
    for number, (pixels, options) in enumerate(
        [
            (values(16).view(np.int16), {"resolution": (10, 20), "resolutionunit": "CENTIMETER"}),
            (values(12), {"bitspersample": 12, "photometric": "miniswhite"}),
        ]
    ):
        path = tiff(tmp_path / f"{number}.tif", pixels, **options)
        [target] = through(path, tmp_path / "out" / path.name, scale=2)
        with tifffile.TiffFile(path) as before, tifffile.TiffFile(target) as after:
            first, second = before.pages[0], after.pages[0]
            for key in ("dtype", "bitspersample", "photometric", "resolutionunit"):
                assert getattr(first, key) == getattr(second, key)
            assert second.resolution == tuple(2 * each for each in first.resolution)
            assert "Not for diagnosis" in second.description
        np.testing.assert_array_equal(tifffile.imread(target), enlarged(tifffile.imread(path), 2))


def test_nifti_stays_in_its_place(tmp_path: Path) -> None:
    path = FILES["nifti_signed"](tmp_path)
    [target] = through(path, tmp_path / "out" / path.name, scale=3)
    before, after = nibabel.load(path), nibabel.load(target)
    assert after.shape == (15, 18, 3)
    assert (after.dataobj.slope, after.dataobj.inter) == (0.5, -3)
    assert after.header.get_zooms() == pytest.approx((1, 2 / 3, 4))
    assert [int(after.header[f"{form}_code"]) for form in ("sform", "qform")] == [
        int(before.header[f"{form}_code"]) for form in ("sform", "qform")
    ]
    corners = np.array([[-0.5, -0.5, 0, 1], [4.5, -0.5, 0, 1], [-0.5, 5.5, 2, 1]])
    finer = np.array([[-0.5, -0.5, 0, 1], [14.5, -0.5, 0, 1], [-0.5, 17.5, 2, 1]])
    assert finer @ after.affine.T == pytest.approx(corners @ before.affine.T, abs=1e-5)


def test_floating_point_is_stretched_and_comes_out_as_words(tmp_path: Path) -> None:
    for path in (
        tiff(tmp_path / "a.tif", RNG.random((9, 8), np.float32)),
        nifti(tmp_path / "a.nii", RNG.random((9, 8, 2), np.float32)),
    ):
        [target] = through(path, tmp_path / "out" / path.name, intensity="percentile")
        for frame in frames_in(path):
            before, after = read_image(path, frame, "percentile"), read_image(target, frame)
            assert after.bits == 16
            np.testing.assert_array_equal(after.pixels, before.pixels)


def test_resolution_profile_and_orientation_go_along(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a name that stays behind"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, kind in (("a.png", "PNG"), ("a.jpg", "JPEG")):
        source = Image.fromarray(values(8, (16, 16, 3)))
        source.save(tmp_path / name, dpi=(100, 100), exif=exif, icc_profile=profile)
        [target] = through(tmp_path / name, tmp_path / "out" / name, scale=2)
        with Image.open(target) as image:
            assert (image.format, image.size) == (kind, (32, 32))
            assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
            assert image.info["icc_profile"] == profile
            assert dict(image.getexif()) == {0x0112: 6}


def test_transparency_and_palettes_become_opaque_colours(tmp_path: Path) -> None:
    colours = values(8, (8, 8, 3))
    opacity = np.full((8, 8, 1), 255, np.uint8)
    opacity[:, :4] = 0
    Image.fromarray(np.concatenate([colours, opacity], -1)).save(tmp_path / "rgba.png")
    Image.fromarray(colours).quantize(8).save(tmp_path / "palette.png")
    for name in ("rgba.png", "palette.png"):
        [target] = through(tmp_path / name, tmp_path / "out" / name)
        with Image.open(target) as image:
            assert image.mode == "RGB"
        np.testing.assert_array_equal(read_image(target).pixels, read_image(tmp_path / name).pixels)


@pytest.mark.parametrize(
    ("wanted", "kind", "bits"), [("png", "png", 16), ("tiff", "tiff", 12), ("jpeg", "jpeg", 8), ("bmp", "bmp", 8)]
)
def test_another_kind_keeps_the_range(tmp_path: Path, wanted: str, kind: str, bits: int) -> None:
    smooth = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    path = tiff(tmp_path / "a.tif", smooth, bitspersample=12)
    [target] = through(path, tmp_path / "out" / "a.x", wanted=wanted)
    image = read_image(target)
    assert (kind_of(target), image.bits) == (kind, bits)
    assert image.to_float() == pytest.approx(
        read_image(path).to_float(), abs=0.02 if wanted == "jpeg" else 0.6 / 2**bits * 16
    )


def test_several_images_become_several_files_where_one_holds_one(tmp_path: Path) -> None:
    path = FILES["tiff16_pages"](tmp_path)
    targets = through(path, tmp_path / "out" / "a.png", wanted="png")
    assert [target.name for target in targets] == ["a_0000.png", "a_0001.png", "a_0002.png"]
    for frame, target in enumerate(targets):
        np.testing.assert_array_equal(read_image(target).pixels, read_image(path, frame).pixels)


def test_names() -> None:
    kinds = {
        "scan.nii.gz": ("nifti", "nifti"),
        "s/1.2.840": ("dicom", "png"),
        "s/A.DCM": ("dicom", "png"),
        "s/A.tif": ("tiff", "png"),
        "s/kept.jpg": ("png", "png"),
    }
    assert target_names(kinds) == {
        "scan.nii.gz": "scan.nii.gz",
        "s/1.2.840": "s/1.2.840.png",
        "s/A.DCM": "s/A.DCM.png",
        "s/A.tif": "s/A.tif.png",
        "s/kept.jpg": "s/kept.jpg",
    }
    with pytest.raises(RequestError, match="NumPy"):
        target_format("npy", "same")


@pytest.mark.parametrize(
    ("strip", "told"),
    [(np.full((4, 4, 1), np.nan), "not numbers"), (np.zeros((4, 5, 1)), "shape"), (np.zeros((3, 4, 1)), "3 rows")],
)
def test_what_a_broken_model_gives_is_not_written(strip: Numbers, told: str) -> None:
    image = Restored(0, (4, 4, 1), 8, iter([strip.astype(np.float32)]))
    with pytest.raises(SrexpError, match=told):
        image.pixels(8)


def test_values_beyond_the_range_are_clipped_and_halves_go_up() -> None:
    strip = np.array([[[-0.2], [0.5 / 255], [0.5], [1.4]]], np.float32)
    assert Restored(0, (1, 4, 1), 8, iter([strip])).pixels(8).ravel().tolist() == [0, 1, 128, 255]
