"""How far a download is: a bar on a terminal, a line at the start and the end elsewhere; on standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from srexp.system.terminal import Terminal

#: Called with the name of a file, the bytes that are there and the bytes that are expected (None: unknown).
Progress: TypeAlias = Callable[[str, int, int | None], None]


class TransferBar(Bars):
    """Shows the progress of files, one after the other; it is a `Progress`, to be used inside `with`.

    Args:
        console: Where to show it; standard error when None.

    Example:
        >>> with TransferBar(Terminal(quiet=True)) as progress:
        ...     progress("images.zip", 512, 1024)
    """

    def __init__(self, console: Terminal | None = None) -> None:
        console = console or Terminal(stderr=True)
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._files: dict[str, TaskID] = {}
        self._there: dict[str, int] = {}

    def stop(self) -> None:
        """Stop drawing, and say elsewhere than on a terminal what the last file came to."""
        self._finish_line()
        super().stop()

    def __call__(self, name: str, there: int, total: int | None) -> None:
        """Take note of a file's progress.

        Args:
            name: The file; a name not seen before starts a new bar.
            there: Its bytes that are there.
            total: Its bytes in the end; None when unknown.
        """
        if name not in self._files:
            self._finish_line()
            self._files[name] = self.add_task(name, total=total, completed=there)
            self._start_line(name, there, total)
        self._there = {name: there}
        self.update(self._files[name], completed=there, total=total)

    def _start_line(self, name: str, there: int, total: int | None) -> None:
        if not self.console.is_terminal:
            size = f", {decimal(total)}" if total is not None else ""
            rest = f", {decimal(there)} are there already" if there else ""
            self.console.print(f"{name}{size}{rest}")

    def _finish_line(self) -> None:
        if not self.console.is_terminal:
            for name, there in self._there.items():
                self.console.print(f"{name}: {decimal(there)} done")
        self._there = {}
