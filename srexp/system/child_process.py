"""A process of its own for each job of a multirun and each worker of a search: what TensorFlow keeps goes with it.

Within `offered` they are forked from one that has TensorFlow imported, so that only the first waits for that. Not
through `multiprocessing`, which fails within a worker of joblib.
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
from typing import IO, Any

from srexp.system.forks import forked
from srexp.system.process_identity import process_is_gone
from srexp.system.signals import Interrupted, ctrl_c_ignored, interruptible, leave
from srexp.system.stdio import mask_tracebacks, outlive_reader

#: How long a job may take to end its run in order after it was asked to.
END_SECONDS = 60.0
#: Tells the jobs of a multirun, perhaps in other processes or on other machines, which process drives it.
DRIVER = "SREXP_DRIVER"
#: What jobs import that takes long. Not the runtimes of other makers: to import those starts threads.
_LIBRARIES = ("keras", "matplotlib.pyplot", "mlflow.keras", "tensorflow")
_TARGET = f"{__name__}:begin"
_LOOK_SECONDS = 5.0
_SERVER_SECONDS = 10.0
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from srexp.system.child_process import begin; begin()"
)


def run_alone(work: Callable[..., int], *arguments: object, environment: Mapping[str, str] | None = None) -> int:
    """Run a function in a Python process of its own and wait for it.

    Whoever interrupts this process interrupts the other one, whose run ends KILLED; should this process be killed, the
    other one notices and ends too.

    Args:
        work: Function of a module; its return value is the exit code.
        *arguments: What can be pickled.
        environment: Of the process; None for this one's.

    Returns:
        The exit code; a negative signal number when a signal ended the process.

    Raises:
        KeyboardInterrupt: This process was asked to end; the other one has ended.
    """
    with interruptible():
        process = start(work, *arguments, environment=environment)
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
    """Start a function in a Python process of its own; it ends when this one does, and gets Ctrl-C from this one.

    Args:
        work: Function of a module; its return value is the exit code.
        *arguments: What can be pickled.
        output: Where the process writes to; None for where this one does.
        environment: Its environment; None for this one's.

    Returns:
        The process, to be given to `hang_up` when it has ended.
    """
    streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": output, "stderr": output}
    process = _started(dict(os.environ if environment is None else environment), streams)
    request = pickle.dumps((work, arguments))
    # The pipe stays open, and its end tells the other process that this one is gone.
    with suppress(BrokenPipeError):  # it died before it read; its exit code says so
        if process.stdin:
            process.stdin.write(request)
            process.stdin.flush()
    return process


@contextmanager
def offered(*modules: str) -> Iterator[None]:
    """Let processes started meanwhile be forked from one that has imported what they need, where the system allows it.

    Args:
        *modules: Of srexp, beside the libraries that take long.
    """
    with forked.offered(_TARGET, [*modules, *_LIBRARIES]):
        yield


def _started(environment: Mapping[str, str], streams: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _START, json.dumps(sys.path)]
    if server := forked.server_for(_TARGET, environment):
        with suppress(forked.ServerGoneError):
            return forked.Forked(command, server=server, ignoring=[signal.SIGINT], env=environment, **streams)
    with ctrl_c_ignored():
        return subprocess.Popen(command, env=environment, **streams)


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


def begin(_words: Sequence[str] = ()) -> None:
    """Do what another process asks for; `start` starts it."""
    outlive_reader()
    mask_tracebacks()
    try:
        work, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    except EOFError:  # that one was interrupted before it said what to do
        leave(Interrupted.exit_code)
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    try:
        with interruptible():
            code = work(*arguments)
    except KeyboardInterrupt:
        code = Interrupted.exit_code
    leave(code)


def _end_with_the_other() -> None:
    """End in order when the process that waits is gone, or the driver behind it, which joblib's workers outlive."""
    driver = json.loads(os.environ.get(DRIVER, "{}"))
    while not process_is_gone(driver):
        if select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:  # nothing more is sent, so this is the end of the pipe
            break
    os.kill(os.getpid(), signal.SIGTERM)
