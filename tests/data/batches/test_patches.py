"""PatchSampler as a pure function of (seed, epoch, step), and whole images for scoring."""

import hashlib
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.data.batches.augment import Affine, Dihedral, Plain
from srexp.data.batches.patches import Pairing, PatchSampler, scored_samples, stream, visits
from srexp.data.degradation.acquisition import Noise
from srexp.data.degradation.chain import chain
from srexp.data.degradation.degradations import Bicubic, Identity, quantize
from srexp.errors import RequestError


@dataclass(frozen=True)
class Image:
    """Stands in for an entry of the index, and for the decoded image at once."""

    key: str
    pixels: np.ndarray
    bits: int = 8
    patient: str = "p"

    @property
    def height(self):
        return self.pixels.shape[0]

    @property
    def width(self):
        return self.pixels.shape[1]

    @property
    def sha256(self):
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()


def images(*shapes, bits=8, channels=1):
    rng = np.random.default_rng(7)
    kind = np.uint8 if bits <= 8 else np.uint16
    return [
        Image(f"{n}.png", rng.integers(0, 2**bits, (*shape, channels), dtype=kind), bits)
        for n, shape in enumerate(shapes)
    ]


def sampler(entries, degrade=None, augment=None, **changes):
    options = {"patch_size": 16, "batch_size": 6, "patches_per_image": 4, "seed": 1, "steps_per_epoch": 5} | changes
    ways = {name: options.pop(name, usual) for name, usual in (("scale", 2), ("quantize_low", False))}
    return PatchSampler(
        entries, Pairing(lambda entry: entry, degrade or Bicubic(), **ways), augment or Dihedral(), **options
    )


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


XRAY = chain(name="xray", steps={"contrast": {"spread": 1.2}, "blur": {"spread": 1.5}, "noise": {"spread": 2}})
SHAPES = [(40, 50), (33, 64), (47, 35), (80, 91)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_shapes_and_range(bits, channels):
    batches = sampler(images(*SHAPES, bits=bits, channels=channels), quantize_low=True)
    low, high = batches.batch(3, 2)
    assert batches.shapes() == (low.shape, high.shape) == ((6, 8, 8, channels), (6, 16, 16, channels))
    for batch in (low, high):
        assert batch.dtype == np.float32
        levels = batch.astype(np.float64) * (2**bits - 1)
        np.testing.assert_allclose(levels, np.rint(levels), atol=0.01)
        assert 0 <= batch.min() < batch.max() <= 1


@pytest.mark.parametrize("degrade", [Bicubic(), XRAY], ids=lambda degrade: degrade.name)
@pytest.mark.parametrize("augment", [Dihedral(), Affine()], ids=lambda augment: augment.name)
def test_a_batch_depends_on_nothing_but_seed_epoch_and_step(degrade, augment):
    entries = images(*SHAPES)
    steps = [(epoch, step) for epoch in range(4) for step in range(5)]
    in_order = {at: sampler(entries, degrade, augment).batch(*at) for at in steps}
    one = sampler(entries, degrade, augment)
    shuffled = random.Random(0).sample(steps, len(steps))
    with ThreadPoolExecutor(4) as pool:
        for at, batch in zip(shuffled, pool.map(lambda at: one.batch(*at), shuffled), strict=True):
            assert equal(batch, in_order[at])


def test_every_batch_differs_and_so_does_every_seed():
    entries = images(*SHAPES)
    highs = [
        sampler(entries, seed=seed).batch(epoch, step)[1] for seed in (1, 2) for epoch in (0, 1) for step in (0, 1)
    ]
    assert len({high.tobytes() for high in highs}) == len(highs)


def test_streams_of_different_numbers_differ():
    firsts = [stream(*at).integers(2**63) for at in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (0, 1), (0, 1, 3)]]
    assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("augment", [Plain(), Dihedral()], ids=lambda augment: augment.name)
