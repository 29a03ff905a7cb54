"""Batches of several scales in turn."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from srexp.data.batches.augment import Dihedral
from srexp.data.batches.multiscale import MultiscaleSampler
from srexp.data.batches.patches import Pairing, PatchSampler
from srexp.data.degradation.degradations import Bicubic
from srexp.data.degradation.imresize import resize
from tests.data.batches.test_patches import Image

SCALES = (2, 3, 4)


def sampler(scale):
    rng = np.random.default_rng(5)
    coarse = [rng.random((12, 14, 1), dtype=np.float32) for _ in range(3)]
    images = [
        Image(str(number), np.clip(resize(each, scale=5) * 255, 0, 255).astype(np.uint8))
        for number, each in enumerate(coarse)
    ]
    return PatchSampler(
        images, Pairing(lambda image: image, Bicubic(), scale=scale, quantize_low=True), Dihedral(), patch_size=24,
        batch_size=4, patches_per_image=2, seed=1, steps_per_epoch=5,
    )  # fmt: skip


def test_scales_come_in_turn_across_epochs_and_low_is_enlarged():
    mixed = MultiscaleSampler([sampler(scale) for scale in SCALES])
    for step in range(11):
        epoch, within = divmod(step, 5)
        low, high = mixed.batch(epoch, within)
        scale = SCALES[step % 3]
        small, same = sampler(scale).batch(epoch, within)
        assert np.array_equal(high, same)
        assert np.array_equal(low, np.stack([resize(image, scale=Fraction(scale)) for image in small]))
        assert (low.shape, high.shape) == mixed.shapes()
        assert low.dtype == np.float32


def test_the_larger_the_scale_the_more_is_lost():
    mixed = MultiscaleSampler([sampler(scale) for scale in SCALES])
    errors = {scale: [] for scale in SCALES}
    for step in range(30):
        low, high = mixed.batch(*divmod(step, 5))
        errors[SCALES[step % 3]].append(np.abs(low - high).mean())
    assert np.mean(errors[2]) < np.mean(errors[3]) < np.mean(errors[4])


@pytest.mark.parametrize("scale", SCALES)
def test_the_network_enlarges_as_the_batches_do(scale):
    """Within an image; at its border TensorFlow goes on otherwise."""
    from srexp.models import bicubic

    low, _ = sampler(scale).batch(0, 0)
    ours = np.stack([resize(image, scale=Fraction(scale)) for image in low])
    inner = slice(2 * scale, -2 * scale)
    theirs = np.asarray(bicubic.build(scale, 1)(low))
    assert np.abs(ours - theirs)[:, inner, inner].max() < 1e-3
