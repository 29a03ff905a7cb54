"""The page of one image: what it says, where it looks, and that details are drawn pixel by pixel."""

import io

import numpy as np
import pytest

from srexp.evaluation.figures.detail import DETAIL
from srexp.evaluation.figures.error_maps import error_map_rgb, error_scale
from srexp.evaluation.figures.panel import CELL, panel
from srexp.evaluation.score import Row, score
from srexp.metrics.protocol import Protocol
from srexp.types import Sample


def page_of(height, width, scale, *, channels=1, key="chest/a.png", error=0.02, **options):
    rng = np.random.default_rng(0)
    smooth = np.linspace(0.2, 0.8, width)[np.newaxis, :, np.newaxis] * np.ones((height, 1, channels))
    high = (smooth + rng.normal(0, 0.01, smooth.shape)).astype(np.float32)
    one = Sample(key, "secret", 12, high[::scale, ::scale], high)
    restored, baseline = high + np.float32(error / 2), high + np.float32(error)
    protocol = Protocol()
    if max(high.shape) > 1000:  # scoring would take longer than drawing
        described, row = protocol.describe(scale), Row(key, height, width, 12, *[{"psnr": 40.0, "ssim": 0.9}] * 2)
    else:
        scores = score(lambda _: restored, [one], protocol, scale, baseline=lambda _: baseline)
        described, row = protocol.describe(scale), scores.rows[0]
    return panel(one, restored, baseline, row, described, model_name="srcnn", **options)


def drawn(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def texts(figure):
    return "\n".join(text.get_text() for text in figure.texts)


def test_says_what_it_shows():
    shown = texts(page_of(240, 200, 2))
    for words in (
        "chest/a.png",
        "240 x 200 pixels",
        "x2",
        "channel grey, rounded to 12 bits, border of 2 pixels left out",
        "input, 120 x 100",
        "nearest neighbour",
        "percentile",
        "bicubic\n33.98 dB    SSIM",
        "srcnn\n40.00 dB (+6.02)    SSIM",
        "|srcnn - target|\nmean 2.55 grey levels",
        "Absolute error, grey levels of 255. Scale\nfrom bicubic's error",
    ):
        assert words in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("height", "width", "scale", "channels"),
    [(16, 16, 1, 1), (30, 30, 3, 3), (40, 400, 4, 1), (700, 90, 2, 1), (240, 201, 3, 3)],
)
def test_takes_any_size_and_colour(height, width, scale, channels):
    picture = drawn(page_of(height, width, scale, channels=channels))
    assert picture.shape[1] == 1084
    assert 900 < picture.shape[0] < 2000


def test_identical_and_constant_images_have_a_page():
    assert "inf dB" in texts(page_of(60, 60, 2, error=0.0))


def test_details_are_enlarged_without_resampling():
    figure = page_of(240, 200, 2)
    sizes = [tuple(np.round(axes.get_window_extent().bounds, 6)) for axes in figure.axes]
    details = [bounds for bounds in sizes if bounds[2] == bounds[3] == CELL]
    assert len(details) >= 6
    assert all(float(number).is_integer() for bounds in details for number in bounds)
    assert CELL % DETAIL == 0


@pytest.mark.parametrize("error", [0.004, 0.01, 0.02])
def test_errors_have_the_colours_of_the_scale_that_follows_from_bicubic(error):
    picture = drawn(page_of(240, 200, 2, error=error))[..., :3].reshape(-1, 3)
    top = error_scale([-20 * np.log10(error)])
    for level in (error, error / 2):
        colour = error_map_rgb(np.array([[level * 255]]), top)[0, 0].astype(int)
        near = np.abs(picture.astype(int) - colour).max(axis=1) <= 6
        assert np.count_nonzero(near) > 50_000  # half a row of the page is that error


def test_large_radiographs_stay_small_files():
    figure, file = page_of(1954, 1840, 2), io.BytesIO()
    figure.savefig(file, format="png")
    assert file.tell() < 2_000_000


def test_long_keys_are_shortened_from_the_left():
    shown = texts(page_of(60, 60, 2, key="folder/" * 30 + "last.png"))
    assert "..." in shown
    assert "last.png" in shown


def test_nothing_is_written_over_the_edge():
    figure = page_of(240, 200, 2, key="folder/" * 30 + "last.png")
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    assert all(box.x0 >= 0 and box.x1 <= figure.canvas.get_width_height()[0] for box in boxes)


def test_each_error_map_stands_under_its_restoration():
    figure = page_of(240, 200, 2)
    captions = {text.get_text().split("\n")[0]: text.get_position() for text in figure.texts}
    for name in ("bicubic", "srcnn"):
        for above, below in ((name, f"|{name} - target|"), (f"{name}, detail", f"|{name} - target|, detail")):
            assert captions[above][0] == captions[below][0]
            assert captions[above][1] > captions[below][1]
