"""Values of an image as the page gets them."""

import json

import numpy as np
import pytest
from PIL import Image

from srexp.data.degradation.imresize import resize
from srexp.data.formats.registry import read_image
from srexp.enhance.serving.refusals import TooLargeError
from srexp.errors import RequestError
from srexp.experiment.restoration.request_view import request_view


@pytest.fixture
def shown(tmp_path):
    """Facts and values of a file."""

    def showing(path, **options):
        assert request_view(10**6)(path, options).restore(tmp_path / "shown").media_type == "application/octet-stream"
        return unpacked((tmp_path / "shown").read_bytes())

    return showing


def unpacked(content):
    head, _, values = content.partition(b"\n")
    facts = json.loads(head)
    kind = "<u2" if facts["bits"] > 8 else "u1"
    return facts, np.frombuffer(values, kind).reshape(facts["height"], facts["width"], facts["channels"])


def test_stored_values_come_as_they_are(shown, samples_dir):
    path = samples_dir / "MR-SIEMENS-DICOM-WithOverlays.dcm"
    facts, values = shown(path)
    image = read_image(path)
    assert (values == image.pixels).all()
    assert (facts["kind"], facts["bits"], facts["frames"]) == ("dicom", 12, 1)


def test_the_window_is_that_of_the_file(shown, samples_dir):
    path = samples_dir / "MR-SIEMENS-DICOM-WithOverlays.dcm"
    low, high = shown(path)[0]["window"]
    assert (low, high) == pytest.approx((450 - 790 / 2, 450 + 790 / 2), abs=3)


def test_an_image_is_enlarged_by_bicubic_interpolation(shown, tmp_path):
    low = np.random.default_rng(0).integers(0, 256, (70, 9, 3), np.uint8)
    Image.fromarray(low).save(tmp_path / "low.png")
    facts, values = shown(tmp_path / "low.png", enlarge="3")
    wanted = np.clip(resize(low / np.float32(255), scale=3), 0, 1) * 255
    assert (facts["height"], facts["width"], facts["channels"], facts["window"]) == (210, 27, 3, None)
    assert np.abs(values - wanted).max() < 0.51


def test_what_is_too_large_or_damaged_is_refused(tmp_path):
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(tmp_path / "low.png")
    look = request_view(10_000)
    assert look(tmp_path / "low.png", {"enlarge": "2"}).pixels == 10_000
    with pytest.raises(TooLargeError, match="at most 10000 pixels"):
        look(tmp_path / "low.png", {"enlarge": "3"})
    (tmp_path / "low.png").write_bytes((tmp_path / "low.png").read_bytes()[:-30])
    with pytest.raises(RequestError):
        look(tmp_path / "low.png", {}).restore(tmp_path / "shown")
