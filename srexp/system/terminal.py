"""The one road to a terminal: no name in a text steers it, forges a line of it, or shows a password."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.cells import cell_len
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

    def about(
        self, label: str, text: str, style: str = "", *, link: str | Path | None = None, whole: bool = False
    ) -> None:
        """Print a line that begins with what it is about; a terminal has its words in several, where it is narrower.

        Args:
            label: What it is about.
            text: What there is to say.
            style: Of the label.
            link: Address or file that the text leads to, where the terminal can be clicked.
            whole: Leave it to the terminal where the line breaks, as for commands, which are copied, and for links.
        """
        self._beside(Text(label, style), linked(text, link), whole=whole or link is not None)

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
            self._beside(Text(), Text(", ").join(shown), whole=False)

    def _beside(self, label: Text, told: Text, *, whole: bool) -> None:
        told = _safe(told)  # first: what would begin a line is no end of one when the words are laid out
        for line in _lines(told, self.width - _LABEL_COLUMNS) if self.is_terminal and not whole else [told]:
            self.print(Text.assemble(label, " " * (_LABEL_COLUMNS - len(label)), line), soft_wrap=True)
            label = Text()

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
        return super().render(_safe(renderable) if isinstance(renderable, Text) else renderable, options)


def _safe(text: Text) -> Text:
    safe = printable(mask(text.plain))
    return text if safe == text.plain else Text(safe, text.style, no_wrap=text.no_wrap, end=text.end)


def _lines(text: Text, width: int) -> list[Text]:
    """Break a text between words; one that is longer than a line stays whole, and Rich would cut it."""
    begins, used = [], 0
    for word in re.finditer(r"\S+\s*", text.plain):
        if used and used + cell_len(word[0].rstrip()) > width:
            begins.append(word.start())
            used = 0
        used += cell_len(word[0])
    lines = list(text.divide(begins))
    for line in lines:
        line.rstrip()
    return lines
