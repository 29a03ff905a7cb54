"""An image of a request; over HTTP it is in tests/commands/test_serve.py."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image

from srexp.data.degradation.imresize import resize
from srexp.data.image import UnreadableImageError
from srexp.enhance.serving.refusals import TooLargeError, WrongKindError
from srexp.errors import RequestError
from srexp.experiment.restoration.request_restoration import request_restoration
from tests.experiment.restoration.sharpening import sharpening


@pytest.fixture
def restore(identity, tmp_path):
    """From the bytes of a file to its restoration's type and bytes."""
    look = request_restoration({"mine": identity}, max_pixels=4 * 12 * 8)

    def restored(body, **options):
        (tmp_path / "sent").write_bytes(body)
        looked = look(tmp_path / "sent", options)
        return looked.restore(tmp_path / "restored"), (tmp_path / "restored").read_bytes()

    return restored


def png(height, width):
    file = io.BytesIO()
    Image.fromarray(np.arange(height * width, dtype=np.uint8).reshape(height, width)).save(file, "png")
    return file.getvalue()


def test_how_far_the_result_is_from_the_image_is_told_to_who_asks(restore, tmp_path):
    made, content = restore(png(8, 12), check="true")
    low = np.arange(96, dtype=np.uint8).reshape(8, 12)
    with Image.open(io.BytesIO(content)) as image:
        again = resize(np.asarray(image, np.float32)[..., np.newaxis], scale=0.5)[..., 0]
    assert float(made.headers["Srexp-Distance"]) == pytest.approx(np.sqrt(np.mean((again - low) ** 2)), abs=0.3)
    assert 0 < float(made.headers["Srexp-Worst-Place"]) < 100
    assert restore(png(8, 12), check="false")[0].headers == {}
    with pytest.raises(RequestError, match="check is neither true nor false"):
        restore(png(8, 12), check="maybe")


def test_the_same_kind_comes_back_larger(restore):
    made, content = restore(png(8, 12))
    assert made == ("image/png", {})
    with Image.open(io.BytesIO(content)) as image:
        assert (image.size, image.mode) == ((24, 16), "L")


def test_the_pixels_are_told_before_anything_is_restored(identity, tmp_path):
    (tmp_path / "sent").write_bytes(png(8, 12))
    assert request_restoration({"mine": identity}, max_pixels=384)(tmp_path / "sent", {}).pixels == 384


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


def test_one_of_several_images_is_restored_where_it_is_named(restore):
    sent = io.BytesIO()
    tifffile.imwrite(sent, np.arange(96, dtype=np.uint8).reshape(2, 6, 8), imagej=True, metadata={"axes": "ZYX"})
    first, second = (tifffile.TiffFile(io.BytesIO(restore(sent.getvalue(), frame=each)[1])) for each in "01")
    assert first.asarray().shape == second.asarray().shape == (12, 16)
    assert second.asarray().mean() == pytest.approx(first.asarray().mean() + 48, abs=1)
    assert "slices=" not in first.pages.first.description
    assert first.imagej_metadata["images"] == 1


def test_a_frame_of_a_dicom_object_becomes_an_object_of_one_frame(samples_dir, tmp_path):
    look = request_restoration({"mine": sharpening()}, max_pixels=10**6)
    media_type, _ = look(samples_dir / "emri_small.dcm", {"frame": "3"}).restore(tmp_path / "restored")
    made, source = (pydicom.dcmread(path) for path in (tmp_path / "restored", samples_dir / "emri_small.dcm"))
    assert media_type == "application/dicom"
    assert (made.NumberOfFrames, made.Rows, made.Columns, made.BitsStored) == (1, 128, 128, 12)
    assert made.pixel_array.mean() == pytest.approx(source.pixel_array[3].mean(), rel=0.02)


def test_a_model_is_chosen_by_its_name(tmp_path):
    (tmp_path / "sent").write_bytes(png(8, 12))
    look = request_restoration({"two": sharpening(2), "three": sharpening(3)}, max_pixels=10**6)
    assert [look(tmp_path / "sent", options).pixels for options in ({}, {"model": "three"})] == [384, 864]
    with pytest.raises(RequestError, match=r"no such model(.|\n)*two, three"):
        look(tmp_path / "sent", {"model": "four"})
