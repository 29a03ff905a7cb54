"""Figures of a comparison: a colour for each model, gains from zero, a front that nothing beats."""

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from srexp.evaluation.comparison import quality_plots as plots
from srexp.evaluation.comparison import time_plots
from srexp.evaluation.comparison.standings import BASELINE, Contender, Point, standings
from srexp.evaluation.cost import Cost
from srexp.evaluation.figures.hues import GREY, colours
from srexp.evaluation.timing import Timing

NASTY = r"$\frac{1}{0}$ <b>_{"


def texts(figure):
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def timing(shape, *samples):
    low, median, high = np.quantile(samples, [0.25, 0.5, 0.75]).tolist()
    return Timing(shape, samples, median, (low, high), 2)


def contender(name, psnr, seconds=None, curve=()):
    timings = {"image 64": timing((32, 32, 1), seconds, 1.2 * seconds)} if seconds else {}
    return Contender(
        name=name,
        values={"psnr": psnr, "ssim": psnr},
        timings=timings,
        curve=curve,
        train_seconds=60 if curve else None,
    )


@pytest.fixture
def found():
    curve = [Point(1, 30.0, 31.0), Point(2, 60.0, 32.0)]
    return standings(
        ["a$.png", "b_^{.png"],
        [
            contender(NASTY, [31.0, 32.5], 0.01, curve),
            contender("vdsr", [32.0, 33.0], 0.1, curve),
            contender(BASELINE, [30.0, 31.0], 0.001),
        ],
    )


def test_every_figure_draws_names_as_they_are(found):
    hue = colours([NASTY, "vdsr"])
    for figure in (
        plots.gains(found, hue), time_plots.times(found, hue), plots.curves(found, hue),
        time_plots.quality_against_cost(found, hue, "image 64"),
    ):  # fmt: skip
        assert NASTY in texts(figure)
        assert round(100 * figure.get_size_inches()[0]) == plots.WIDTH


@pytest.mark.parametrize("count", [2, 5])
def test_long_names_of_runs_leave_the_axes_their_room_and_stay_within_the_picture(count):
    """A legend of four long names lay beyond the picture, and pressed the axes into strips."""
    names = [
        f"srcnn epochs={number} steps_per_epoch=20 optimizer.weight_decay=0.001 seed={number}"
        for number in range(count)
    ]
    curve = [Point(1, 30.0, 31.0), Point(2, 60.0, 32.0)]
    rows = [contender(name, [31.0 + place], 0.01, curve) for place, name in enumerate(names)]
    found, hue = standings(["a"], [*rows, contender(BASELINE, [30.0], 0.001)]), colours(names)
    for figure in (
        plots.gains(found, hue), plots.curves(found, hue), time_plots.quality_against_cost(found, hue, "image 64"),
    ):  # fmt: skip
        figure.canvas.draw()
        assert sum(each.get_position().width for each in figure.axes[:2]) > 0.8
        [told] = figure.legends
        assert set(names) <= {text.get_text() for text in told.get_texts()}
        box = told.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        assert all(box.y1 <= each.get_tightbbox().y0 for each in figure.axes)


def test_a_model_has_one_colour_and_bicubic_is_grey(found):
    hue = colours([NASTY, "vdsr"])
    assert len(set(hue.values())) == 3
    assert hue[BASELINE] == GREY
    lines = plots.curves(found, hue).axes[0].lines
    named = {line.get_label(): to_hex(line.get_color()) for line in lines if not line.get_label().startswith("_")}
    assert named == {name: hue[name] for name in (NASTY, "vdsr")}


def test_one_bad_epoch_does_not_flatten_the_curves():
    good = [Point(epoch, 10.0 * epoch, 49 + 0.1 * epoch) for epoch in range(1, 6)]
    bad = [Point(1, 9.0, 49.0), Point(2, 18.0, 31.0), Point(3, 27.0, 49.1)]
    found = standings(
        ["a"], [contender("good", [31.0], 1, good), contender("bad", [30.5], 1, bad), contender(BASELINE, [30.0])]
    )
    low, high = plots.curves(found, colours(["good", "bad"])).axes[0].get_ylim()
    assert low > 45
    assert high > 49.5


