"""A model that is called with arrays and files gives the pixels that `enhance` writes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.errors import RequestError
from srexp.experiment.interactive.enhancer import Enhancer
from srexp.experiment.restoration.file_restoration import Restorer


@pytest.fixture(scope="module")
def enhancer():
    return srexp.load("bicubic", ["scale=2"])


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return {
        "grey8.png": rng.integers(0, 256, (12, 9), dtype=np.uint8),
        "grey16.png": rng.integers(0, 65536, (12, 9), dtype=np.uint16),
        "colour.png": rng.integers(0, 256, (12, 9, 3), dtype=np.uint8),
    }


def test_arrays_and_files_give_what_enhance_writes(enhancer, images, tmp_path):
    (tmp_path / "low").mkdir()
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / "low" / name)
    srexp.run("enhance", ["model_uri=bicubic", "scale=2", f"input={tmp_path}/low", f"output={tmp_path}/high"])

    for name, image in images.items():
        written = np.asarray(Image.open(tmp_path / "high" / name))
        for given in (image, tmp_path / "low" / name):
            restored = enhancer(given)
            np.testing.assert_array_equal(restored, written)
            assert restored.dtype == image.dtype


def test_axes_stay_and_floats_are_not_rounded(enhancer, images):
    grey = images["grey8.png"]
    unit = grey.astype(np.float64) / 255

    assert enhancer(grey[..., np.newaxis]).shape == (24, 18, 1)
    assert enhancer(unit).dtype == np.float32
    np.testing.assert_array_equal(np.floor(enhancer(unit) * 255 + 0.5), enhancer(grey))
    assert enhancer(unit).max() <= 1 <= 1 + enhancer(unit).min()
    assert repr(enhancer) == "<srexp model bicubic, x2>"


def test_bits_say_where_white_is(enhancer, images):
    twelve = images["grey16.png"] >> 4
    restored = enhancer(twelve, bits=12)

    assert restored.dtype == np.uint16
    assert restored.max() == 4095  # what overshoots ends at white
    np.testing.assert_allclose(restored / 4095, enhancer(twelve / 4095), atol=0.5 / 4095 + 1e-6)


def test_the_range_of_training_holds_for_arrays_too(enhancer, images):
    stretched = Enhancer(Restorer(enhancer._restorer.opened, "percentile", self_ensemble=False, memory_mb=1024))
    dark = images["grey8.png"] // 4

    assert stretched(dark).max() > 250 > 64 + enhancer(dark).max()


@pytest.mark.parametrize(
    ("image", "options", "said"),
    [
        (np.full((4, 4), 300.0), {}, "out of range"),
        (np.full((4, 4), np.nan), {}, "out of range"),
        (np.zeros((4, 4), np.int64), {}, "type"),
        (np.zeros((4, 4), bool), {}, "type"),
        (np.full((4, 4), 4096, np.uint16), {"bits": 12}, "bits=12"),
        (np.zeros((4, 4), np.uint8), {"bits": 12}, "bits=12"),
        (np.zeros((4, 4)), {"bits": 8}, "no bits"),
        (np.zeros((2, 4, 4, 1)), {}, "shape"),
        (np.zeros((4, 4, 4)), {}, "shape"),
        (np.zeros((0, 4)), {}, "shape"),
        (np.zeros((4, 4)), {"frame": 1}, "frame is of a file"),
        ([[0.0]], {}, "no image"),
    ],
)
def test_what_is_no_image_is_refused(enhancer, image, options, said):
    with pytest.raises(RequestError, match=said):
        enhancer(image, **options)


def test_files_are_refused_by_name(enhancer, tmp_path):
    pages = [Image.fromarray(np.zeros((8, 8), np.uint8)) for _ in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "notes.png").write_text("no image")

    assert enhancer(tmp_path / "pages.tif", frame=2).shape == (16, 16)
    for name, options, said in (
        ("pages.tif", {}, r"pages.tif holds 3 images(.|\n)*frame=0"),
        ("pages.tif", {"frame": 3}, "has no image 3"),
        ("pages.tif", {"bits": 8}, "a file says itself"),
        ("notes.png", {}, "notes.png is no PNG"),
        ("gone.png", {}, "gone.png can't be read"),
    ):
        with pytest.raises(RequestError, match=said):
            enhancer(tmp_path / name, **options)