def test_low_is_that_of_the_whole_image_also_at_the_borders(scale, augment):
    # Every pixel value occurs once, so that a patch can be found again; patches nearly as large as the image reach the
    # borders.
    size = 24
    pixels = np.random.default_rng(3).permutation(27 * 33).reshape(27, 33, 1).astype(np.uint16)
    entry = Image("a", pixels, bits=10)
    (sample,) = scored_samples([entry], Pairing(lambda entry: entry, Bicubic(), scale=scale, quantize_low=False))
    batches = sampler([entry], augment=augment, scale=scale, patch_size=size, batch_size=24, patches_per_image=24)
    borders = set()
    for low, high in zip(*batches.batch(0, 0), strict=True):
        for symmetry in range(8):
            turned = [np.rot90(whole, symmetry % 4) for whole in (sample.low, sample.high)]
            whole_low, whole_high = (whole[:, ::-1] if symmetry >= 4 else whole for whole in turned)
            (top,), (left,) = (found[:1] for found in np.nonzero(whole_high[..., 0] == high[0, 0, 0]))
            if np.array_equal(whole_high[top : top + size, left : left + size], high):
                break
        else:
            pytest.fail("the patch is nowhere in the image")
        part = whole_low[top // scale : (top + size) // scale, left // scale : (left + size) // scale]
        np.testing.assert_allclose(low, part, atol=1e-6)
        borders.add((top == 0, left == 0))
    assert len(borders) > 1 or scale == 8


def test_low_has_the_same_bits_as_that_of_the_whole_image():
    (entry,) = images((64, 64))
    (sample,) = scored_samples([entry], Pairing(lambda entry: entry, Bicubic(), scale=3, quantize_low=False))
    low, high = sampler([entry], augment=Plain(), scale=3, patch_size=63, batch_size=1).batch(0, 0)
    np.testing.assert_array_equal(high[0], sample.high)
    np.testing.assert_array_equal(low[0], sample.low)


def test_identity_gives_the_target():
    low, high = sampler(images(*SHAPES), Identity(), scale=1).batch(0, 0)
    np.testing.assert_array_equal(low, high)


def test_a_pass_visits_every_image_as_often_as_its_area_asks_for():
    entries = images((32, 32), (32, 32), (32, 32), (64, 64), (33, 40))
    assert Counter(visits(entries).tolist()) == {0: 1, 1: 1, 2: 1, 3: 4, 4: 1}
    seen = []
    batches = PatchSampler(
        entries, Pairing(lambda entry: seen.append(entry.key) or entry, Bicubic(), scale=2, quantize_low=True), Plain(),
        patch_size=16, batch_size=4, patches_per_image=2, seed=1, steps_per_epoch=4,
    )  # fmt: skip
    for step in range(8):
        batches.batch(*divmod(step, 4))
    passes = seen[:8], seen[8:]
    assert Counter(passes[0]) == Counter(passes[1]) == {"0.png": 1, "1.png": 1, "2.png": 1, "3.png": 4, "4.png": 1}
    assert passes[0] != passes[1]


def test_an_image_is_decoded_once_per_visit():
    reads = Counter()
    batches = PatchSampler(
        images(*SHAPES),
        Pairing(lambda entry: reads.update([entry.key]) or entry, Bicubic(), scale=2, quantize_low=True), Plain(),
        patch_size=16, batch_size=16, patches_per_image=8, seed=1, steps_per_epoch=4,
    )  # fmt: skip
    batches.batch(0, 0)
    assert reads.total() == 2


@given(st.integers(9, 70), st.integers(9, 70), st.sampled_from([1, 2, 3, 4]), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_sizes_that_scale_does_not_divide(height, width, scale, seed):
    size = min(height, width) // scale * scale
    low, high = sampler(images((height, width)), scale=scale, patch_size=size, seed=seed, batch_size=2).batch(0, 0)
    assert high.shape == (2, size, size, 1)
    assert low.shape == (2, size // scale, size // scale, 1)


@pytest.mark.parametrize(
    ("changes", "shapes", "named"),
    [
        ({"scale": 3, "patch_size": 16}, SHAPES, r"multiple of scale(?s:.)*15 and 18(?s:.)*trainer.patch_size=18"),
        ({"scale": 4, "patch_size": 3}, SHAPES, r"the nearest are 4"),
        ({"patch_size": 38}, SHAPES, r"2 of 4 training images(?s:.)*1.png(?s:.)*64 x 33(?s:.)*trainer.patch_size=32"),
        ({}, [], "no images"),
        ({"scale": 9, "patch_size": 18}, SHAPES, "no such scale"),
    ],
)
def test_refuses(changes, shapes, named):
    with pytest.raises(RequestError, match=named):
        sampler(images(*shapes), **changes)


def test_scored_samples():
    entries = images((41, 50), (64, 37), bits=12)
    samples = list(scored_samples(entries, Pairing(lambda entry: entry, Bicubic(), scale=3, quantize_low=True)))
    assert [sample.key for sample in samples] == ["0.png", "1.png"]
    for entry, sample in zip(entries, samples, strict=True):
        height, width = entry.height // 3 * 3, entry.width // 3 * 3
        assert sample.bits == 12
        assert sample.patient == "p"
        assert sample.high.dtype == sample.low.dtype == np.float32
        np.testing.assert_array_equal(sample.high, entry.pixels[:height, :width] / np.float32(4095))
        assert sample.low.shape == (height // 3, width // 3, 1)
        np.testing.assert_array_equal(sample.low, quantize(sample.low, 12))


@pytest.mark.parametrize("shape", [(41, 50), (20, 100), (90, 90)])
def test_a_centre_crop_is_the_middle_of_the_whole(shape):
    (entry,) = images(shape)
    (whole,) = scored_samples([entry], Pairing(lambda entry: entry, Bicubic(), scale=2, quantize_low=True))
    (part,) = scored_samples([entry], Pairing(lambda entry: entry, Bicubic(), scale=2, quantize_low=True), crop=33)
    height, width = (min(side, 32) for side in whole.high.shape[:2])
    assert part.high.shape == (height, width, 1)
    top, left = ((side - inner) // 4 * 2 for side, inner in zip(whole.high.shape[:2], (height, width), strict=True))
    np.testing.assert_array_equal(part.high, whole.high[top : top + height, left : left + width])
    np.testing.assert_array_equal(part.low, whole.low[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2])


def test_an_image_smaller_than_scale_is_refused():
    with pytest.raises(RequestError, match=r"0\.png is smaller than scale=4"):
        next(scored_samples(images((3, 9)), Pairing(lambda entry: entry, Bicubic(), scale=4, quantize_low=True)))


def test_the_bit_depth_comes_from_the_decoded_image():
    (entry,) = images((32, 32), bits=8)
    stored = replace(entry, bits=16)
    (sample,) = scored_samples([entry], Pairing(lambda _: stored, Bicubic(), scale=2, quantize_low=True))
    assert sample.bits == 16
    assert sample.high.max() <= 255 / 65535


def test_a_random_degradation_is_scored_the_same_in_every_run():
    entries = images((40, 50), (40, 50))
    runs = [
        list(scored_samples(entries, Pairing(lambda entry: entry, XRAY, scale=2, quantize_low=True))) for _ in range(2)
    ]
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one.low, other.low)
    # Not the same noise for every image, and the same for a copy under another name.
    flat = [Image("a", np.full((32, 32, 1), value, np.uint8)) for value in (100, 101)]
    first, second = scored_samples(flat, Pairing(lambda entry: entry, XRAY, scale=2, quantize_low=False))
    assert np.corrcoef(first.low.ravel(), second.low.ravel())[0, 1] < 0.5
    (copy,) = scored_samples(
        [replace(flat[0], key="b")], Pairing(lambda entry: entry, XRAY, scale=2, quantize_low=False)
    )
    np.testing.assert_array_equal(copy.low, first.low)


@pytest.mark.parametrize("degrade", [Noise(photons=200), XRAY], ids=["noise", "xray"])
def test_two_test_images_do_not_share_their_noise(degrade):
    """Images that differ in the last pixel only: one stream for both would give them the same noise."""
    grey, nearly = np.full((48, 48, 1), 100, np.uint8), np.full((48, 48, 1), 100, np.uint8)
    nearly[-1, -1] = 101
    pair = [Image("a", grey), Image("b", nearly)]
    first, second = (each.low[:16, :16].ravel() for each in scored(pair, degrade))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5
    for place, entry in enumerate(pair):  # and it is the image that decides, not its place among the others
        (alone,) = scored([entry], degrade)
        np.testing.assert_array_equal(alone.low[:16, :16].ravel(), (first, second)[place])


def scored(entries, degrade):
    return scored_samples(entries, Pairing(lambda entry: entry, degrade, scale=2, quantize_low=False))
