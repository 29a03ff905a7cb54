"""Where eight restorations lie apart: numbers, a map on one scale, and the map alone."""

import io

import numpy as np
import pytest
from PIL import Image

from srexp.evaluation.figures.spread_map import SCALE, Spread, in_grey_levels, only_map, spread_map, summary


def drawn(height=120, width=90, channels=1, bits=8, name="a.png"):
    restored = 0.3 + 0.4 * np.random.default_rng(3).random((height, width, channels), dtype=np.float32)
    levels = np.full((height, width), 0.02, np.float32)
    levels[40:60, 50:60] = 3
    return spread_map(restored, levels, bits=bits, title=name, model_name="net"), levels, restored


def test_a_spread_is_told_in_grey_levels_whatever_the_channels():
    spread = np.full((4, 5, 3), 1 / 255, np.float32)
    spread[..., 0] = 4 / 255
    assert in_grey_levels(spread) == pytest.approx(np.full((4, 5), 2.0))
    levels = np.zeros((10, 50), np.float32)
    levels[0, :10] = 5
    assert summary(levels) == Spread(pytest.approx(0.1), pytest.approx(5.0))


@pytest.mark.parametrize(("height", "width", "channels"), [(120, 90, 1), (7, 5, 3), (300, 40, 1), (40, 900, 1)])
def test_maps_of_all_shapes_have_one_scale(rng, height, width, channels):
    figure = spread_map(
        rng.random((height, width, channels), dtype=np.float32),
        rng.random((height, width), dtype=np.float32),
        bits=12,
        title="x" * 200,
        model_name="y" * 200,
    )
    *cells, bar = figure.axes
    maps = [axes.images[0] for axes in (cells[1], cells[3])]
    assert len(cells) == 4
    assert {(each.norm.vmin, each.norm.vmax) for each in maps} == {SCALE}
    assert bar.get_xlim() == pytest.approx(SCALE)
    figure.canvas.draw()
    renderer, (wide, high) = figure.canvas.get_renderer(), figure.canvas.get_width_height()
    for text in figure.texts:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= wide, text.get_text()
        assert 0 <= box.y0 < box.y1 <= high


def test_the_detail_is_where_they_lie_apart_most_and_values_are_those_of_the_map():
    figure, levels, restored = drawn(300, 300)
    detail = figure.axes[3].images[0].get_array()
    assert detail.max() == 3
    assert (detail == 3).sum() == 200
    assert figure.axes[2].images[0].get_array().shape == detail.shape
    assert len(levels) == len(restored)


def test_what_a_grey_level_is_in_values_of_the_image_is_said():
    said = " ".join(text.get_text() for text in drawn(bits=12)[0].texts)
    assert "is 16.06 in stored values" in said
    assert "99th percentile 3.000 grey levels" in said.replace("\n", " ")


@pytest.mark.parametrize(("height", "width"), [(120, 90), (300, 40), (40, 900)])
def test_the_map_is_cut_out_without_what_is_written_around_it(height, width):
    figure, levels, _ = drawn(height, width) if height > 60 else drawn(60, 900)
    page = io.BytesIO()
    figure.savefig(page)
    picture = np.asarray(Image.open(page).convert("RGB"), np.float32) / 255
    alone = only_map(picture, levels.shape)
    drawn_at = figure.axes[1].get_window_extent()
    assert alone.shape[:2] == (round(drawn_at.height), round(drawn_at.width))
    rest = np.ones(picture.shape[:2], bool)
    top, left = picture.shape[0] - round(drawn_at.y1), round(drawn_at.x0)
    rest[top : top + alone.shape[0], left : left + alone.shape[1]] = False
    assert np.array_equal(alone.reshape(-1, 3), picture[~rest])
    assert np.median(alone) < 0.3  # dark: they agree
