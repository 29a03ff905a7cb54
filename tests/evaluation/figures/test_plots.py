"""Figures that say what they show."""

import math
import subprocess
import sys

import numpy as np
import pytest

from srexp.evaluation.figures.plots import inference_times, learning_curves
from srexp.evaluation.timing import Timing


def texts(figure):
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def test_learning_curves_mark_bicubic_and_the_kept_epoch():
    history = [{"loss": 10 / epoch, "val_psnr": 30 + epoch / 10} for epoch in range(1, 21)]
    shown = texts(learning_curves(history, best_epoch=20, bicubic_psnr=31.5))
    assert "bicubic, 31.50 dB" in shown
    assert "kept: epoch 20, 32.00 dB" in shown


def test_learning_curves_of_an_adversarial_training_have_both_losses():
    both = [{"loss": 1.0, "adversarial_loss": 0.7, "discriminator_loss": 0.6}] * 2
    figure = learning_curves([{"loss": 2.0, "val_psnr": 30.0}, *both])
    shown = texts(figure)
    assert all(said in shown for said in ("network: to be taken for real", "discriminator: to know", "guessing, ln 2"))
    assert pixels(figure).shape == (450, 1700, 4)
    [_, _, third] = figure.axes
    assert [list(line.get_xdata()) for line in third.lines[:2]] == [[2, 3], [2, 3]]


@pytest.mark.parametrize(("first", "last"), [(0.3118, 0.2075), (2.0, 0.25), (40.0, 0.6), (900.0, 3e-5)])
def test_the_numbers_at_the_loss_differ_and_are_several(first, last):
    figure = learning_curves([{"loss": first}, {"loss": last}])
    figure.canvas.draw()
    low, high = figure.axes[0].get_ylim()
    ticks = figure.axes[0].yaxis.get_major_ticks()
    told = [each.label1.get_text() for each in ticks if low <= each.get_loc() <= high]
    assert len({*told}) == len(told) >= 3
    assert [float(each) for each in told] == pytest.approx(
        [each.get_loc() for each in ticks if low <= each.get_loc() <= high]
    )
    minor = figure.axes[0].yaxis.get_minor_ticks()
    assert not [each for each in minor if each.label1.get_text()]


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
