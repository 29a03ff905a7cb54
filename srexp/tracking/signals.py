"""Ask a process to end, and let it end in order: SIGTERM and SIGHUP become an exception, as Ctrl-C is one."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

_AGAIN_SECONDS = 0.05


class Interrupted(KeyboardInterrupt):
    """The process was asked to end.

    A KeyboardInterrupt, so that whatever handles Ctrl-C (a checkpoint, the exit code) handles a scheduler's SIGTERM
    and a closed terminal's SIGHUP too.

    Args:
        number: Signal number.
    """

    exit_code = 130

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


class Shield:
    """Signals that arrive while `closing` is set wait until the work of closing is done."""

    def __init__(self) -> None:
        self.closing = False
        self.received: int | None = None
        self.waiting: int | None = None
        self._process = os.getpid()

    def meaning(self, error: BaseException) -> BaseException:
        """Tell what an exception means: the interruption, where the exception of a signal became another one.

        Code in C does that, as pybind11 while it imports a module.
        """
        return Interrupted(self.received) if self.received and isinstance(error, Exception) else error

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise Interrupted once; a scheduler that repeats itself must not break the orderly end."""
        del frame
        if os.getpid() != self._process:  # a forked worker dies of the signal as if there were no handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self.closing:
            self.waiting = self.waiting or number
        elif self.received is None:
            self.received = number
            raise Interrupted(number)

    def ignored(self, hook: Callable[[sys.UnraisableHookArgs], Any], what: sys.UnraisableHookArgs) -> None:
        """Ask again where Python ignored the exception, since it was raised in a `__del__` or a callback of the GC."""
        if isinstance(what.exc_value, Interrupted):
            self.received = None
            threading.Timer(_AGAIN_SECONDS, os.kill, (self._process, what.exc_value.number)).start()
        else:
            hook(what)


@contextmanager
def interruptible() -> Iterator[Shield]:
    """Raise Interrupted in the main thread when the process is asked to end; put the old handlers back afterwards.

    A signal that is being ignored stays ignored, as `nohup` wants it. Outside the main thread, where Python allows no
    handlers, nothing is changed.

    Yields:
        A shield: set `closing` while a signal must wait; it is raised when the context ends.

    Raises:
        Interrupted: A signal came.

    Example:
        >>> try:
        ...     with interruptible():
        ...         signal.raise_signal(signal.SIGTERM)
        ... except KeyboardInterrupt as stop:
        ...     print("asked to end by", stop)
        asked to end by SIGTERM
    """
    shield, hook = Shield(), sys.unraisablehook
    previous = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        previous = {number: old for number, old in handlers.items() if old not in (signal.SIG_IGN, None)}
    try:
        for number in previous:
            signal.signal(number, shield.handle)
        if previous:
            sys.unraisablehook = functools.partial(shield.ignored, hook)
        yield shield
    except Exception as error:
        if (meant := shield.meaning(error)) is error:
            raise
        raise meant from error
    finally:
        if previous:
            sys.unraisablehook = hook
        for number, handler in previous.items():
            signal.signal(number, handler)
    if shield.waiting:
        raise Interrupted(shield.waiting)
