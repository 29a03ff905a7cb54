"""Commands started from a process that has their imports behind it: a fork in place of the seconds TensorFlow takes.

`Command` is a `subprocess.Popen` of `python -m srexp WORDS` whose process is forked by a server that has imported what
commands import, and has done nothing with it. From there on nothing tells the process from one that was started anew:
it has its own number, standard streams, environment, folder and signals, and ends as any Python does. What a command
starts itself is started anew, as ever.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

CHECKOUT = Path(__file__).parents[1]
#: What commands import late. Not the runtimes of other makers: to import those starts threads, which no fork outlives.
IMPORTED = (  # after srexp's own modules, which set variables that some of these read
    "hydra._internal.hydra", "keras", "keras_tuner", "matplotlib.pyplot", "mlflow.keras", "mlflow.pyfunc", "optuna",
    "plotly.graph_objects", "pyarrow.parquet", "skimage.metrics", "tensorflow", "uvicorn",
)  # fmt: skip
#: Variables that are read when something is done; another value of any other variable has to be there at the start.
READ_LATE = {
    "COLUMNS", "HYDRA_FULL_ERROR", "KERAS_HOME", "LINES", "MLFLOW_TRACKING_URI", "NO_COLOR", "PYTEST_CURRENT_TEST",
    "SREXP_ROOT", "SREXP_SECRETS", "TERM",
}  # fmt: skip
#: For the server alone: Arrow's allocator starts a thread otherwise.
_NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
_LONGEST = 2**17  # bytes of a request: words and environment


class Command(subprocess.Popen):
    """`python -m srexp` with words, forked.

    Args:
        words: Verb and overrides.
        env: Environment; where it differs from the server's in what is read at the start, the command starts anew.
        cold: Start anew in any case.
        **options: Those of `subprocess.Popen`.
    """

    def __init__(self, words: Sequence[str], *, env: Mapping[str, str], cold: bool = False, **options: Any) -> None:
        env = {**env, "PYTHONPATH": str(CHECKOUT)}
        self._server = None if cold else Server.for_environment(env)
        self.warm = self._server is not None
        super().__init__([sys.executable, "-m", "srexp", *words], env=env, **options)

    def _execute_child(self, *given: Any) -> None:
        if not self._server:
            super()._execute_child(*given)
            return
        asked = inspect.signature(super()._execute_child).bind(*given).arguments
        streams = [max(asked[name], own) for own, name in enumerate(("p2cread", "c2pwrite", "errwrite"))]
        reading, telling = os.pipe()
        self._told = os.fdopen(reading)
        request = {
            "words": asked["args"][3:],
            "env": asked["env"],
            "cwd": str(asked["cwd"] or Path.cwd()),
            "session": asked["start_new_session"],
        }
        try:
            self._server.ask(request, [*streams, telling])
        finally:
            os.close(telling)
            ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            self._close_pipe_fds(*(asked[end] for end in ends))
        self.pid = int(self._told.readline())
        self._child_created = True

    def _internal_poll(self, *given: Any, **options: Any) -> int | None:
        if not self._server:
            return super()._internal_poll(*given, **options)
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._end()
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if not self._server:
            return super()._wait(timeout)
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self._end()
        return self.returncode

    def _end(self) -> None:
        self.returncode = int(self._told.readline())
        self._told.close()


class Server:
    """The process that commands are forked from; there is one for each process that runs tests."""

    _environment: ClassVar[dict[str, str]] = {}
    _one: ClassVar[Server | None] = None

    def __init__(self) -> None:
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                env={**self._environment, **_NO_THREADS}, cwd=CHECKOUT, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip

    @classmethod
    @contextmanager
    def offered(cls) -> Iterator[None]:
        """Let commands with this process's present environment be forked; the first one starts the server."""
        cls._environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        try:
            yield
        finally:
            cls._environment = {}
            if cls._one is not None:
                cls._one._asking.close()
                cls._one.process.wait(timeout=60)
                cls._one = None

    @classmethod
    def for_environment(cls, env: Mapping[str, str]) -> Server | None:
        """Give the server for a command with this environment; None where it has to start anew."""
        if _read_early(env) != _read_early(cls._environment):
            return None
        if cls._one is None:
            cls._one = cls()
        return cls._one

    def ask(self, request: Mapping[str, Any], streams: Sequence[int]) -> None:
        """Have a command forked.

        Args:
            request: `words`, `env`, `cwd`, and `session`: whether it gets a session of its own.
            streams: Its standard input, output and error, and where its number and its exit code are told, a line each.
        """
        socket.send_fds(self._asking, [json.dumps(request).encode()], streams)


def _read_early(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in READ_LATE}


# What runs in the server


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Fork at every request and tell how the processes end, until nobody can ask any more.

    Returns:
        In a forked process its request, in the server nothing.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the commands
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
            message, streams, *_ = socket.recv_fds(asked, _LONGEST, 4)
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
            return _become(json.loads(message), streams)


def _tell_ends(told: dict[int, int]) -> None:
    for number in list(told):
        gone, status = os.waitpid(number, os.WNOHANG)
        if gone:
            writing = told.pop(number)
            with suppress(BrokenPipeError):  # the test that asked has ended
                os.write(writing, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(writing)


def _become(request: dict[str, Any], streams: list[int]) -> dict[str, Any]:
    """Take on what a process is started with."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if request["session"]:
        os.setsid()
    *standard, told = streams
    for number, stream in enumerate(standard):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))
    os.chdir(request["cwd"])
    sys.path[0] = request["cwd"]
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # Python's own generator does so itself
    os.write(told, f"{os.getpid()}\n".encode())
    os.close(told)
    return request


def _prepare() -> dict[str, str]:
    """Import what commands import.

    Returns:
        Variables that imports set for libraries which read them later.

    Raises:
        RuntimeError: That started a thread, which would be missing after a fork.
    """
    before = set(os.environ)
    gc.disable()
    for module in pkgutil.walk_packages([str(CHECKOUT / "srexp")], "srexp."):
        if module.name != "srexp.__main__":
            importlib.import_module(module.name)
    for name in IMPORTED:
        importlib.import_module(name)
    if threading.active_count() > 1:
        raise RuntimeError(f"importing started threads: {threading.enumerate()}")
    gc.freeze()
    gc.enable()
    return {name: value for name, value in os.environ.items() if name not in before}


if __name__ == "__main__":
    added = _prepare()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        request = _serve(requests)
    if request:
        os.environ.clear()
        os.environ.update({**added, **request["env"]})
        sys.argv = ["srexp", *request["words"]]
        runpy.run_module("srexp", run_name="__main__", alter_sys=True)
