"""The rows that every super-resolution paper prints for bicubic interpolation, through the whole evaluation."""

import numpy as np
import pytest

from srexp.data.degradation.degradations import Bicubic, quantize
from srexp.data.degradation.imresize import resize
from srexp.data.formats.registry import read_image
from srexp.data.image import to_channel
from srexp.enhance.predict import predictor
from srexp.evaluation.score import score
from srexp.metrics.protocol import Protocol
from srexp.models import bicubic
from srexp.types import Sample

ROWS = [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)]


def set5(folder, scale, protocol):
    for path in sorted(folder.glob("*.bmp")):
        stored = to_channel(read_image(path), protocol.channel)
        height, width = (side // scale * scale for side in stored.pixels.shape[:2])
        high = stored.to_float()[:height, :width]
        low = quantize(Bicubic()(high, scale, np.random.default_rng(0)), stored.bits)
        yield Sample(path.name, path.name, stored.bits, low, high)


@pytest.mark.realdata
@pytest.mark.parametrize(("scale", "psnr", "ssim"), ROWS)
@pytest.mark.parametrize("way", ["matlab", "network"])
def test_bicubic_rows(real_data, scale, psnr, ssim, way):
    predict = {
        "matlab": lambda low: resize(low, scale=scale),
        "network": predictor(bicubic.build(scale, 1), scale),
    }[way]
    protocol = Protocol(channel="y")
    summary = score(predict, set5(real_data / "sr" / "Set5", scale, protocol), protocol, scale).summary()
    assert summary["n_images"] == 5
    assert summary["psnr"] == pytest.approx(psnr, abs=0.01)
    assert summary["ssim"] == pytest.approx(ssim, abs=0.0005)
