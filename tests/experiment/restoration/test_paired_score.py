"""What is scored in a process with bounds, asked without one; whole requests are in `test_request_score.py`."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from srexp.data.degradation.imresize import resize
from srexp.errors import RequestError
from srexp.experiment.restoration.paired_score import ERROR_STEPS, Rules, bicubic_score, restored_score
from srexp.experiment.restoration.request_images import asked_image

RULES = Rules("grey", 2)


@pytest.fixture
def asked(rng, tmp_path):
    """A degraded image, a restored one and their target, as a request names them, and the pixels of the last two."""
    high = rng.integers(0, 256, (48, 40), np.uint8)
    restored = np.clip(high.astype(int) + rng.integers(-9, 10, high.shape), 0, 255).astype(np.uint8)
    parts = []
    for name, pixels in (("low", high[::2, ::2]), ("restored", restored), ("high", high)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        parts.append(asked_image(tmp_path / f"{name}.png", {}, most=10**6))
    return parts, restored, high


def inner_psnr(image, high):
    return peak_signal_noise_ratio(high[2:-2, 2:-2], image[2:-2, 2:-2], data_range=255)


def test_a_restoration_has_the_psnr_of_its_pixels_and_the_error_of_each(asked):
    (_, restored, target), pixels, high = asked
    metrics, error = restored_score(restored, target, RULES)
    assert metrics["psnr"] == pytest.approx(inner_psnr(pixels, high), abs=1e-3)
    assert error[..., 0] / ERROR_STEPS == pytest.approx(np.abs(high.astype(int) - pixels), abs=0.01)


def test_bicubic_is_scored_as_it_would_be_written(asked):
    (low, _, target), _, high = asked
    bicubic = np.clip(resize(high[::2, ::2, np.newaxis] / np.float32(255), scale=2)[..., 0], 0, 1) * 255
    metrics, _ = bicubic_score(low, target, RULES)
    assert metrics["psnr"] == pytest.approx(inner_psnr(np.round(bicubic).astype(np.uint8), high), abs=1e-3)


def test_what_is_damaged_is_named_and_no_fix_names_a_key_that_a_request_has_not(asked, tmp_path):
    (_, restored, target), _, high = asked
    content = (tmp_path / "high.png").read_bytes()
    (tmp_path / "high.png").write_bytes(content[:60] + b"\xff" * 20 + content[80:])
    with pytest.raises(RequestError, match="the target: damaged or truncated image data"):
        restored_score(restored, target, RULES)

    Image.fromarray(high.astype(np.float32)).save(tmp_path / "high.tif")
    floating = asked_image(tmp_path / "high.tif", {}, most=10**6)
    with pytest.raises(RequestError, match="the target: holds floating-point values") as refused:
        restored_score(restored, floating, RULES)
    assert "the command enhance, with intensity=percentile" in str(refused.value)
