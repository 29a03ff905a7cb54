"""A table of text and figures in several formats: terminal, Markdown, LaTeX."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of a table.

    Args:
        main: The figure.
        detail: Its spread.
        best: Whether none in its column is better.
    """

    main: str
    detail: str = ""
    best: bool = False

    def __str__(self) -> str:
        """Both on one line."""
        return f"{self.main} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Grid:
    """A table that is ready to be written.

    Args:
        headings: Of the columns; `Cell.detail` says what the details below are.
        rows: Cells of each row.
        texts: Places of the columns that hold text, and no figures.
    """

    headings: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    texts: Collection[int] = (0,)

    def side(self, place: int) -> Literal["left", "right"]:
        """Which end of a column its cells stand at."""
        return "left" if place in self.texts else "right"


def terminal(grid: Grid, title: str) -> Table:
    """Make a table for a terminal, for which names in it are text, never markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for place, heading in enumerate(grid.headings):
        table.add_column(_two_lines(heading), justify=grid.side(place), no_wrap=place > 0, overflow="fold")
    for row in grid.rows:
        table.add_row(*map(_two_lines, row))
    return table


def _two_lines(cell: Cell) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    main = Text(cell.main, style="bold" if cell.best else "")
    detail = cell.detail.replace(" ", "\u00a0")  # an interval is one word
    return Group(main, detail) if detail else main


def markdown(grid: Grid) -> str:
    r"""Write a table in GitHub's Markdown.

    Example:
        >>> print(markdown(Grid([Cell("model"), Cell("dB")], [[Cell("a|b"), Cell("1")]])), end="")
        | model | dB |
        | :--- | ---: |
        | a\|b | 1 |
    """
    lines = [
        [escaped(str(cell)) for cell in grid.headings],
        [{"left": ":---", "right": "---:"}[grid.side(place)] for place, _ in enumerate(grid.headings)],
        *([_markdown_cell(cell) for cell in row] for row in grid.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_cell(cell: Cell) -> str:
    main = escaped(cell.main)
    return f"{f'**{main}**' if cell.best else main} {escaped(cell.detail)}".rstrip()


def escaped(text: str) -> str:
    """Escape what Markdown would read; brackets of intervals stay readable, for only `](` makes a link of them."""
    return re.sub(r"([\\`*_{}|<>#~]|(?<=\])\(|&(?=\w+;))", r"\\\1", re.sub(r"\s+", " ", text))


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "∞": r"$\infty$", "\u202f": r"\,",
}  # fmt: skip


def latex(grid: Grid) -> str:
    r"""Write a table for LaTeX with the package booktabs; the spread stands below its figure.

    Example:
        >>> print(latex(Grid([Cell("model"), Cell("dB")], [[Cell("a_b"), Cell("1")]])), end="")
        \begin{tabular}{lr}
          \toprule
          model & dB \\
          \midrule
          a\_b & 1 \\
          \bottomrule
        \end{tabular}
    """
    lines = [r"\toprule", *_latex_lines(grid.headings), r"\midrule"]
    for row in grid.rows:
        lines += _latex_lines(row)
    body = "\n".join(f"  {line}" for line in [*lines, r"\bottomrule"])
    sides = "".join(grid.side(place)[0] for place, _ in enumerate(grid.headings))
    return f"\\begin{{tabular}}{{{sides}}}\n{body}\n\\end{{tabular}}\n"


def _latex_lines(cells: Sequence[Cell]) -> list[str]:
    lines = [
        " & ".join(rf"\textbf{{{_latex(cell.main)}}}" if cell.best else _latex(cell.main) for cell in cells) + r" \\"
    ]
    if any(cell.detail for cell in cells):
        details = (rf"{{\scriptsize {_latex(cell.detail)}}}" if cell.detail else "" for cell in cells)
        lines.append(" & ".join(details) + r" \\")
    return lines


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
