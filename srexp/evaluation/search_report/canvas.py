"""What srexp adds to a figure of Optuna's, in the same words for Matplotlib and for Plotly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple, Protocol

COUNTS = ("trial", "epoch")
"""Axes of whole numbers."""


class Look(NamedTuple):
    """How a line of Optuna's is drawn.

    Args:
        name: In the legend.
        colour: Of line and marks.
        width: Of a line, in points.
        dotted: Whether a line is.
        steps: Whether a line stays level until the next point.
    """

    name: str
    colour: str
    width: float = 1.8
    dotted: bool = False
    steps: bool = False


class Canvas(Protocol):
    """A figure that Optuna drew, and what is added to it in the words of its library."""

    figure: Any
    """As its library knows it."""

    def restyle(self, name: str, look: Look) -> None:
        """Give the marks or the line that Optuna calls `name` another look."""

    def bars(self, colour: str) -> None:
        """Colour the bars of the importances, which need no legend."""

    def points(self, points: Mapping[int, float], name: str, colour: str) -> None:
        """Mark trials, number to height, with a sign of their own for `failed` and `below the axis`."""

    def level(self, height: float, name: str, colour: str) -> None:
        """Draw a dashed line all across."""

    def uprights(self, labels: Sequence[str]) -> None:
        """Write names below the axes of parallel coordinates, and say `not set` where a trial doesn't have a key."""

    def finish(self, title: str, x: str | None, y: str | None, limits: tuple[float, float] | None = None) -> None:
        """Name the axes, all panels' alike, limit the upright one, and give the figure the look of all others."""


class Library(NamedTuple):
    """A library with which Optuna draws.

    Args:
        plots: Optuna's functions, which have the same names and arguments for all libraries.
        canvas: Takes what they give.
        shown: Makes a text safe from being taken for markup.
    """

    plots: ModuleType
    canvas: Callable[[Any], Canvas]
    shown: Callable[[str], str]