def test_a_worse_model_and_bicubic_stay_in_view_of_many_better_epochs():
    """They lay below the axis: the median over all curves was that of the model with the most epochs."""
    better = [Point(epoch, 4.0 * epoch, 47.7 + 0.002 * epoch) for epoch in range(1, 160)]
    worse = [Point(epoch, 7.0 * epoch, 47.0 + 0.006 * epoch - 3 * (epoch % 20 == 0)) for epoch in range(1, 42)]
    pair = [contender("better", [31.0], 1, better), contender("worse", [30.5], 1, worse)]
    found = standings(["a"], [*(replace(each, bicubic_val_psnr=46.9) for each in pair), contender(BASELINE, [30.0])])
    low, high = plots.curves(found, colours(["better", "worse"])).axes[0].get_ylim()
    assert 46.5 < low < 46.9
    assert 48.0 < high < 48.2


def test_times_that_hardly_differ_stand_side_by_side(found):
    rows = [replace(row.contender, train_seconds=605.0 + place) for place, row in enumerate(found.models)]
    near = standings(["a$.png", "b_^{.png"], [*rows, contender(BASELINE, [30.0, 31.0], 0.001)])
    axes = time_plots.quality_against_cost(near, colours([NASTY, "vdsr"]), "image 64").axes[1]
    least, most = axes.get_xlim()
    assert most > 3 * least


@pytest.mark.parametrize(("second", "lines"), [(48.5, 1), (48.6, 0), (None, 0)])
def test_bicubic_is_drawn_where_all_curves_are_of_the_same_images(second, lines):
    curve = [Point(epoch, 10.0 * epoch, 49 + 0.1 * epoch) for epoch in range(1, 6)]
    one, other = contender("one", [31.0], 1, curve), contender("other", [30.5], 1, curve)
    pair = [replace(one, bicubic_val_psnr=48.5), replace(other, bicubic_val_psnr=second)]
    found = standings(["a"], [*pair, contender(BASELINE, [30.0])])
    for axes in plots.curves(found, colours(["one", "other"])).axes:
        assert [line.get_ydata()[0] for line in axes.lines if line.get_label() == "bicubic"] == [48.5] * lines


def test_gains_are_those_of_the_images(found):
    left, right = plots.gains(found, colours([NASTY, "vdsr"])).axes
    drawn = {line.get_label(): np.sort(line.get_ydata()).tolist() for line in left.lines if len(line.get_xdata()) == 2}
    assert drawn["vdsr"] == [2.0, 2.0]
    assert drawn[NASTY] == [1.0, 1.5]
    assert [line.get_ydata()[0] for line in right.lines if len(line.get_xdata()) == 1] == [2.0, 1.25]


def test_what_is_not_known_has_no_figure():
    found = standings(["a"], [contender("copy", [math.inf]), contender(BASELINE, [30.0])])
    hue = colours(["copy"])
    assert plots.gains(found, hue) is None
    assert time_plots.times(found, hue) is None
    assert plots.curves(found, hue) is None
    assert time_plots.quality_against_cost(found, hue, None) is None


def test_the_front_is_beaten_by_nothing():
    rng = np.random.default_rng(0)
    points = [tuple(point) for point in rng.random((50, 2)).tolist()]
    front = time_plots.pareto(points)
    for price, gain in points:
        beaten = any(p <= price and g >= gain and (p, g) != (price, gain) for p, g in points)
        assert ((price, gain) in front) != beaten


def test_each_cost_that_is_known_has_a_panel(found):
    costs = [Cost(57_281, 2.3e11), Cost(12_809, None)]
    rows = [replace(row.contender, cost=each, timings={}) for row, each in zip(found.models, costs, strict=True)]
    priced = standings(["a$.png", "b_^{.png"], [*rows, replace(found.row(BASELINE).contender, timings={})])
    axes = time_plots.quality_against_cost(priced, colours([NASTY, "vdsr"]), None).axes
    assert [each.get_title() for each in axes] == ["Training", "Weights", "Work"]
    drawn = [[line.get_xdata()[0] for line in each.lines if len(line.get_xdata()) == 1] for each in axes]
    assert sorted(drawn[1]) == [12.809, 57.281]
    assert drawn[2] == [230.0]


def test_the_name_of_the_best_model_is_drawn_as_it_is():
    best = [contender(NASTY, [33.0, 34.0]), contender(BASELINE, [30.0, 31.0])]
    plots.gains(standings(["a$.png", "b_^{.png"], best), colours([NASTY])).canvas.draw()
