"""Whatever is written, no name in it is a formula for a spreadsheet or a picture; what writes is found by its code."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srexp.evaluation.comparison import quality_plots, time_plots
from srexp.evaluation.comparison.standings import BASELINE, Contender, Point, standings
from srexp.evaluation.figures import image_cards, overview, panel, plots, side_by_side, spread_map
from srexp.evaluation.figures.hues import colours
from srexp.evaluation.score import Row
from srexp.evaluation.timing import Timing
from srexp.metrics.protocol import Protocol
from srexp.types import Sample

ROOT = Path(__file__).parent.parent
NAMES = [r"$\frac$.png", "$_{$", r"a\$b$", "\u75c5\u4f8b.png", "\udcff\t\u202e\n$x^{"]


@functools.cache
def callers() -> dict[str, set[str]]:
    """Name the modules that call a function or method, by its name."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "srexp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            for word in {getattr(called, "attr", None), getattr(called, "id", None)} - {None}:
                found.setdefault(word, set()).add(path.relative_to(ROOT / "srexp").as_posix())
    return found


@pytest.mark.parametrize("writer", ["to_csv", "writer", "DictWriter", "to_excel", "to_html"])
def test_every_table_is_written_where_formulas_are_guarded(writer: str) -> None:
    """By `redaction`; row by row in the list of `enhance`, with the same guard; Plotly's page has a test of its own."""
    guarded = {"to_csv": {"system/masking/redaction.py"}, "DictWriter": {"enhance/output_manifest.py"}}
    guarded |= {"to_html": {"evaluation/search_report/figures.py"}}
    assert callers().get(writer, set()) == guarded.get(writer, set())


def _compared(name: str) -> Any:
    timings = {"image 64": Timing((32, 32, 1), (0.1, 0.2), 0.15, (0.1, 0.2), 2)}
    curve = (Point(1, 30.0, 31.0), Point(2, 60.0, 32.0))
    options: dict[str, Any] = {"timings": timings, "curve": curve, "train_seconds": 60}
    ours = Contender(name=name, values={"psnr": [31.0, 32.5], "ssim": [0.9, 0.9]}, **options)
    bicubic = Contender(name=BASELINE, values={"psnr": [30.0, 31.0], "ssim": [0.9, 0.9]}, timings=timings)
    return standings([name, f"2{name}"], [ours, bicubic])


def _panel(name: str) -> Any:
    high = np.random.default_rng(0).random((240, 200, 1), np.float32)
    row = Row(name, 240, 200, 12, {"psnr": 40.0, "ssim": 0.9}, {"psnr": 40.0, "ssim": 0.9})
    sample = Sample(name, "", 12, high[::2, ::2], high)
    return panel.panel(sample, high, high * 0.9, row, Protocol().describe(2), model_name=name)


def _side_by_side(name: str) -> Any:
    low = np.random.default_rng(0).random((90, 120, 1), np.float32)
    high = low.repeat(2, 0).repeat(2, 1)
    return side_by_side.side_by_side(low, lambda rows: high[rows], high * 0.9, title=name, model_name=name)


def _spread_map(name: str) -> Any:
    levels = np.random.default_rng(0).random((90, 120), np.float32)
    return spread_map.spread_map(levels[..., np.newaxis], levels, bits=8, title=name, model_name=name)


PICTURE = np.eye(9)
DRAWN: dict[str, Callable[[str], Any]] = {
    "contact_sheet": lambda name: overview.contact_sheet({name: [overview.Shown(name, name, PICTURE)]}, name),
    "histograms": lambda name: overview.histograms({name: np.ones(4, np.int64)}, name),
    "details": lambda name: overview.details({name: PICTURE}, name, name),
    "panel": _panel,
    "side_by_side": _side_by_side,
    "spread_map": _spread_map,
    "validation_strip": lambda name: plots.validation_strip({name: [40.0, 41.0], f"2{name}": [40.0]}),
    "inference_times": lambda name: plots.inference_times({name: [Timing((9, 9, 1), (0.1,), 0.1, (0.1, 0.1), 1)]}),
    "gains": lambda name: quality_plots.gains(_compared(name), colours([name])),
    "curves": lambda name: quality_plots.curves(_compared(name), colours([name])),
    "times": lambda name: time_plots.times(_compared(name), colours([name])),
    "quality_against_cost": lambda name: time_plots.quality_against_cost(_compared(name), colours([name]), "image 64"),
}
NAMELESS = {"new_figure", "learning_curves"}


def test_every_figure_is_drawn_here() -> None:
    """Those of a search are Optuna's, and have a test of their own."""
    modules = (image_cards, overview, panel, plots, side_by_side, spread_map, quality_plots, time_plots)
    functions = [each for module in modules for each in inspect.getmembers(module, inspect.isfunction)]
    drawing = {name for name, each in functions if "Figure" in str(each.__annotations__.get("return"))}
    assert {name for name in drawing if not name.startswith("_")} == {*DRAWN, *NAMELESS}


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    ("figure", "name"),
    [
        pytest.param(figure, name, marks=pytest.mark.slow if (i - j) % len(NAMES) else [])
        for i, figure in enumerate(DRAWN)
        for j, name in enumerate(NAMES)
    ],
)
def test_names_are_drawn_as_they_are(figure: str, name: str) -> None:
    drawn = DRAWN[figure](name)
    assert drawn is not None
    drawn.canvas.draw()
