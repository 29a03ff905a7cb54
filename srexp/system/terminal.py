"""The one road to a terminal: no name in a text steers it, forges a line of it, or shows a password."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from srexp.system.masking.redaction import mask, printable

#: Width of what goes to a file, where no terminal says how wide it is.
_FILE_COLUMNS = 140
#: Width of what a line is about.
_LABEL_COLUMNS = 12
#: Width of which a column that folds is sure, where it holds a longer word.
_FOLDED = 12


def linked(text: str, target: str | Path | None) -> Text:
    """Write a text that leads somewhere, where the terminal can be clicked.

    Example:
        >>> linked("curve.png", Path("/runs/curve.png")).style
        Style(link='file:///runs/curve.png')
    """
    address = target.absolute().as_uri() if isinstance(target, Path) else target
    return Text(text, Style(link=address) if address else "")


class Terminal(Console):
    r"""Where all that is said is printed, tables and progress bars too: ruff refuses `print` and other consoles.

    Every text, as a line, a cell, a title or within a bar, is one line of plain text and no markup. Lines below each
    other are a `rich.console.Group`, and looks a `rich.text.Text` or a `rich.styled.Styled`.

    Args:
        stderr: To standard error.
        soft_wrap: Let the terminal break long lines, and a file have them whole.
        options: Of `rich.console.Console`.

    Example:
        >>> Terminal(width=40).print("a[red]\x1b[2J\nsrexp: done.png")
        a[red]\x1b[2J\nsrexp: done.png
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = True, **options: Any) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, highlight=False, **options)
        if not self.is_terminal and "width" not in options:
            self.width = _FILE_COLUMNS

    def about(self, label: str, text: str, style: str = "", *, link: str | Path | None = None) -> None:
        """Print a line that begins with what it is about.

        Args:
            label: What it is about.
            text: What there is to say.
            style: Of the label.
            link: Address or file that the text leads to, where the terminal can be clicked.
        """
        self.print(
            Text.assemble((label, style), " " * (_LABEL_COLUMNS - len(label)), linked(text, link)), soft_wrap=True
        )

    def files(self, label: str, folder: Path, names: Iterable[str]) -> None:
        """Print the files that were made, each of which can be clicked where the terminal can.

        Args:
            label: What the line is about.
            folder: That they are in.
            names: Their paths in it.
        """
        shown = [linked(name, folder / name) for name in names]
        if shown:
            self.about(label, str(folder), link=folder)
            self.print(Text.assemble(" " * _LABEL_COLUMNS, Text(", ").join(shown)), soft_wrap=True)

    def table(self, table: Table) -> None:
        """Print a table; where there is no room for it, a line for each of its cells, with nothing cut.

        Args:
            table: Whose columns may fold words where they say so.
        """
        wide = self.options.update(width=10_000)
        least = self.measure(table, options=wide).minimum
        for column in table.columns:
            if column.overflow == "fold" and not column.no_wrap:
                word = max(self.measure(each, options=wide).minimum for each in (column.header, *column.cells))
                least -= max(0, word - _FOLDED)
        if least <= self.width:
            self.print(table)
            return
        self.print(table.title or "", soft_wrap=False)
        for row in zip(*(column.cells for column in table.columns), strict=True):
            lines = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2, 0, 0))
            for column, cell in zip(table.columns, row, strict=True):
                lines.add_row(column.header, cell)
            self.print("")
            self.print(lines, soft_wrap=False)

    def render_str(self, text: str, **look: Any) -> Text:
        """Make a text of what may have names in it; markup and emoji codes are characters like others."""
        return super().render_str(printable(mask(text)), **{**look, "markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Draw; a text that was made elsewhere loses its looks where it has something to hide."""
        if isinstance(renderable, Text) and (safe := printable(mask(renderable.plain))) != renderable.plain:
            renderable = Text(safe, renderable.style, no_wrap=renderable.no_wrap, end=renderable.end)
        return super().render(renderable, options)
