"""A table in several formats: terminal, Markdown, LaTeX, CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from srexp.evaluation.comparison.standings import Standing, Standings
from srexp.evaluation.comparison.tables import Cell, Grid

if TYPE_CHECKING:
    from rich.table import Table


def terminal(grid: Grid, title: str) -> Table:
    """Make a table for `rich`; names in it are text, never markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for place, heading in enumerate(grid.headings):
        table.add_column(Text(_two_lines(heading)), justify="right" if place else "left", no_wrap=place > 0)
    for row in grid.rows:
        table.add_row(*(Text(_two_lines(cell)) for cell in row))
    return table


def _two_lines(cell: Cell) -> str:
    detail = cell.detail.replace(" ", "\u00a0")  # an interval is one word
    return f"{cell.main}\n{detail}" if detail else cell.main


def markdown(grid: Grid) -> str:
    r"""Write a table in GitHub's Markdown.

    Example:
        >>> print(markdown(Grid([Cell("model"), Cell("dB")], [[Cell("a|b"), Cell("1")]])), end="")
        | model | dB |
        | :--- | ---: |
        | a\|b | 1 |
    """
    lines = [
        [_markdown(str(cell)) for cell in grid.headings],
        [":---" if not place else "---:" for place, _ in enumerate(grid.headings)],
        *([_markdown(str(cell)) for cell in row] for row in grid.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown(text: str) -> str:
    """Escape what Markdown would read; brackets of intervals stay readable, for only `](` makes a link of them."""
    return re.sub(r"([\\`*_{}|<>#~]|(?<=\])\()", r"\\\1", re.sub(r"\s+", " ", text))


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
    return f"\\begin{{tabular}}{{l{'r' * (len(grid.headings) - 1)}}}\n{body}\n\\end{{tabular}}\n"


def _latex_lines(cells: Sequence[Cell]) -> list[str]:
    lines = [" & ".join(_latex(cell.main) for cell in cells) + r" \\"]
    if any(cell.detail for cell in cells):
        details = (rf"{{\scriptsize {_latex(cell.detail)}}}" if cell.detail else "" for cell in cells)
        lines.append(" & ".join(details) + r" \\")
    return lines


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def comma_separated(found: Standings) -> str:
    """Write all figures, unrounded, one row for each model."""
    rows = [_flat(row) for row in found.rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(row: Standing) -> dict[str, object]:
    flat: dict[str, object] = {"model": row.name}
    for metric, mean in row.means.items():
        low, high = mean.ci95 or (None, None)
        flat |= {metric: mean.mean, f"{metric}_std": mean.std, f"{metric}_low": low, f"{metric}_high": high}
    for metric, gain in row.gains.items():
        low, high = gain.ci95 or (None, None)
        flat |= {f"{metric}_gain": gain.gain, f"{metric}_gain_low": low, f"{metric}_gain_high": high}
    contender = row.contender
    flat |= {
        "wins": row.wins,
        "p_best_holm": row.p_best,
        "parameters": contender.cost and contender.cost.parameters,
        "multiply_adds_per_megapixel": contender.cost and contender.cost.multiply_adds,
        "train_seconds": contender.train_seconds,
        "patches_per_second": contender.patches_per_second,
    }
    for label, timing in contender.timings.items():
        flat |= {f"seconds of {label}": timing.median, f"seconds of {label}, low": timing.quartiles[0]}
        flat[f"seconds of {label}, high"] = timing.quartiles[1]
    return flat
