"""Weights from elsewhere, put into VDSR layer by layer, score what an independent evaluation says.

The weights are made by hand so that the output is known: the stack carries one 3 x 3 filter of the bicubic image and
its negative through all layers of ReLU, and so sharpens. Luminance, degradation in floating point, sharpening, border,
rounding, PSNR and SSIM are worked out again with NumPy, SciPy and scikit-image.
"""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import correlate
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from srexp.data.degradation.degradations import Bicubic, quantize
from srexp.data.degradation.imresize import resize
from srexp.data.formats.registry import read_image
from srexp.data.image import to_channel
from srexp.enhance.predict import predictor
from srexp.evaluation.score import score
from srexp.metrics.protocol import Protocol
from srexp.models import bicubic, vdsr
from srexp.types import Sample

SHARPEN = np.array([[0.0, -0.3, 0.0], [-0.3, 1.2, -0.1], [0.0, -0.5, 0.0]])
AROUND = {"repeat": "nearest", "zeros": "constant"}


def trained_elsewhere(scale, border):
    """VDSR whose residual is SHARPEN of the bicubic image."""
    model = vdsr.build(scale, 1, start="paper", border=border)
    weights = [np.zeros_like(each) for each in model.get_weights()]
    kernels = weights[::2]
    kernels[0][..., 0, 0], kernels[0][..., 0, 1] = SHARPEN, -SHARPEN
    for kernel in kernels[1:-1]:
        kernel[1, 1, 0, 0] = kernel[1, 1, 1, 1] = 1
    kernels[-1][1, 1, :2, 0] = 1, -1
    model.set_weights(weights)
    return model


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (16, 18, 3), dtype=np.uint8))
    path = tmp_path_factory.mktemp("colour") / "picture.png"
    coarse.resize((74, 61), Image.Resampling.BICUBIC).save(path)
    return path


def luminance(path):
    red, green, blue = np.moveaxis(np.asarray(Image.open(path)).astype(float), -1, 0)
    return np.rint(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255)


def independently(path, scale, border, protocol):
    high = luminance(path)
    high = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale]
    low = resize((high / 255).astype(np.float32)[..., np.newaxis], scale=1 / scale)
    if protocol.quantize_low:
        low = (np.floor(np.clip(low, 0, 1) * 255 + 0.5) / 255).astype(np.float32)
    enlarged = predictor(bicubic.build(scale, 1), scale)(low)[..., 0].astype(float)
    restored = enlarged + correlate(enlarged, SHARPEN, mode=AROUND[border])
    restored = np.clip(restored, 0, 1) * 255
    if protocol.quantize:
        restored = np.floor(restored + 0.5)
    inside = slice(scale, -scale)
    pair = high[inside, inside], restored[inside, inside]
    ssim = structural_similarity(*pair, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    return peak_signal_noise_ratio(*pair, data_range=255), ssim


def by_srexp(path, scale, border, protocol):
    stored = to_channel(read_image(path), "y")
    height, width = (side // scale * scale for side in stored.pixels.shape[:2])
    high = stored.to_float()[:height, :width]
    low = Bicubic()(high, scale, np.random.default_rng(0))
    low = quantize(low, stored.bits) if protocol.quantize_low else low
    model = trained_elsewhere(scale, border)
    samples = [Sample("picture.png", "p", stored.bits, low, high)]
    (row,) = score(predictor(model, scale), samples, protocol, scale).rows
    return row.model["psnr"], row.model["ssim"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("scale", "border", "quantize_low"),
    [(2, "repeat", False), (2, "zeros", True), (3, "zeros", False), (3, "repeat", True), (4, "zeros", False)],
)
def test_unrounded_scores_are_exact(picture, scale, border, quantize_low):
    protocol = Protocol(channel="y", quantize=False, quantize_low=quantize_low)
    expected = independently(picture, scale, border, protocol)
    assert by_srexp(picture, scale, border, protocol) == pytest.approx(expected, abs=2e-5)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_rounded_scores_are_exact_but_for_a_pixel_at_the_edge_of_rounding(picture, scale):
    protocol = Protocol(channel="y", quantize_low=False)
    expected = independently(picture, scale, "zeros", protocol)
    assert by_srexp(picture, scale, "zeros", protocol) == pytest.approx(expected, abs=1e-3)


def test_what_lies_around_the_image_reaches_beyond_the_border_left_out():
    scale = 2
    model = {border: vdsr.build(scale, 1, start="paper", border=border) for border in AROUND}
    model["zeros"].set_weights(model["repeat"].get_weights())
    low = np.random.default_rng(0).random((40, 40, 1), dtype=np.float32)
    apart = np.abs(np.subtract(*(predictor(each, scale)(low) for each in model.values())))[..., 0]
    assert apart[10, 10] > 0  # of 80 x 80
    assert apart[20:-20, 20:-20].max() == 0  # VDSR sees 20 pixels to each side
