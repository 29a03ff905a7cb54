"""A picture of what a model changed, on a scale that doesn't depend on the image."""

import numpy as np
import pytest

from srexp.evaluation.figures.detail import worst_square
from srexp.evaluation.figures.error_maps import error_map
from srexp.evaluation.figures.panel import reduced, shown, window
from srexp.evaluation.figures.side_by_side import side_by_side


def rows_of(picture):
    return lambda rows: picture[rows]


def pictures(height, width, scale, channels=1):
    low = np.random.default_rng(2).random((height, width, channels), dtype=np.float32)
    interpolated = low.repeat(scale, 0).repeat(scale, 1)
    restored = interpolated.copy()
    restored[height : height + 4, width : width + 4] += 3 / 255
    return low, rows_of(interpolated), restored


@pytest.mark.parametrize(("size", "scale", "channels"), [((90, 120), 2, 1), ((7, 5), 3, 3), ((300, 40), 1, 1)])
def test_pictures_of_all_shapes(size, scale, channels):
    figure = side_by_side(*pictures(*size, scale, channels), title="a.dcm", model_name="net version 1")
    *cells, bar = figure.axes
    assert len(cells) == 6
    sizes = [tuple(np.round(axes.get_window_extent().bounds[2:], 6)) for axes in cells]
    assert len(set(sizes[1::2])) == len(set(sizes[::2])) == 1
    assert bar.get_xlim() == (0, 8)
    figure.canvas.draw()


def test_the_difference_is_drawn_where_it_is_in_grey_levels():
    interpolated = np.linspace(0, 1, 180 * 240, dtype=np.float32).reshape(180, 240, 1)
    low, interpolate, restored = interpolated[::2, ::2], rows_of(interpolated), interpolated.copy()
    restored[100:120, 60:90] += 3 / 255
    figure = side_by_side(low, interpolate, restored, title="a.dcm", model_name="net")
    detail = figure.axes[5].images[0]
    assert detail.get_array().max() == pytest.approx(3, abs=1e-3)
    assert (detail.norm.vmin, detail.norm.vmax) == (0, 8)
    difference = error_map(restored, interpolated)
    square = worst_square(difference, restored, window(interpolated), scale=2)
    assert np.array_equal(detail.get_array(), difference[square])


def test_nothing_is_written_over_the_edge():
    figure = side_by_side(*pictures(90, 120, 2), title="x" * 200, model_name="y" * 200)
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    for text in figure.texts:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= width, text.get_text()
        assert box.y0 >= 0
        assert box.y1 <= height


def test_a_large_image_is_never_interpolated_as_a_whole_and_looks_the_same():
    y, x = np.mgrid[:1000, :700].astype(np.float32) / 50
    low = (0.5 + 0.4 * np.sin(x) * np.cos(y))[..., np.newaxis]
    interpolated = low.repeat(2, 0).repeat(2, 1)
    restored, asked = interpolated.copy(), []
    restored[1201:1290, 303:380] += 3 / 255

    def interpolate(rows):
        asked.append(rows.stop - rows.start)
        return interpolated[rows]

    figure = side_by_side(low, interpolate, restored, title="a.dcm", model_name="net")
    assert max(asked) < 300
    drawn = [axes.images[0].get_array() for axes in figure.axes[:6]]
    expected = reduced(shown(interpolated, window(interpolated)), 450, 315)[..., 0]
    assert drawn[0].shape == drawn[4].shape == (450, 315)
    assert np.abs(drawn[0] - expected).max() < 0.02
    assert drawn[4].mean() == pytest.approx(3 * 89 * 77 / (2000 * 1400), rel=1e-2)
    assert drawn[5].max() == pytest.approx(3, abs=1e-3)
