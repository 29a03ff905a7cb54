"""How far a download is: a bar on a terminal, a line at the start and the end elsewhere; on standard error."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Called with the name of a file, the bytes that are there and the bytes that are expected (None: unknown)."""


class TransferBar:
    """Shows the progress of files, one after the other; it is a `Progress`, to be used inside `with`.

    Args:
        console: Where to show it; standard error when None.

    Example:
        >>> with TransferBar(Console(quiet=True)) as progress:
        ...     progress("images.zip", 512, 1024)
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._there: dict[str, int] = {}

    def __enter__(self) -> TransferBar:
        """Start to draw."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing, and say elsewhere than on a terminal what the last file came to."""
        self._finish_line()
        self._bars.stop()

    def __call__(self, name: str, there: int, total: int | None) -> None:
        """Take note of a file's progress.

        Args:
            name: The file; a name not seen before starts a new bar.
            there: Its bytes that are there.
            total: Its bytes in the end; None when unknown.
        """
        if name not in self._tasks:
            self._finish_line()
            self._tasks[name] = self._bars.add_task(name, total=total, completed=there)
            self._start_line(name, there, total)
        self._there = {name: there}
        self._bars.update(self._tasks[name], completed=there, total=total)

    def _start_line(self, name: str, there: int, total: int | None) -> None:
        if not self._console.is_terminal:
            size = f", {decimal(total)}" if total is not None else ""
            rest = f", {decimal(there)} are there already" if there else ""
            self._console.print(f"{name}{size}{rest}", highlight=False)

    def _finish_line(self) -> None:
        if not self._console.is_terminal:
            for name, there in self._there.items():
                self._console.print(f"{name}: {decimal(there)} done", highlight=False)
        self._there = {}
