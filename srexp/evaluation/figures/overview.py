"""Pictures of a data set before anything is trained on it: what the images look like, and which values they use."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.evaluation.figures.panel import shown, window
from srexp.evaluation.figures.plots import FAINT, INK, MODEL, literal, new_figure, short
from srexp.types import Figure

COLUMNS, CELL, LARGEST_CELL, GAP, MARGIN = 8, 150, 336, 14, 24
TITLE, HEADING, CAPTION = 44, 34, 40
#: Of a line of a title, and about that of one of its letters.
TITLE_LINE, TITLE_LETTER = 22, 10
LONGEST_LABEL = 24
PANEL = 190
DETAIL_CELL, DETAIL_COLUMNS = 336, 3


@dataclass(frozen=True, slots=True)
class Shown:
    """One image of a contact sheet.

    Args:
        label: Its name.
        detail: What else is known of it, in a few words.
        pixels: (h, w) or (h, w, 3), in [0, 1] of the stored range.
    """

    label: str
    detail: str
    pixels: npt.NDArray[np.floating[Any]]


def contact_sheet(groups: Mapping[str, Sequence[Shown]], title: str) -> Figure:
    """Show images side by side, group by group.

    Each image is stretched between its 0.5 and 99.5 percentile, for otherwise a dark one would show nothing.

    Args:
        groups: Images under the heading that they go by.
        title: What the whole is.

    Returns:
        Figure of at most 1346 pixels by as many as it takes; few images are shown larger, and no column is empty.

    Example:
        >>> sheet = contact_sheet({"test": [Shown("a.png", "8 bit", np.eye(9))]}, "one image")
        >>> sheet.get_size_inches().tolist()
        [3.84, 4.92]
    """
    columns = min(COLUMNS, max(map(len, groups.values()), default=1))
    cell = min(LARGEST_CELL, COLUMNS * (CELL + GAP) // columns - GAP)
    rows = {heading: -(-len(images) // columns) for heading, images in groups.items()}
    width = 2 * MARGIN + columns * (cell + GAP) - GAP
    told = textwrap.wrap(title, (width - 2 * MARGIN) // TITLE_LETTER)
    begin = MARGIN + TITLE + TITLE_LINE * (len(told) - 1)
    height = begin + sum(HEADING + count * (cell + CAPTION) + GAP for count in rows.values())
    figure = new_figure(width, height)
    heading_of_all = literal("\n".join(told))
    figure.text(MARGIN / width, 1 - MARGIN / height, heading_of_all, fontsize=13, color=INK, va="top", weight="bold")
    top = begin
    for heading, images in groups.items():
        figure.text(MARGIN / width, 1 - top / height, literal(heading), fontsize=11, color=INK, va="top")
        top += HEADING
        for number, image in enumerate(images):
            row, column = divmod(number, columns)
            left, upper = MARGIN + column * (cell + GAP), top + row * (cell + CAPTION)
            axes = figure.add_axes((left / width, 1 - (upper + cell) / height, cell / width, cell / height))
            axes.imshow(
                shown(image.pixels, window(image.pixels)), cmap="gray", vmin=0, vmax=1, interpolation="antialiased"
            )
            axes.set_axis_off()
            below = 1 - (upper + cell + 4) / height
            middle = (left + cell / 2) / width
            label = literal(short(image.label, LONGEST_LABEL))
            figure.text(middle, below, label, fontsize=7, color=INK, ha="center", va="top")
            figure.text(
                middle, below - 14 / height, literal(image.detail), fontsize=7, color=FAINT, ha="center", va="top"
            )
        top += rows[heading] * (cell + CAPTION) + GAP
    return figure


def histograms(counts: Mapping[str, npt.NDArray[np.int64]], title: str) -> Figure:
    """Show how often each part of the stored range is used, one panel below the other, on a logarithmic scale.

    Args:
        counts: Number of pixels in equal parts of the stored range, black first, by the heading they go by.
        title: What the whole is.

    Returns:
        Figure of 1000 pixels by 190 for each panel and 90.
    """
    figure = new_figure(1000, PANEL * len(counts) + 90)
    panels = figure.subplots(len(counts), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (heading, each) in zip(panels, counts.items(), strict=True):
        share = each / max(1, each.sum())
        edges = np.linspace(0, 1, len(each) + 1)
        axes.stairs(share, edges, fill=True, color=MODEL)
        axes.set(yscale="log", xlim=(0, 1), ylim=(1e-7, 1), ylabel="share of pixels")
        axes.set_title(literal(heading), loc="left", fontsize=10, color=INK)
        axes.grid(visible=True, color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    panels[-1].set_xlabel("stored value, as a share of the range that the bit depth allows")
    figure.suptitle(literal(title), fontsize=12, color=INK, weight="bold")
    figure.tight_layout()
    return figure


def details(pictures: Mapping[str, npt.NDArray[np.floating[Any]]], title: str, footnote: str) -> Figure:
    """Show the same place in several pictures of it, every pixel enlarged without smoothing.

    All share one display window, taken from the first, so that a loss of contrast is seen as one.

    Args:
        pictures: Square parts, (h, w), by caption; the first is what the others are held against.
        title: What the whole is.
        footnote: How to read it.

    Returns:
        Figure of 1084 pixels by as many as it takes.
    """
    rows = -(-len(pictures) // DETAIL_COLUMNS)
    width = 2 * MARGIN + DETAIL_COLUMNS * (DETAIL_CELL + GAP) - GAP
    height = 2 * MARGIN + TITLE + rows * (DETAIL_CELL + HEADING) + HEADING
    figure = new_figure(width, height)
    figure.text(MARGIN / width, 1 - MARGIN / height, literal(title), fontsize=13, color=INK, va="top", weight="bold")
    first = next(iter(pictures.values()))
    low, high = np.percentile(first, (0.5, 99.5))
    for number, (caption, picture) in enumerate(pictures.items()):
        row, column = divmod(number, DETAIL_COLUMNS)
        left, top = MARGIN + column * (DETAIL_CELL + GAP), MARGIN + TITLE + row * (DETAIL_CELL + HEADING)
        box = (left / width, 1 - (top + DETAIL_CELL) / height, DETAIL_CELL / width, DETAIL_CELL / height)
        axes = figure.add_axes(box)
        axes.imshow(picture, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")
        axes.set_axis_off()
        middle, below = (left + DETAIL_CELL / 2) / width, 1 - (top + DETAIL_CELL + 6) / height
        figure.text(middle, below, literal(caption), fontsize=10.5, color=INK, ha="center", va="top")
    figure.text(MARGIN / width, MARGIN / height, literal(footnote), fontsize=10, color=FAINT, va="bottom")
    return figure
