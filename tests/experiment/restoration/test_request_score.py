"""A restoration against its target, three files in one body."""

import json
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from srexp.data.degradation.imresize import resize
from srexp.enhance.serving.refusals import WrongKindError
from srexp.errors import RequestError
from srexp.experiment.restoration import request_score as scoring
from srexp.experiment.restoration.request_score import request_score
from srexp.system.confinement import ExhaustedError
from tests.experiment.restoration.sharpening import sharpening

HIGH = np.random.default_rng(0).integers(0, 256, (48, 40), np.uint8)
LOW = np.random.default_rng(1).integers(0, 256, (24, 20), np.uint8)


@pytest.fixture
def ask(tmp_path):
    """Score files whose pixels are given; returns what is told of the score and the error map."""

    def asked(low, restored, target, **options):
        files = [pixels if isinstance(pixels, bytes) else png(pixels, tmp_path) for pixels in (low, restored, target)]
        for old in tmp_path.iterdir():
            old.unlink()
        (tmp_path / "sent").write_bytes(b"".join(files))
        sizes = f"{len(files[0])},{len(files[1])}"
        look = request_score({"mine": sharpening()}, 10**6)
        looked = [look(tmp_path / "sent", {"sizes": sizes, **options}) for _ in range(2)][1]  # as for costly images
        looked.restore(tmp_path / "score")
        head, _, values = (tmp_path / "score").read_bytes().partition(b"\n")
        return json.loads(head), np.frombuffer(values, "<u2").reshape(HIGH.shape)

    return asked


def png(pixels, folder):
    path = folder / "made.png"
    Image.fromarray(pixels).save(path)
    return path.read_bytes()


def test_the_figures_are_those_of_the_evaluation(rng, ask):
    restored = np.clip(HIGH.astype(int) + rng.integers(-9, 10, HIGH.shape), 0, 255).astype(np.uint8)
    told, error = ask(LOW, restored, HIGH)
    bicubic = np.clip(resize(LOW[..., None] / np.float32(255), scale=2)[..., 0], 0, 1) * 255
    inside = slice(2, -2), slice(2, -2)
    ours, theirs = (
        peak_signal_noise_ratio(HIGH[inside], image[inside], data_range=255)
        for image in (restored, np.round(bicubic).astype(np.uint8))
    )
    psnr, ssim = told["metrics"]
    assert (float(psnr["model"]), float(psnr["bicubic"])) == pytest.approx((ours, theirs), abs=2e-3)
    assert float(psnr["gain"]) == pytest.approx(ours - theirs, abs=2e-3)
    assert ssim["name"] == "SSIM"
    assert (told["protocol"]["shave"], told["protocol"]["channel"]) == ("2", "grey")
    assert error / told["steps"] == pytest.approx(np.abs(HIGH.astype(int) - restored), abs=0.01)


def test_an_exact_image_has_no_gain_that_is_a_number(ask):
    psnr = ask(LOW, HIGH, HIGH)[0]["metrics"][0]
    assert (psnr["model"], psnr["gain"]) == ("inf", "-")


@pytest.mark.parametrize(
    ("parts", "options", "refusal"),
    [
        ((LOW, HIGH, LOW), {}, "the target has another size"),
        ((LOW, LOW, HIGH), {}, "the restored image has another size"),
        ((LOW, HIGH, b"no image"), {}, "the target: the body is no image"),
        ((LOW, HIGH, HIGH), {"model": "yours"}, "no such model"),
        *(
            ((LOW, HIGH, HIGH), {"sizes": sizes}, "sizes doesn't say")
            for sizes in ("", "1", "0,5", "5,0", "-1,5", "1,2,3", "999999,1", "9" * 5000)
        ),
    ],
)
def test_what_cannot_be_scored_is_refused(ask, parts, options, refusal):
    with pytest.raises(RequestError, match=refusal) as refused:
        ask(*parts, **options)
    assert isinstance(refused.value, WrongKindError) == ("no image" in refusal)


def test_a_score_that_takes_too_much_is_refused_with_the_command_that_has_no_bounds(ask, monkeypatch):
    monkeypatch.setattr(scoring, "confined", Mock(side_effect=ExhaustedError("takes more than 1,400 MiB")))
    with pytest.raises(RequestError, match=r"scoring takes more than 1,400 MiB[\s\S]*srexp evaluate"):
        ask(LOW, HIGH, HIGH)


def test_a_damaged_target_is_named(ask, tmp_path):
    content = png(HIGH, tmp_path)
    with pytest.raises(RequestError, match="the target: damaged or truncated image data"):
        ask(LOW, HIGH, content[:60] + b"\xff" * 20 + content[80:])
