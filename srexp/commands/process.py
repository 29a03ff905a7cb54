"""A process of its own for each job of a multirun, so that what TensorFlow keeps goes with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from srexp.tracking.signals import Interrupted, interruptible

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

#: How long a job may take to end its run in order after it was asked to.
END_SECONDS = 60.0


def run_alone(work: Callable[..., int], *arguments: object) -> int:
    """Run a function in a fresh Python process and wait for it.

    Whoever interrupts this process interrupts the other one, whose run ends KILLED; should this process be killed, the
    other one notices and ends too.

    Args:
        work: Function of a module; its return value is the exit code.
        *arguments: What can be pickled.

    Returns:
        The exit code; a negative signal number when a signal ended the process.

    Raises:
        KeyboardInterrupt: This process was asked to end; the other one has ended.
    """
    process = multiprocessing.get_context("spawn").Process(target=_begin, args=(work, arguments))
    with interruptible():
        try:
            with _ctrl_c_ignored():
                process.start()
            process.join()
        except KeyboardInterrupt:
            _end(process)
            raise
    return process.exitcode or 0


def died(code: int) -> str:
    """Say how a process ended that left no word.

    Example:
        >>> died(-9), died(3)
        ('ended by SIGKILL', 'ended with exit code 3')
    """
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _end(process: SpawnProcess) -> None:
    """Ask a process to end, and end it when it does not, or when the user asks a second time."""
    if process.pid is None:
        return
    process.terminate()
    try:
        process.join(END_SECONDS)
    finally:
        process.kill()
        process.join()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Let a process that is started now ignore Ctrl-C, which a terminal sends to both: it is passed on as SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(work: Callable[..., int], arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with interruptible():
            code = work(*arguments)
    except KeyboardInterrupt:
        code = Interrupted.exit_code
    sys.exit(code)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
