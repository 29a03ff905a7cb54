"""A process of its own for each job of a multirun and each worker of a search: what TensorFlow keeps goes with it.

Not through `multiprocessing`, which fails within a worker of joblib.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from srexp.system.process_identity import process_is_gone
from srexp.system.signals import Interrupted, interruptible
from srexp.system.stdio import mask_tracebacks, outlive_reader

#: How long a job may take to end its run in order after it was asked to.
END_SECONDS = 60.0
#: Tells the jobs of a multirun, perhaps in other processes or on other machines, which process drives it.
DRIVER = "SREXP_DRIVER"
_LOOK_SECONDS = 5.0
_SERVER_SECONDS = 10.0
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from srexp.system.child_process import begin; begin()"
)


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
    with interruptible():
        process = start(work, *arguments)
        try:
            process.wait()
        except BaseException:
            end(process)
            raise
        finally:
            hang_up(process)
    return process.returncode


def start(
    work: Callable[..., int],
    *arguments: object,
    output: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a function in a fresh Python process; it ends when this one does, and ignores Ctrl-C, which is passed on.

    Args:
        work: Function of a module; its return value is the exit code.
        *arguments: What can be pickled.
        output: Where the process writes to; None for where this one does.
        environment: Its environment; None for this one's.

    Returns:
        The process, to be given to `hang_up` when it has ended.
    """
    with _ctrl_c_ignored():
        process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
        )
    request = pickle.dumps((work, arguments))
    # The pipe stays open, and its end tells the other process that this one is gone.
    with suppress(BrokenPipeError):  # it died before it read; its exit code says so
        if process.stdin:
            process.stdin.write(request)
            process.stdin.flush()
    return process


def run_server(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Run a server until it ends or this process is asked to; none of the processes that it started stays.

    Args:
        command: Program and arguments.
        environment: Of the server.
        log: File for all that it says.

    Returns:
        The exit code.

    Raises:
        KeyboardInterrupt: This process was asked to end; the server has ended.
    """
    with interruptible(), log.open("wb") as said:
        server = subprocess.Popen(command, env=environment, start_new_session=True, stdout=said, stderr=said)
        try:
            return server.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    server.wait(_SERVER_SECONDS)
                os.killpg(server.pid, signal.SIGKILL)


def died(code: int) -> str:
    """Say how a process ended that left no word.

    Example:
        >>> died(-9), died(3)
        ('ended by SIGKILL', 'ended with exit code 3')
    """
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def hang_up(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe to a process."""
    with suppress(BrokenPipeError):
        if process.stdin:
            process.stdin.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it when it does not, or when the user asks a second time."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    except KeyboardInterrupt:
        process.kill()
        raise
    finally:
        process.wait()


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


def begin() -> None:
    """Do what another process asks for; `start` starts it."""
    outlive_reader()
    mask_tracebacks()
    work, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    try:
        with interruptible():
            code = work(*arguments)
    except KeyboardInterrupt:
        code = Interrupted.exit_code
    sys.exit(code)


def _end_with_the_other() -> None:
    """End in order when the process that waits is gone, or the driver behind it, which joblib's workers outlive."""
    driver = json.loads(os.environ.get(DRIVER, "{}"))
    while not process_is_gone(driver):
        if select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:  # nothing more is sent, so this is the end of the pipe
            break
    os.kill(os.getpid(), signal.SIGTERM)
