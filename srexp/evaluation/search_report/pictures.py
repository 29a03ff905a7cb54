"""What is added to the figures that Optuna draws with Matplotlib: colours, ranges, marks, and labels that fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from srexp.evaluation.figures.plots import DPI, FAINT, INK, tidy
from srexp.evaluation.search_report.canvas import COUNTS, Library, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOM = 38
"""Letters that fit below a panel."""

LONGEST = 22
"""Letters of one choice."""

MARKERS = {"failed": "x", "below the axis": "v"}


def library() -> Library:
    """Give Matplotlib as Optuna draws with it; a dollar sign begins no formula."""
    from optuna.visualization import matplotlib

    return Library(matplotlib, Picture, lambda text: text.replace("$", r"\$"))


@contextmanager
def without_window() -> Iterator[None]:
    """Let Optuna draw with pyplot, and leave no trace of it: no window, open figure, style or warning."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    before, chosen = set(plt.get_fignums()), mpl.get_backend(auto_select=False)
    with mpl.rc_context({"figure.dpi": DPI, "figure.constrained_layout.use": True}), warnings.catch_warnings():
        # Of a search with no finished trial, or with one value of a key: Optuna asks for a legend or a range anyway.
        warnings.filterwarnings("ignore", "No artists with labels|Attempting to set identical", UserWarning)
        plt.switch_backend("agg")
        try:
            yield
        finally:
            for number in {*plt.get_fignums()} - before:
                plt.close(number)
            if chosen:
                plt.switch_backend(chosen)


class Picture:
    """A figure that Optuna drew with Matplotlib.

    Args:
        drawn: Its axes, one or several beside each other.
    """

    def __init__(self, drawn: Any) -> None:
        """Find the figure of the axes."""
        self.panels: list[Axes] = list(np.ravel(drawn))
        self.axes = self.panels[0]
        self.figure: Figure = self.axes.get_figure(root=True)  # type: ignore[assignment]
        self._names: set[str] = set()
        self._pixels = (1200, 560) if len(self.panels) == 1 else (100 + 330 * len(self.panels), 380)

    def restyle(self, name: str, look: Look) -> None:
        """Give the marks or the line that Optuna calls `name` another look."""
        self._names.add(look.name)
        for artist in (*self.axes.lines, *self.axes.collections):
            if artist.get_label() == name:
                artist.set(label=look.name, color=look.colour, alpha=0.7)
        for line in self.axes.lines:
            if line.get_label() == look.name:
                line.set(linewidth=look.width, linestyle=":" if look.dotted else "-", zorder=2 + look.width / 10)
                line.set_drawstyle("steps-post" if look.steps else "default")
                line.set_marker("" if len(line.get_xdata()) > 1 else "o")  # type: ignore[arg-type]

    def bars(self, colour: str) -> None:
        """Colour the bars of the importances, which need no legend."""
        for bar in self.axes.patches:
            bar.set_color(colour)
        self.axes.get_legend().remove()  # type: ignore[union-attr]
        self._pixels = (1000, 120 + 44 * len(self.axes.patches))

    def points(self, points: Mapping[int, float], name: str, colour: str) -> None:
        """Mark trials at their values."""
        self._names.add(name)
        self.axes.plot([*points], [*points.values()], MARKERS.get(name, "o"), color=colour, mfc="none", label=name)

    def level(self, height: float, name: str, colour: str) -> None:
        """Draw a dashed line all across."""
        self._names.add(name)
        self.axes.axhline(height, color=colour, linestyle="--", label=name)

    def uprights(self, labels: Sequence[str]) -> None:
        """Write names below the axes of parallel coordinates, and `not set` where a trial doesn't have a key."""
        from matplotlib.ticker import AutoLocator

        self._pixels = (max(900, 170 * len(labels)), 520)
        below = [label.replace(".", ".\n").replace(" in ", "\nin ") for label in labels]
        self.axes.set_xticks(range(len(labels)), below, rotation=0)
        self.axes.tick_params(axis="x", length=0, pad=8)
        for upright in (
            axes for axes in self.figure.axes if axes is not self.axes and axes.get_label() != "<colorbar>"
        ):
            if isinstance(upright.yaxis.get_major_locator(), AutoLocator):
                upright.locator_params(axis="y", nbins=5)
            written = [label.get_text() for label in upright.get_yticklabels()]
            if "None" in written:
                upright.set_yticks(upright.get_yticks(), ["not set" if each == "None" else each for each in written])
            for label in upright.get_yticklabels():
                label.set(fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8})
            upright.grid(visible=False)
            upright.spines["right"].set_color(FAINT)

    def finish(self, title: str, x: str | None, y: str | None, limits: tuple[float, float] | None = None) -> None:
        """Name the axes, limit the upright one of all panels, and give the figure the look of all others."""
        from matplotlib.ticker import MaxNLocator

        width, height = self._pixels
        self.figure.set(figwidth=width / DPI, figheight=height / DPI, facecolor="white")
        self.figure.suptitle(title, fontsize=12)
        for axes in self.panels:
            axes.set_title("", loc="left")
            axes.set(title="", facecolor="white", ylim=limits)
            axes.tick_params(colors=INK)
            axes.xaxis.label.set_color(INK)
            axes.yaxis.label.set_color(INK)
            axes.spines[:].set_color(INK)
            tidy(axes)
            _spread(axes)
            if x is not None:
                axes.set(xlabel=x, ylabel=y)
            if x in COUNTS:
                axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        named = dict(zip(*self.axes.get_legend_handles_labels()[::-1], strict=True))
        if handles := {name: handle for name, handle in named.items() if name in self._names}:
            self.axes.legend(handles.values(), handles, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))


def _spread(axes: Axes) -> None:
    """Keep the choices below a panel apart, from each other and from those of the next panel."""
    from matplotlib.category import StrCategoryLocator

    if not isinstance(axes.xaxis.get_major_locator(), StrCategoryLocator):
        return
    written = [label.get_text() for label in axes.get_xticklabels()]
    axes.set_xlim(-0.5, len(written) - 0.5)
    if sum(map(len, written)) + 2 * len(written) > ROOM:
        short = [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in written]
        axes.set_xticks(range(len(written)), short, rotation=20, ha="right")
