"""A process that is forked by a warm one, for who would start it anew otherwise: a `subprocess.Popen` like any other.

The warm process, the server, has imported what takes seconds and has done nothing with it: no operation, no thread.
From there on nothing tells a forked process from one that was started anew: it has its own number, standard streams,
environment, folder, umask and signals, belongs to the process group of who asked, and ends as any Python does.
"""

from __future__ import annotations

import inspect
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from srexp.system.forks.server import BECAME, HELD_BACK, LONGEST, NO_THREADS, Request
from srexp.system.signals import ctrl_c_ignored

#: Variables that are read when something is done; any other one has to be there when libraries are imported.
READ_LATE = frozenset({
    "COLUMNS", "HYDRA_FULL_ERROR", "KERAS_HOME", "LINES", "MLFLOW_TRACKING_URI", "NO_COLOR", "PYTEST_CURRENT_TEST",
    "SREXP_DRIVER", "SREXP_ROOT", "SREXP_SECRETS", "TERM", "TF_CONFIG",
})  # fmt: skip
#: Files by which a machine has a GPU: NVIDIA's, AMD's, and that of Windows under WSL.
_DEVICES = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")))
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from srexp.system.forks.server import main; sys.exit(main())"
)


@dataclass
class _Scope:
    """Where forks are offered: how the server begins, and the one that did."""

    begin: Callable[[Mapping[str, str]], Server]
    server: Server | None


#: By target, the present one last; None where this system lets nothing be forked.
_scopes: dict[str, list[_Scope | None]] = {}


class ServerGoneError(Exception):
    """Nothing was forked: the server has ended, the request is too long for it, or the folder can't be entered."""


class Server:
    """A process that others are forked from; it ends when nobody can ask it any more.

    Args:
        target: What a forked process does, `module:function`; it receives the words of the request.
        modules: What is imported beforehand, in this order.
        environment: What a process's environment has to equal, but for `READ_LATE`.
    """

    def __init__(self, target: str, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self._target, self._modules, self._environment = target, modules, environment
        self._process: subprocess.Popen[bytes] | None = None

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with this environment can be forked."""
        return _read_early(self._environment) == _read_early(environment)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server itself, which starts when it is first asked for."""
        if self._process is None:
            self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            path, descriptor = json.dumps(sys.path), theirs.fileno()
            with theirs, ctrl_c_ignored():
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _START, path, str(descriptor), self._target, *self._modules],
                    env={**self._environment, **NO_THREADS},
                    pass_fds=[descriptor],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
        return self._process

    def fork(self, request: Request, streams: Sequence[int]) -> tuple[int, IO[str]]:
        """Have a process forked.

        Args:
            request: What it takes on.
            streams: Its standard input, output and error.

        Returns:
            Its number, and where its exit code will be told in a line.

        Raises:
            ServerGoneError: There is nobody to fork it.
        """
        with ExitStack() as stack:
            reading, telling = os.pipe()
            told = stack.enter_context(os.fdopen(reading))
            try:
                self._ask(json.dumps(request).encode(), [*streams, telling])
            finally:
                os.close(telling)
            number = self._number(told)
            stack.pop_all()
        return number, told

    def _ask(self, message: bytes, streams: Sequence[int]) -> None:
        if self.process.poll() is not None or len(message) > LONGEST:
            raise ServerGoneError
        try:
            socket.send_fds(self._asking, [message], streams)
        except OSError as error:
            raise ServerGoneError from error

    @staticmethod
    def _number(told: IO[str]) -> int:
        what, _, number = told.readline().partition(" ")
        if what != BECAME:
            raise ServerGoneError
        return int(number)

    def close(self) -> None:
        """Ask for nothing more; processes that were forked go on."""
        if self._process is not None:
            self._asking.close()
            self._process.kill()  # it has nothing to lose, and may be importing still
            self._process.wait()


