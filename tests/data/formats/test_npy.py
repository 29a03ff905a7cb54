from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.data.formats import npy
from srexp.data.image import UnreadableImageError


def saved(path: Path, images: np.ndarray) -> Path:
    np.save(path, images)
    return path


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 9), dtype=np.uint8)


def test_each_image_of_the_array_is_read_as_it_is(tmp_path, images):
    path = saved(tmp_path / "a.npy", images)
    assert list(npy.frames_in(path)) == [0, 1, 2, 3, 4]
    assert npy.shape_of(path) == (7, 9)
    for frame in range(5):
        image = npy.read(path, frame, "bits")
        assert image.bits == 8
        assert not image.lossy
        np.testing.assert_array_equal(image.pixels[..., 0], images[frame])


@pytest.mark.parametrize("colours", [1, 3])
def test_sixteen_bits_and_colours(tmp_path, colours):
    images = np.random.default_rng(1).integers(0, 65536, (2, 4, 5, colours), dtype=np.uint16)
    image = npy.read(saved(tmp_path / "a.npy", images), 1, "bits")
    assert image.bits == 16
    np.testing.assert_array_equal(image.pixels, images[1])


def test_percentile_stretches_each_image(tmp_path):
    images = np.stack([np.linspace(100, 120, 64).reshape(8, 8)] * 2).astype(np.uint8)
    stretched = npy.read(saved(tmp_path / "a.npy", images), 0, "percentile").pixels
    assert (stretched.min(), stretched.max()) == (0, 255)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((2, 4, 4), np.float32),
        np.zeros((2, 4, 4, 2), np.uint8),
        np.zeros(3, np.int8),
    ],
)
def test_arrays_of_something_else_are_refused(tmp_path, array):
    with pytest.raises(UnreadableImageError, match="no images of 8 or 16 bits"):
        npy.read(saved(tmp_path / "a.npy", array), 0, "bits")


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableImageError, match="holds object values"):
        npy.read(path, 0, "bits")


def test_a_claimed_size_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "a.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (1, 60_000, 60_000)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(1000)
    with pytest.raises(UnreadableImageError):
        npy.shape_of(path)


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 400), value=st.binary(min_size=1, max_size=6), cut=st.integers(0, 500))
def test_damaged_files_are_read_or_refused(tmp_path_factory, position, value, cut):
    path = saved(tmp_path_factory.getbasetemp() / "damaged.npy", np.arange(315, dtype=np.uint8).reshape(5, 7, 9))
    content = bytearray(path.read_bytes())
    content[position : position + len(value)] = value
    path.write_bytes(content[: len(content) - cut])
    for look in (npy.shape_of, npy.frames_in, lambda path: npy.read(path, 4, "bits")):
        with suppress(UnreadableImageError):
            look(path)


def test_a_file_that_changed_is_looked_at_again(tmp_path, images):
    path = saved(tmp_path / "a.npy", images)
    assert npy.shape_of(path) == (7, 9)
    saved(path, images[:, :4])
    assert npy.shape_of(path) == (4, 9)
    np.testing.assert_array_equal(npy.read(path, 2, "bits").pixels[..., 0], images[2, :4])


def test_a_file_that_ends_early_is_refused(tmp_path, images):
    path = saved(tmp_path / "a.npy", images)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableImageError, match="truncated"):
        npy.read(path, 0, "bits")


def test_values_by_columns_are_refused_and_big_ones_first_are_not(tmp_path, images):
    with pytest.raises(UnreadableImageError, match="by columns"):
        npy.read(saved(tmp_path / "a.npy", np.asfortranarray(images)), 0, "bits")
    big = images.astype(">u2") * 257
    np.testing.assert_array_equal(npy.read(saved(tmp_path / "b.npy", big), 3, "bits").pixels[..., 0], big[3])
