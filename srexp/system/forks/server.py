"""What runs in the process that others are forked from."""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TypedDict

from srexp.system.stdio import no_native_stderr

#: For the server alone: Arrow's allocator starts a thread otherwise, which no fork outlives.
NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
#: Signals for the forked processes, not for the server: it ends with those who ask.
HELD_BACK = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
#: Bytes of a request: words and environment.
LONGEST = 2**17
#: Begins the line by which a forked process tells its number.
BECAME = "process"


class Request(TypedDict):
    """What a forked process takes on: all that a process is started with but for its streams.

    Args:
        words: What the target receives.
        environment: All of it.
        folder: Where it works.
        umask: For files that it makes.
        session: Whether it gets a session of its own.
        ignored: Signals among `HELD_BACK` that it ignores.
    """

    words: list[str]
    environment: dict[str, str]
    folder: str
    umask: int
    session: bool
    ignored: list[int]


def main() -> object:
    """Import, then fork at every request, until nobody can ask any more.

    Returns:
        In a forked process what the target gives, in the server None.
    """
    _, _, descriptor, target, *modules = sys.argv
    for number in HELD_BACK:
        signal.signal(number, signal.SIG_IGN)
    asked = socket.socket(fileno=int(descriptor))
    added = _imported([target.partition(":")[0], *modules])
    request = _serve(asked)
    if request is None:
        os._exit(0)  # at its end Python would look through all of TensorFlow once more, while somebody waits
    os.environ.clear()
    os.environ.update({**added, **request["environment"]})
    module, _, function = target.partition(":")
    return getattr(sys.modules[module], function)(request["words"])


def _imported(modules: Sequence[str]) -> dict[str, str]:
    """Import; give the variables that imports set for libraries which read them later.

    Raises:
        RuntimeError: That started a thread, which would be missing after a fork.
    """
    before = set(os.environ)
    gc.disable()
    with no_native_stderr():  # TensorFlow says things of its own there, which is the terminal of who asks
        for name in modules:
            importlib.import_module(name)
    if threading.active_count() > 1:
        raise RuntimeError(f"importing started threads: {threading.enumerate()}")
    gc.freeze()  # or the first search for garbage would copy every page
    gc.enable()
    return {name: value for name, value in os.environ.items() if name not in before}


def _serve(asked: socket.socket) -> Request | None:
    """Fork at every request and tell how the processes end; in a forked process give its request, else None."""
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ended, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())
    told: dict[int, int] = {}
    while True:
        ready = select.select([asked, ended], [], [])[0]
        if ended in ready:
            ended.recv(4096)
            _tell_ends(told)
        if asked in ready:
            message, streams, *_ = socket.recv_fds(asked, LONGEST, 4)
            if not message:
                return None
            if number := os.fork():
                told[number] = streams.pop()
                for stream in streams:
                    os.close(stream)
                continue
            for each in told.values():
                os.close(each)
            signal.set_wakeup_fd(-1)
            for inner in (asked, ended, wakes):
                inner.close()
            request: Request = json.loads(message)
            _become(request, streams)
            return request


def _tell_ends(told: dict[int, int]) -> None:
    for number in list(told):
        gone, status = os.waitpid(number, os.WNOHANG)
        if gone:
            writing = told.pop(number)
            with suppress(BrokenPipeError):  # who asked has ended
                os.write(writing, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(writing)


def _become(request: Request, streams: Sequence[int]) -> None:
    """Take on what a process is started with."""
    for number in HELD_BACK:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in request["ignored"] else default)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if request["session"]:
        os.setsid()
    *standard, told = streams
    for number, stream in enumerate(standard):
        os.dup2(stream, number)
    for stream in set(standard) - {0, 1, 2}:
        os.close(stream)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]  # noqa: TID251 - says nothing
    os.umask(request["umask"])
    os.chdir(request["folder"])
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # Python's own generator does so itself
    os.write(told, f"{BECAME} {os.getpid()}\n".encode())
    os.close(told)