class Forked(subprocess.Popen[Any]):
    """A process that a server forks.

    Args:
        command: What starts such a process anew.
        server: Who forks it; None to start it anew.
        words: What the server's target receives.
        ignoring: Signals that it ignores, beside those that this process ignores.
        **options: Those of `subprocess.Popen`: streams, `text`, `env`, `cwd`, `start_new_session`.

    Raises:
        ServerGoneError: Nothing was forked.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        server: Server | None,
        words: Sequence[str] = (),
        ignoring: Sequence[int] = (),
        **options: Any,
    ) -> None:
        self._server, self._words, self._ignoring = server, words, ignoring
        super().__init__(command, **options)

    def _execute_child(self, *given: Any) -> None:
        if not self._server:
            super()._execute_child(*given)  # type: ignore[misc]
            return
        asked = inspect.signature(super()._execute_child).bind(*given).arguments  # type: ignore[misc]
        streams = [max(asked[name], own) for own, name in enumerate(("p2cread", "c2pwrite", "errwrite"))]
        environment = os.environ if asked["env"] is None else asked["env"]
        request: Request = {
            "words": list(self._words),
            "environment": dict(environment),
            "folder": os.fspath(asked["cwd"] or Path.cwd()),
            "umask": _umask(),
            "session": asked["start_new_session"],
            "ignored": [*self._ignoring, *(each for each in HELD_BACK if signal.getsignal(each) is signal.SIG_IGN)],
        }
        self.pid, self._told = self._server.fork(request, streams)
        ended = None
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:  # it has ended, its server has seen it, and its exit code is on its way
            handle = ended = os.open(os.devnull, os.O_RDONLY)
        self._handle = os.fdopen(handle, "rb", buffering=0)
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[end] for end in ends))  # type: ignore[attr-defined]
        if ended is not None:
            self._ended(None)

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless the process has ended."""
        if not self._server:
            super().send_signal(sig)
        elif self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle.fileno(), sig)

    def _internal_poll(self, *given: Any, **options: Any) -> int | None:
        if not self._server:
            return super()._internal_poll(*given, **options)  # type: ignore[misc,no-any-return]
        return self._ended(0)

    def _wait(self, timeout: float | None) -> int:
        if not self._server:
            return super()._wait(timeout)  # type: ignore[misc,no-any-return]
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        """Wait for the exit code; where the server was killed, and nobody knows it, for the process's end."""
        if self.returncode is None and _readable(self._told, timeout):
            if told := self._told.readline():
                self.returncode = int(told)
            elif _readable(self._handle, timeout):
                self.returncode = -signal.SIGKILL
            if self.returncode is not None:
                self._told.close()
                self._handle.close()
        return self.returncode


@contextmanager
def offered(target: str, modules: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Let processes of this target be forked meanwhile, where that is safe; the first one starts the server.

    Args:
        target: What a forked process does, `module:function`.
        modules: What is imported beforehand.
        environment: What theirs has to equal in all that is read early; None for that of the first.
    """
    begin = partial(Server, target, modules)
    scope = _Scope(begin, None if environment is None else begin(environment)) if _safe() else None
    _scopes.setdefault(target, []).append(scope)
    try:
        yield
    finally:
        _scopes[target].remove(scope)
        if scope and scope.server:
            scope.server.close()


def server_for(target: str, environment: Mapping[str, str]) -> Server | None:
    """Give the server for a process; None where it has to start anew.

    Args:
        target: What it does.
        environment: All that the process gets.
    """
    *_, scope = [None, *_scopes.get(target, [])]
    if scope is None:
        return None
    scope.server = scope.server or scope.begin(environment)
    return scope.server if scope.server.fits(environment) else None


def _safe() -> bool:
    """Whether this system lets a process be forked once TensorFlow is imported, and no GPU's library comes with it."""
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "all") not in ("", "-1") and any(map(Path.exists, _DEVICES))
    if gpu or sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # an older kernel, or a sandbox
        return False
    return True


def _read_early(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in READ_LATE}


def _umask() -> int:
    """Read the umask without a moment in which it is another one, which threads would see."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["Umask"], 8)


def _readable(what: Any, timeout: float | None) -> bool:
    return bool(select.select([what], [], [], timeout)[0])
