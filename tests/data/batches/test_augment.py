"""Where patches come from, the eight symmetries, and the affine resampling."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from srexp.data.batches.augment import Affine, Dihedral, Plain, window
from srexp.errors import RequestError

ALL = [Plain(), Dihedral(), Affine()]


def rng(seed=0):
    return np.random.default_rng(seed)


def numbered(height, width):
    return np.arange(height * width, dtype=np.uint16).reshape(height, width, 1)


@pytest.mark.parametrize("augment", ALL, ids=lambda augment: augment.name)
def test_its_file_spells_out_every_option_with_the_default(augment):
    path = Path(__file__).parents[3] / "conf" / "augmentation" / f"{augment.name}.yaml"
    written = yaml.safe_load(path.read_text())
    assert written.pop("_target_") == f"srexp.data.batches.augment.{type(augment).__name__}"
    assert written == asdict(augment)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_window_equals_symmetric_padding(height, width, margin, data):
    image = numbered(height, width)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    size = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    expected = padded[top : top + size[0] + 2 * margin, left : left + size[1] + 2 * margin]
    np.testing.assert_array_equal(window(image, (top, left), size, margin), expected)


@pytest.mark.parametrize("augment", ALL, ids=lambda augment: augment.name)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_shape_and_range(augment, channels, dtype):
    image = np.broadcast_to(numbered(15, 17), (15, 17, channels)).astype(dtype)
    for seed in range(20):
        patch = augment.cut(image, 12, rng(seed), margin=6, align=3)
        assert patch.shape == (24, 24, channels)
        assert image.min() <= patch.min() <= patch.max() <= image.max()
        np.testing.assert_array_equal(patch, augment.cut(image, 12, rng(seed), margin=6, align=3))


@pytest.mark.parametrize("augment", ALL, ids=lambda augment: augment.name)
def test_a_patch_as_large_as_the_image(augment):
    assert augment.cut(numbered(8, 8), 8, rng()).shape == (8, 8, 1)


def test_plain_reaches_every_aligned_place_equally():
    image, source = numbered(10, 13), rng()
    corners = Counter(int(Plain().cut(image, 4, source, align=3)[0, 0, 0]) for _ in range(2400))
    assert sorted(corners) == [row * 13 + column for row in (0, 3, 6) for column in (0, 3, 6, 9)]
    assert min(corners.values()) > 140


@pytest.mark.parametrize(
    ("flips", "turns", "symmetries"), [(True, True, 8), (False, True, 4), (True, False, 2), (False, False, 1)]
)
def test_dihedral_gives_each_symmetry_equally(flips, turns, symmetries):
    image, source = numbered(4, 4), rng()
    augment = Dihedral(flips=flips, turns=turns)
    seen = Counter(augment.cut(image, 4, source).tobytes() for _ in range(1600))
    assert len(seen) == symmetries
    assert min(seen.values()) > 1600 / symmetries * 0.75
    assert image.tobytes() in seen
    for patch in seen:
        assert sorted(np.frombuffer(patch, np.uint16)) == list(range(16))


def plane(height, width):
    """An image whose values tell the place: row and column, as far as bicubic weights reproduce a plane."""
    rows, columns = np.indices((height, width), dtype=np.float32)
    return np.stack([rows, columns], axis=-1)


@given(st.integers(0, 2**32), st.floats(1, 2), st.floats(1, 1.5), st.floats(0, 180))
@settings(max_examples=60, deadline=None)
def test_affine_is_one_linear_map_that_stays_inside(seed, zoom, stretch, rotation):
    size = 9
    augment = Affine(zoom=zoom, stretch=stretch, rotation=rotation, flips=False, turns=False)
    patch = augment.cut(plane(90, 70), size, rng(seed)).astype(np.float64)
    # Within two pixels of the border, mirrored values take part.
    assume(((patch > 2.5) & (patch < np.array([86.5, 66.5]))).all())
    down, right = np.diff(patch, axis=0), np.diff(patch, axis=1)
    np.testing.assert_allclose(down, np.broadcast_to(down[0, 0], down.shape), atol=1e-3)
    np.testing.assert_allclose(right, np.broadcast_to(right[0, 0], right.shape), atol=1e-3)
    # Area of a pixel: between the strongest reduction and the strongest magnification.
    area = np.linalg.det(np.array([down[0, 0], right[0, 0]]))
    assert zoom**-2 * 0.99 <= area <= zoom**2 * 1.01


def test_affine_without_strength_only_crops_between_pixels():
    augment = Affine(zoom=1, stretch=1, rotation=0, flips=False, turns=False)
    image = rng(3).random((40, 40, 1)).astype(np.float32)
    where = augment.cut(plane(40, 40), 8, rng(1)).astype(np.float64)
    assert ((where >= 2) & (where < 38)).all()
    patch = augment.cut(image, 8, rng(1))
    linear = map_coordinates(image[..., 0], [where[..., 0], where[..., 1]], order=1)
    cubic = map_coordinates(image[..., 0], [where[..., 0], where[..., 1]], order=3)
    assert np.abs(patch[..., 0] - cubic).mean() < np.abs(linear - cubic).mean()


def test_affine_reproduces_the_image_where_nothing_moves():
    augment = Affine(zoom=1, stretch=1, rotation=0, flips=False, turns=False)
    image = rng(3).random((12, 12, 1)).astype(np.float32)
    np.testing.assert_allclose(augment.cut(image, 12, rng()), image, atol=1e-5)


def test_affine_smooths_before_it_shrinks():
    # A checkerboard is the finest detail there is: shrunk, it must turn grey instead of into a coarser pattern.
    board = (np.indices((200, 200)).sum(axis=0) % 2).astype(np.float32)[..., None]
    augment = Affine(zoom=4, stretch=1, rotation=0)
    contrasts, zooms = [], []
    for seed in range(40):
        zooms.append(4 ** rng(seed).uniform(-1, 1))
        contrasts.append(float(augment.cut(board, 32, rng(seed)).std()))
    shrunk = [contrast for contrast, zoom in zip(contrasts, zooms, strict=True) if zoom < 0.5]
    assert len(shrunk) > 5
    assert max(shrunk) < 0.1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"zoom": 0.5}, "zoom"),
        ({"stretch": 9}, "stretch"),
        ({"rotation": -1}, "rotation"),
        ({"zoom": float("nan")}, "zoom"),
    ],
)
def test_refuses(options, named):
    with pytest.raises(RequestError, match=rf"augmentation\.{named} is out of range"):
        Affine(**options)
