"""An image of a request; over HTTP it is in tests/commands/test_serve.py."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from srexp.data.image import UnreadableImageError
from srexp.enhance.serving.refusals import TooLargeError, WrongKindError
from srexp.errors import RequestError
from srexp.experiment.restoration.request_restoration import request_restoration


@pytest.fixture
def restore(identity, tmp_path):
    """From the bytes of a file to its restoration's type and bytes."""
    look = request_restoration(identity, max_pixels=4 * 12 * 8)

    def restored(body):
        (tmp_path / "sent").write_bytes(body)
        looked = look(tmp_path / "sent")
        return looked.restore(tmp_path / "restored"), (tmp_path / "restored").read_bytes()

    return restored


def png(height, width):
    file = io.BytesIO()
    Image.fromarray(np.arange(height * width, dtype=np.uint8).reshape(height, width)).save(file, "png")
    return file.getvalue()


def test_the_same_kind_comes_back_larger(restore):
    media_type, content = restore(png(8, 12))
    assert media_type == "image/png"
    with Image.open(io.BytesIO(content)) as image:
        assert (image.size, image.mode) == ((24, 16), "L")


def test_the_pixels_are_told_before_anything_is_restored(identity, tmp_path):
    (tmp_path / "sent").write_bytes(png(8, 12))
    assert request_restoration(identity, max_pixels=384)(tmp_path / "sent").pixels == 384


def test_what_is_not_taken_is_told_apart(restore):
    with pytest.raises(TooLargeError, match="at most 384 pixels"):
        restore(png(9, 12))
    with pytest.raises(WrongKindError, match="no image"):
        restore(b"no image")
    pages = io.BytesIO()
    tifffile.imwrite(pages, np.zeros((2, 4, 4), np.uint8), photometric="minisblack")
    with pytest.raises(RequestError, match="several images"):
        restore(pages.getvalue())


def test_a_thumbnail_before_the_image_is_not_the_image(restore):
    sent, pixels = io.BytesIO(), np.arange(96, dtype=np.uint8).reshape(8, 12)
    with tifffile.TiffWriter(sent) as file:
        file.write(pixels[::4, ::4], subfiletype=1)
        file.write(pixels)
    assert tifffile.imread(io.BytesIO(restore(sent.getvalue())[1])).shape == (16, 24)


def test_a_mend_that_a_request_has_no_place_for_is_one_of_a_command(restore):
    floats = io.BytesIO()
    tifffile.imwrite(floats, np.zeros((8, 12), np.float32), photometric="minisblack")
    with pytest.raises(UnreadableImageError, match=r"\n  fix:      the command enhance, with intensity=percentile$"):
        restore(floats.getvalue())
