"""LKDN against its authors: sizes, names of weights, and what their weights score."""

import keras
import numpy as np
import pytest

from srexp.data.degradation.degradations import Bicubic, quantize
from srexp.data.formats.registry import read_image
from srexp.enhance.predict import batch_predictor
from srexp.enhance.receptive_field import receptive_field
from srexp.metrics.psnr import psnr
from srexp.models import lkdn
from tests.models.counts import parameters
from tests.networks import first_quick

#: Those of the authors' files; with one channel by the same sums.
COUNTS = {(2, 3): 303_812, (3, 3): 311_387, (4, 3): 321_992, (2, 1): 299_324, (3, 1): 301_849, (4, 1): 305_384}
LUMA = np.array([65.481, 128.553, 24.966]) / 255


@pytest.mark.parametrize(("scale", "channels"), first_quick(COUNTS))
def test_parameter_counts_are_the_authors(scale: int, channels: int) -> None:
    assert parameters("lkdn", channels, scale) == [COUNTS[scale, channels]]


def test_it_looks_99_pixels_far() -> None:
    sees = receptive_field(lkdn.build(3, 1, width=4))
    assert sees is not None
    assert (sees.radius, sees.scale) == (99, 3)


def adopt(network: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Set weights by the names of their layers; each array is used once."""
    left = dict(arrays)
    for layer in network.layers:
        if layer.trainable_weights:
            own = [left.pop(f"{layer.name}.{leaf}", None) for leaf in ("weight", "bias")]
            axes = (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (2, 3, 1, 0)
            layer.set_weights([each.transpose(axes) if each.ndim == 4 else each for each in own if each is not None])
    assert not left


@pytest.mark.realdata
def test_the_authors_weights_score_what_they_published_on_set5(real_data) -> None:
    network = lkdn.build(4, 3)
    with np.load(real_data / "weights" / "LKDN_x4.npz") as arrays:
        adopt(network, dict(arrays))
    restore, decibels = batch_predictor(network), []
    for path in sorted((real_data / "sr" / "Set5").glob("*.bmp")):
        high = read_image(path).to_float()
        high = high[: len(high) // 4 * 4, : high.shape[1] // 4 * 4]
        low = quantize(Bicubic()(high, 4, np.random.default_rng(0)), 8)
        restored = np.round(restore(low[np.newaxis])[0].clip(0, 1) * 255) / 255
        inner = (slice(4, -4), slice(4, -4))
        decibels.append(psnr((restored @ LUMA)[inner], (high @ LUMA)[inner], max_value=1))
    assert np.mean(decibels) == pytest.approx(32.39, abs=0.005)  # two digits were published
