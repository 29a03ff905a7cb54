"""Figures that say what they show; error colours that mean the same in every picture."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from srexp.evaluation.figures.plots import MAX_GREY_LEVELS, error_map, error_map_rgb, inference_times, learning_curves
from srexp.evaluation.timing import Timing

maps = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(0, 255, width=32)
)


def texts(figure):
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


@given(maps, maps, st.floats(0, 255, width=32))
def test_equal_errors_get_equal_colours_whatever_the_picture(one, other, error):
    one[0, 0] = other[-1, -1] = error
    assert np.array_equal(error_map_rgb(one)[0, 0], error_map_rgb(other)[-1, -1])


@given(maps)
def test_a_colour_depends_on_nothing_but_its_error(error):
    together = error_map_rgb(error)
    apart = [error_map_rgb(np.array([[value]], np.float32))[0, 0] for value in error.ravel()]
    assert np.array_equal(together.reshape(-1, 3), apart)
    assert together.dtype == np.uint8


def test_larger_errors_are_brighter_and_warmer():
    colours = error_map_rgb(np.linspace(0, MAX_GREY_LEVELS, 200)[np.newaxis])[0].astype(float)
    brightness = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) >= 0).all()
    assert (np.diff(colours[:, 0]) >= -4).all()  # red grows; inferno gives a little back at its very end


def test_errors_beyond_the_scale_get_the_last_colour():
    first, last, beyond = error_map_rgb(np.array([[0, MAX_GREY_LEVELS, 255]]))[0]
    assert np.array_equal(last, beyond)
    assert first.sum() < 10
    assert last.sum() > 500
    assert np.array_equal(error_map_rgb(np.array([[16.0]]), max_grey_levels=16)[0, 0], last)


def test_error_is_in_grey_levels_of_255_and_clipped_first():
    high = np.array([[[0.5, 0.5, 0.5], [1, 1, 1]]], np.float32)
    restored = np.array([[[0.6, 0.4, 0.5], [7, 7, 7]]], np.float32)
    assert error_map(restored, high) == pytest.approx(np.array([[17, 0]]), abs=1e-4)


def test_learning_curves_mark_bicubic_and_the_kept_epoch():
    history = [{"loss": 10 / epoch, "val_psnr": 30 + epoch / 10} for epoch in range(1, 21)]
    shown = texts(learning_curves(history, best_epoch=20, bicubic_psnr=31.5))
    assert "bicubic, 31.50 dB" in shown
    assert "kept: epoch 20, 32.00 dB" in shown


@pytest.mark.parametrize(
    "history", [[], [{"loss": 1.0}], [{"val_psnr": math.inf}], [{"loss": 1.0, "val_psnr": 30.0}, {"loss": math.nan}]]
)
def test_learning_curves_take_short_and_broken_histories(history):
    figure = learning_curves(history, best_epoch=len(history) or None, bicubic_psnr=math.inf)
    assert pixels(figure).shape == (450, 1200, 4)


def timing(shape, *samples):
    low, median, high = np.quantile(samples, [0.25, 0.5, 0.75]).tolist()
    return Timing(shape, samples, median, (low, high), 2)


def test_inference_times_group_models_by_input_and_start_at_zero():
    batch, image = (16, 64, 64, 1), (978, 921, 1)
    figure = inference_times(
        {
            "srcnn": [timing(batch, 0.1, 0.12, 0.15), timing(image, 5.0, 6.0)],
            "bicubic": [timing(batch, 0.003), timing(image, 0.02)],
        }
    )
    shown = texts(figure)
    assert "16 patches of 64 x 64 pixels" in shown
    assert "image of 978 x 921 pixels" in shown
    assert "srcnn\n120 ms (110 to 135)" in shown
    assert "srcnn\n5.5 s (5.25 to 5.75)" in shown
    assert [axes.get_xlim()[0] for axes in figure.axes] == [0, 0]
    assert pixels(figure).shape[1] == 1000


def test_drawing_loads_no_pyplot():
    code = (
        "import sys, srexp.evaluation.figures.plots as plots; assert 'matplotlib' not in sys.modules;"
        "plots.learning_curves([{'loss': 1.0}]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
