"""What is told of an image before it is decoded."""

import io

import numpy as np
import pytest
import tifffile

from srexp.enhance.serving.refusals import TooLargeError
from srexp.errors import RequestError
from srexp.experiment.restoration.request_images import asked_image, intensity_of, whole_number


def pages(folder, *sizes):
    path = folder / "sent"
    with tifffile.TiffWriter(path) as file:
        for size in sizes:
            file.write(np.zeros(size, np.uint8), photometric="minisblack", metadata=None)
    return path


def test_a_frame_is_asked_for_by_its_number(tmp_path):
    path = pages(tmp_path, (4, 6), (5, 7))
    assert asked_image(path, {"frame": "1"}, most=99)[1:] == ("tiff", 1, 2, 5, 7, "bits")
    assert asked_image(pages(tmp_path, (4, 6)), {"frame": "1"}, most=99).frame == 0  # there is but one
    with pytest.raises(RequestError, match=r"several images(.|\n)*frame=0 to 1"):
        asked_image(pages(tmp_path, (4, 6), (4, 6)), {}, most=99)
    for wrong in ("2", "-1", "", "x", "\u0661", "1" * 5000):
        with pytest.raises(RequestError, match="frame is out of range"):
            asked_image(path, {"frame": wrong}, most=99)


def test_no_page_is_larger_than_the_first_one_lets_hope(tmp_path):
    path = pages(tmp_path, (4, 6), (40, 60))
    assert asked_image(path, {"frame": "0"}, most=96, scale=2).height == 4
    with pytest.raises(TooLargeError, match=r"40 x 60(.|\n)*a restoration of at most 96 pixels"):
        asked_image(path, {"frame": "1"}, most=96, scale=2)
    with pytest.raises(TooLargeError, match="an image of at most 23 pixels"):
        asked_image(path, {"frame": "0"}, most=23)


def test_a_query_says_what_it_may():
    assert whole_number({"enlarge": "16"}, "enlarge", 1, range(1, 17)) == 16
    assert whole_number({}, "enlarge", 1, range(1, 17)) == 1
    assert (intensity_of({}), intensity_of({"intensity": "window"})) == ("bits", "window")
    with pytest.raises(RequestError, match="bits, window, percentile"):
        intensity_of({"intensity": "x" * 1000})


def test_a_refusal_repeats_little_of_a_query():
    with pytest.raises(RequestError) as refused:
        whole_number({"frame": "9" * 4000}, "frame", 0, range(3))
    assert len(str(refused.value)) < 120
    assert io.StringIO(str(refused.value)).readline().startswith("frame is out of range")
