"""Pairs on their way from two folders to batches and scored samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from srexp.data.batches.augment import Affine, Augmentation, Dihedral, Plain
from srexp.data.batches.patches import Pairing, PatchSampler, scored_samples
from srexp.data.degradation.given import Given
from srexp.data.degradation.imresize import resize
from srexp.data.preparation.prepare import Prepared, prepare, probe_request
from srexp.data.preparation.request import Preparation
from srexp.data.sources.paired import Paired
from srexp.errors import RequestError

SCALE, PATCH = 2, 24


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def smooth(seed: int, height: int, width: int) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 3)
    return (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four pairs whose high image shows every pixel of the low one as a block."""
    for number in range(4):
        low = smooth(number, 40 + number, 50)
        save(tmp_path / "low" / f"{number}.png", low)
        save(tmp_path / "high" / f"{number}.png", np.kron(low, np.ones((SCALE, SCALE), np.uint8)))
    return tmp_path


def prepared(root: Path, **options: object) -> Prepared:
    source = Paired("paired", str(root), **options)
    return prepare(source, Preparation(seed=1, channel="grey", scale=SCALE, patch_size=PATCH, names=True))


def pairing(data: Prepared) -> Pairing:
    return Pairing(data.read, Given(), scale=SCALE, quantize_low=True, read_low=data.read_low)


def sampler(data: Prepared, augment: Augmentation) -> PatchSampler:
    return PatchSampler(
        data.entries["train"],
        pairing(data),
        augment,
        patch_size=PATCH,
        batch_size=8,
        patches_per_image=2,
        seed=1,
        steps_per_epoch=4,
    )


@pytest.mark.parametrize("augment", [Plain(), Dihedral()])
def test_both_patches_show_the_same_place_turned_alike(root, augment):
    made = sampler(prepared(root), augment)
    assert made.shapes() == ((8, 12, 12, 1), (8, 24, 24, 1))
    for step in range(4):
        low, high = made.batch(0, step)
        np.testing.assert_array_equal(np.repeat(np.repeat(low, SCALE, 1), SCALE, 2), high)


def test_resampled_patches_show_the_same_place(root):
    made = sampler(prepared(root), Affine())
    for step in range(4):
        for low, high in zip(*made.batch(0, step), strict=True):
            reduced = resize(high, scale=0.5)
            assert np.abs(reduced - low)[2:-2, 2:-2].mean() < 0.02
            assert np.corrcoef(reduced.ravel(), low.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("crop", [None, 30])
def test_scored_samples_take_low_from_its_file(root, crop):
    data = prepared(root)
    for entry in (entry for entries in data.entries.values() for entry in entries):
        (sample,) = scored_samples([entry], pairing(data), crop=crop)
        np.testing.assert_array_equal(np.repeat(np.repeat(sample.low, SCALE, 0), SCALE, 1), sample.high)


def test_a_spare_row_and_column_of_high_is_left_out(root):
    low = np.asarray(Image.open(root / "low" / "0.png"))
    save(root / "high" / "0.png", np.pad(np.kron(low, np.ones((2, 2), np.uint8)), ((0, 1), (0, 1))))
    data = prepared(root)
    entry = next(entry for entries in data.entries.values() for entry in entries if entry.key == "0.png")
    (sample,) = scored_samples([entry], pairing(data))
    np.testing.assert_array_equal(np.repeat(np.repeat(sample.low, 2, 0), 2, 1), sample.high)


def test_another_pixel_in_a_low_image_is_another_data_set(root):
    before = prepared(root).fingerprint
    low = np.array(Image.open(root / "low" / "0.png"))
    low[3, 3] ^= 1
    save(root / "low" / "0.png", low)
    assert prepared(root).fingerprint != before


def test_sizes_that_do_not_fit_are_listed(root):
    for number in (1, 2):
        save(root / "low" / f"{number}.png", smooth(number, 20, 25))
    source = Paired("paired", str(root))
    for look in (lambda: prepared(root), lambda: probe_request(source, PATCH, SCALE)):
        with pytest.raises(RequestError, match="2 of 4 images can't be used") as caught:
            look()
        assert "1.png: is 82 x 100 and its low-resolution partner 20 x 25 instead of 41 x 50" in str(caught.value)


def test_an_unreadable_partner_is_named_or_skipped(root):
    (root / "low" / "2.png").write_bytes(b"no image")
    with pytest.raises(RequestError, match=r"the low-resolution partner 2\.png"):
        prepared(root)
    skipped = prepared(root, on_error="skip")
    assert [key for key, _ in skipped.skipped] == ["the low-resolution partner 2.png"]
    assert sum(map(len, skipped.entries.values())) == 3


def test_other_data_sets_have_no_partner_to_read(root):
    from srexp.data.sources.folder import Folder

    data = prepare(
        Folder("folder", str(root / "high")), Preparation(seed=1, channel="grey", scale=2, patch_size=16, names=True)
    )
    with pytest.raises(RequestError, match="has no low-resolution partner"):
        data.read_low(data.entries["train"][0])
