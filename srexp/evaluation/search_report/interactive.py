"""What is added to the figures that Optuna draws with Plotly: colours, ranges, marks, and readable labels."""

from __future__ import annotations

import html as escaping
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from srexp.evaluation.figures.plots import INK
from srexp.evaluation.search_report.canvas import COUNTS, Library, Look

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SYMBOLS = {"failed": "x-thin-open", "below the axis": "triangle-down-open"}


def library() -> Library:
    """Give Plotly as Optuna draws with it; it takes text for HTML, so texts are escaped."""
    from optuna import visualization

    return Library(visualization, Interactive, escaping.escape)


class Interactive:
    """A figure that Optuna drew with Plotly.

    Args:
        figure: It, changed in place.
    """

    def __init__(self, figure: Figure) -> None:
        """Keep the figure."""
        self.figure = figure

    def restyle(self, name: str, look: Look) -> None:
        """Give the marks or the line that Optuna calls `name` another look."""
        for trace in self.figure.data:
            if trace.name != name and f"<extra>{name}</extra>" not in (trace.hovertemplate or ""):
                continue
            is_line = "lines" in trace.mode and len(trace.x) > 1  # a line through one point shows nothing
            trace.marker = {"color": look.colour, "opacity": 0.7, "size": 8}
            if is_line:
                shape = {"shape": "hv" if look.steps else "linear", "dash": "dot" if look.dotted else "solid"}
                trace.update(mode="lines", line={"color": look.colour, "width": look.width, **shape})
            if name.startswith("Trial") and name != "Trial":
                trace.hovertemplate = f"{name}, {look.name}: epoch %{{x}}, %{{y:.3f}} dB<extra></extra>"
            trace.update(name=look.name, legendgroup=look.name, showlegend=True)

    def bars(self, colour: str) -> None:
        """Colour the bars of the importances."""
        self.figure.update_traces(marker_color=colour, showlegend=False, hovertemplate="%{y}: %{x:.3f}<extra></extra>")
        self.figure.update_layout(height=160 + 44 * len(self.figure.data[0].x))

    def points(self, points: Mapping[int, float], name: str, colour: str) -> None:
        """Mark trials at their values."""
        marker = {"symbol": SYMBOLS.get(name, "circle-open"), "color": colour, "size": 8, "line": {"width": 2}}
        self.figure.add_scatter(x=[*points], y=[*points.values()], mode="markers", name=name, marker=marker)

    def level(self, height: float, name: str, colour: str) -> None:
        """Draw a dashed line all across."""
        self.figure.add_hline(height, line={"color": colour, "dash": "dash"}, name=name, showlegend=True)

    def uprights(self, labels: Sequence[str]) -> None:
        """Write names below the axes of parallel coordinates, and `not set` where a trial doesn't have a key."""
        self.figure.update_xaxes(ticktext=[label.replace(".", ".<br>") for label in labels])
        self.figure.update_annotations({"text": "not set"}, {"text": "None"})

    def finish(self, title: str, x: str | None, y: str | None, limits: tuple[float, float] | None = None) -> None:
        """Name the axes, limit the upright one of all panels, and give the figure the look of all others."""
        seen: set[str | None] = {None}
        for trace in self.figure.data:
            trace.showlegend = bool(trace.showlegend is not False and trace.name not in seen)
            seen.add(trace.name)
        self.figure.update_xaxes({"dtick": 1, "exponentformat": "power"}, {"type": "log"})
        if x in COUNTS:
            self.figure.update_xaxes(tickformat="d")
        if x is not None:
            self.figure.update_layout(xaxis_title=x, yaxis_title=y)
        if limits:
            self.figure.update_yaxes(range=limits)
        look = {"template": "plotly_white", "margin": {"t": 40, "l": 70, "r": 30}, "font": {"color": INK}}
        self.figure.update_layout(title=None, showlegend=len(seen) > 1, height=self.figure.layout.height or 460, **look)


def part(figure: Figure, name: str) -> str:
    """Write a figure as a part of a page that has plotly.js.

    Args:
        figure: Finished.
        name: Identifier of the part, once on the page.
    """
    from plotly.io import to_html

    config = {"displaylogo": False, "responsive": True, "showSendToCloud": False, "plotlyServerURL": ""}
    written: str = to_html(figure, config=config, include_plotlyjs=False, full_html=False, div_id=name)
    return written
