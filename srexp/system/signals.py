"""Ask a process to end, and let it end in order: SIGTERM and SIGHUP become an exception, as Ctrl-C is one."""

from __future__ import annotations

import _thread
import atexit
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from srexp.system.stdio import flush

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

#: Time after which an interruption that got lost comes again.
AGAIN_SECONDS = 0.5


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
    """What becomes of the signals of one context.

    Signals that arrive while `closing` is set wait until the work of closing is done. An interruption that gets lost on
    its way comes again: TensorFlow swallows whatever is raised at some places where it traces a function, and Python
    itself what is raised in a `__del__` or a callback of the garbage collector.
    """

    def __init__(self) -> None:
        self.closing = False
        self.received: int | None = None
        self.waiting: int | None = None
        self._process, self._thread = os.getpid(), threading.get_ident()
        self._over, self._ending, self._repeated = False, threading.Lock(), False

    def meaning(self, error: BaseException) -> BaseException:
        """Tell what an exception means: the interruption, where the exception of a signal became another one.

        Code in C does that, as pybind11 while it imports a module.
        """
        return Interrupted(self.received) if self.received and isinstance(error, Exception) else error

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise Interrupted, once as long as it is on its way; a scheduler that repeats itself must not break that."""
        del frame
        repeated, self._repeated = self._repeated, False
        if os.getpid() != self._process:  # a forked worker dies of the signal as if there were no handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self.closing or self._over:
            if not repeated:
                self.waiting = self.waiting or number
        else:
            if self.received is None:
                self.received = number
                # Not a `threading.Thread`: its start waits for a lock, which the interrupted code may have.
                _thread.start_new_thread(self._repeat, (number,))
            if not _under_way():
                raise Interrupted(number)

    def end(self) -> None:
        """Repeat nothing any more."""
        with self._ending:
            self._over = True

    def ignored(self, hook: Callable[[sys.UnraisableHookArgs], Any], what: sys.UnraisableHookArgs) -> None:
        """Say nothing of an interruption that Python ignored."""
        if not isinstance(what.exc_value, Interrupted):
            hook(what)

    def _repeat(self, number: int) -> None:
        while True:
            time.sleep(AGAIN_SECONDS)
            with self._ending:
                if self.closing or self._over:
                    return
                self._repeated = True
                # Another thread might take it so late that the old handler is back, and end the process.
                signal.pthread_kill(self._thread, number)


def _under_way() -> bool:
    """Whether an interruption is being handled now, perhaps with another exception on top."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, Interrupted):
            return True
        error = error.__context__
    return False


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
        shield.end()
        if previous:
            sys.unraisablehook = hook
        for number, handler in previous.items():
            signal.signal(number, handler)
    if shield.waiting:
        raise Interrupted(shield.waiting)


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """Let a process that is started now ignore Ctrl-C, which a terminal sends to both: it is passed on as SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def ctrl_c_raises() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C, whatever it did before and does again afterwards, unless it is ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before in (signal.SIG_IGN, None) or threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def leave(code: int) -> NoReturn:
    """End this process with an exit code that nothing changes any more.

    Threads are waited for and hooks of `atexit` run, as ever; a signal meanwhile ends the process at once. Python would
    then take apart what threads of TensorFlow still use. That takes seconds, and ends now and then in a crash.

    Args:
        code: Exit code; 0 becomes 1 where standard output takes no more.
    """
    code = code if flush() else code or 1
    for number in (signal.SIGINT, *SIGNALS):
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, lambda *_: os._exit(code))
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # as `multiprocessing` ends its processes
        atexit._run_exitfuncs()
        flush()
    finally:
        os._exit(code)
