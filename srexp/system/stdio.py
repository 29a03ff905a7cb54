"""Standard output and error: they outlive their reader, and what libraries of C++ write to them can be kept off."""

import io
import os
import stat
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

from srexp.system.masking.redaction import mask, printable, shown, told


class _Outlet(io.FileIO):
    """The writing end of a pipe; what nobody reads any more goes nowhere."""

    def write(self, written: Any, /) -> int:
        try:
            return super().write(written)
        except BrokenPipeError:
            _lead_nowhere(self.fileno())
            return super().write(written)


def _lead_nowhere(descriptor: int) -> None:
    """Let a descriptor itself lead nowhere, for libraries that write to it and processes that inherit it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextmanager
def no_native_stderr() -> Iterator[None]:
    """Keep whatever writes to standard error below Python, and has no log level, off it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        _lead_nowhere(2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def outlive_reader() -> None:
    """Go on when the reader of standard output or error is gone, as in `python -m srexp | head`.

    Python would raise `BrokenPipeError` at the next line, wherever that is: between two epochs, or after a Ctrl-C that
    ended `tee`, too, while the run is still to be closed.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper) or not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            continue  # a terminal, a file, or what a test put there
        stream.flush()
        outlet = io.BufferedWriter(_Outlet(stream.fileno(), "w", closefd=False))
        options = {key: getattr(stream, key) for key in ("encoding", "errors", "line_buffering", "write_through")}
        setattr(sys, name, io.TextIOWrapper(outlet, **options))


def flush() -> bool:
    """Write out what was said; False, and a word on it, where there is no room for it."""
    whole = True
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream and not stream.closed:
                stream.flush()
        except OSError as error:
            whole = False
            with suppress(OSError):
                os.write(2, f"srexp: {name} can't be written: {error.strerror}\n".encode())
    return whole


def complain(message: str) -> None:
    """Say on standard error what is wrong, in several lines perhaps.

    Args:
        message: What a `srexp.errors.SrexpError` says.
    """
    from srexp.system.masking.pseudonyms import named  # whoever has to mend a file must know which

    print(f"srexp: {told(named(message))}", file=sys.stderr)


def say(text: str, *, stderr: bool = False) -> None:
    r"""Print a line where `srexp.system.terminal`, which takes a tenth of a second to import, isn't worth it.

    Args:
        text: May have names in it that somebody else gave.
        stderr: To standard error.

    Example:
        >>> say("a\nsrexp: done.png")
        a\nsrexp: done.png
    """
    print(printable(mask(text)), file=sys.stderr if stderr else sys.stdout, flush=True)


def stage(text: str) -> None:
    """Say what a command is about to do, where somebody waits before a terminal."""
    if sys.stderr.isatty():
        say(text, stderr=True)


@contextmanager
def masked_stdout() -> Iterator[None]:
    """Show what libraries print meanwhile without secrets."""
    with redirect_stdout(io.StringIO()) as said:
        yield
    print(shown(said.getvalue()), end="")


def full_error() -> bool:
    """Whether the user wants tracebacks."""
    return os.environ.get("HYDRA_FULL_ERROR") == "1"


def show_traceback(error: BaseException | None) -> None:
    """Show where something failed, without secrets."""
    if error:
        print(shown("".join(traceback.format_exception(error))), end="", file=sys.stderr)


def mask_tracebacks() -> None:
    """Show tracebacks of what nobody caught without secrets."""
    sys.excepthook = lambda _kind, error, _where: show_traceback(error)
    threading.excepthook = lambda given: show_traceback(given.exc_value)
