"""The page of one image: what it says, where it looks, and that details are drawn pixel by pixel."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.evaluation.figures.panel import CELL, DETAIL, panel, worst_square
from srexp.evaluation.figures.plots import error_map_rgb
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
        "Absolute error in grey levels of 255; one fixed scale",
    ):
        assert words in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("height", "width", "scale", "channels"),
    [(16, 16, 1, 1), (30, 30, 3, 3), (40, 400, 4, 1), (700, 90, 2, 1), (240, 201, 3, 3)],
)
def test_takes_any_size_and_colour(height, width, scale, channels):
    picture = drawn(page_of(height, width, scale, channels=channels))
    assert picture.shape[1] == 1434
    assert 1000 < picture.shape[0] < 1600


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
def test_errors_have_the_colours_of_the_fixed_scale(error):
    picture = drawn(page_of(240, 200, 2, error=error))[..., :3].reshape(-1, 3)
    for level in (error, error / 2):
        colour = error_map_rgb(np.array([[level * 255]]))[0, 0].astype(int)
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


@given(
    st.tuples(st.integers(12, 400), st.integers(12, 400)), st.integers(1, 4), st.floats(0, 0.999), st.floats(0, 0.999)
)
@settings(max_examples=60, deadline=None)
def test_worst_square_lies_inside_and_on_the_grid(size, scale, down, right):
    height, width = size[0] // scale * scale, size[1] // scale * scale
    error = np.zeros((height, width), np.float32)
    spot = int(down * height), int(right * width)
    error[spot] = 1
    square = worst_square(error, scale=scale)
    sides = list(zip(square, (height, width), spot, strict=True))
    for part, length, _ in sides:
        assert 0 <= part.start < part.stop <= length
        assert part.start % scale == part.stop % scale == 0
    if all(length // 20 + 8 <= place < length - length // 20 - 8 for _, length, place in sides):
        assert all(part.start <= place < part.stop for part, _, place in sides)


def test_a_faint_line_wins_over_noise_and_the_edge_of_the_film_does_not():
    error = np.random.default_rng(0).exponential(1, (800, 800)).astype(np.float32)
    error[:10] = 60
    error[500:502, 300:400] = 12
    rows, columns = worst_square(error, scale=2)
    assert rows.start < 500 < rows.stop
    assert columns.start < 400
    assert columns.stop > 300
