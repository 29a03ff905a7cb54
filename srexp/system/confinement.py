"""Work on what somebody else wrote, in a process of its own with bounds on memory and time, which is used again.

A file may cost far more than it looks, and a decoder of C can end its process. Here such work fails for itself: the
process is ended and another one started when the next file comes. It sees neither this process's environment nor its
memory, writes no file, and goes when this process does. What it answers is data: arrays and values of named types.

Where the system bounds no address space (macOS), time alone is bounded.
"""

from __future__ import annotations

import atexit
import fcntl
import io
import json
import math
import os
import pickle
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Generic, NoReturn, ParamSpec, TypeVar, cast

import numpy as np

from srexp.errors import RequestError, SrexpError
from srexp.system.child_process import died

#: Most memory that one call may take beyond what the process takes by itself, and longest time on the processor.
MEMORY_BYTES, SECONDS = 1400 * 2**20, 15.0

_LARGEST_WORDS = 2**26  # of an answer, besides its arrays
_USED_AGAIN_BELOW = 2**28  # what a process may have grown by after a call
_PATIENCE = 4  # times as long by the clock, for a machine that has other work
_START_SECONDS = 60.0  # where Python has to be fetched through a network
_ANSWER_BYTES = 2**20  # that go through the pipe at a time
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
_HEAD = struct.Struct("<??QI")  # whether to use it again, success, length of the words, number of arrays
_OVERDUE = "takes more than {:g} s to be read"
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from srexp.system.confinement import obey; obey()"
# What arrays consist of.
_ARRAYS = {
    ("numpy", "dtype"), ("numpy._core.numeric", "_frombuffer"), ("builtins", "range"),
}  # fmt: skip

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


class ExhaustedError(Exception):
    """A call met a bound, or ended its process; says which, as in `FILE takes more than 15 s`."""


def confined(
    returns: Sequence[type], function: Callable[_Given, _Answer], *arguments: _Given.args, **options: _Given.kwargs
) -> _Answer:
    """Call a function in a process of its own, which waits for the next call afterwards; threads get one each.

    Args:
        returns: Types that the answer consists of, besides plain values and arrays, and that may be raised.
        function: Function of a module that is imported fast.
        *arguments: What can be pickled.
        **options: The same.

    Returns:
        What the function returned.

    Raises:
        ExhaustedError: It met a bound, or ended its process.
        SrexpError: What the function raised.

    Example:
        >>> confined([], math.factorial, 5)
        120
        >>> confined([], os.abort)
        Traceback (most recent call last):
        srexp.system.confinement.ExhaustedError: breaks the process that reads it, which ended by SIGABRT
    """
    return Begun(returns, function, *arguments, **options)()


class Begun(Generic[_Given, _Answer]):
    """A call as `confined` makes it that has begun; calling this waits for its answer, once.

    Args:
        returns: As of `confined`.
        function: The same.
        *arguments: The same.
        **options: The same.
    """

    def __init__(
        self,
        returns: Sequence[type],
        function: Callable[_Given, _Answer],
        *arguments: _Given.args,
        **options: _Given.kwargs,
    ) -> None:
        request = pickle.dumps((MEMORY_BYTES, SECONDS, function, arguments, options))
        self._returns = returns
        try:
            self._worker = _idle.pop()
        except IndexError:
            self._worker = _Worker()
        try:
            self._worker.ask(request)
        except BaseException:
            self.drop()
            raise

    def __call__(self) -> _Answer:
        """Do what `confined` does, from here on."""
        try:
            again, succeeded, answer = self._worker.answer(self._returns)
        except BaseException:
            self.drop()
            raise
        if again:
            _idle.append(self._worker)
        else:
            self.drop()
        if not succeeded:
            raise answer or ExhaustedError(f"takes more than {MEMORY_BYTES // 2**20:,} MiB of memory to be read")
        return cast("_Answer", answer)

    def drop(self) -> None:
        """End the process instead of waiting for its answer."""
        self._worker.end()


def release() -> None:
    """End the processes that wait for a call."""
    while _idle:
        _idle.pop().end()


class _Worker:
    """A process that does what it is asked for."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, json.dumps(sys.path)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment | one_thread,
            process_group=0,  # a terminal's Ctrl-C isn't for it
        )
        self._started, self._heard = False, select.poll()
        self._heard.register(_pipe(self.process.stdout), select.POLLIN)
        _workers.add(self)
        with suppress(AttributeError, OSError):  # Linux, as far as its user has pipes of that size left
            fcntl.fcntl(_pipe(self.process.stdout), fcntl.F_SETPIPE_SZ, _ANSWER_BYTES)

    def ask(self, request: bytes) -> None:
        """Begin a call."""
        with suppress(BrokenPipeError):  # it is gone, as its end of the other pipe will say
            _pipe(self.process.stdin).write(request)

    def answer(self, returns: Sequence[type]) -> tuple[bool, bool, Any]:
        """Give whether the process can be used again, whether the call succeeded, and its answer or its error."""
        if not self._started:
            self._started = bool(self._receive(1, time.monotonic() + _START_SECONDS))
        overdue = time.monotonic() + _PATIENCE * SECONDS
        again, succeeded, length, arrays = _HEAD.unpack(self._receive(_HEAD.size, overdue))
        sizes = struct.unpack(f"<{arrays}Q", self._receive(8 * arrays, overdue))
        if length > _LARGEST_WORDS:
            raise ExhaustedError(f"says more than {_LARGEST_WORDS // 2**20} MiB besides its pixels")
        words = io.BytesIO(self._receive(length, overdue))
        buffers = [self._receive(size, overdue).toreadonly() for size in sizes]
        return again, succeeded, _Unpickler(words, returns, buffers).load()

    def _receive(self, size: int, overdue: float) -> memoryview:
        """Read so many bytes."""
        received = np.empty(size, np.uint8).data
        left, pipe = received, _pipe(self.process.stdout)
        while left:
            if not self._heard.poll(max(0.0, overdue - time.monotonic()) * 1000):
                raise ExhaustedError(_OVERDUE.format(SECONDS))
            if not (got := pipe.readinto(left)):
                raise ExhaustedError(self._end_of_it())
            left = left[got:]
        return received

    def _end_of_it(self) -> str:
        """Say how the process ended, whose pipe has ended."""
        code = self.process.wait()
        return (
            _OVERDUE.format(SECONDS)
            if code == -signal.SIGXCPU
            else f"breaks the process that reads it, which {died(code)}"
        )

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.leave()

    def leave(self) -> None:
        """Let go of the pipes."""
        _pipe(self.process.stdin).close()
        _pipe(self.process.stdout).close()
        _workers.discard(self)


class _Unpickler(pickle.Unpickler):
    """Makes values of named types: what a file took over answers like any other."""

    def __init__(self, words: IO[bytes], returns: Sequence[type], buffers: Sequence[memoryview]) -> None:
        super().__init__(words, buffers=buffers)
        self._known = {(each.__module__, each.__qualname__): each for each in (*returns, SrexpError, RequestError)}

    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) in _ARRAYS:
            return super().find_class(module, name)
        return self._known[module, name]


def _pipe(stream: IO[bytes] | None) -> io.FileIO:
    return cast("io.FileIO", stream)


_idle: list[_Worker] = []  # taken from and put back in one step each, which no thread and no signal divides
_workers: set[_Worker] = set()


def _forget() -> None:
    """Leave the processes to the process that this one was forked from."""
    for worker in list(_workers):
        worker.process.returncode = 0  # nothing is to be waited for
        worker.leave()
    _idle.clear()


os.register_at_fork(after_in_child=_forget)


@atexit.register
def _end_all() -> None:
    for worker in list(_workers):
        worker.end()


def obey() -> NoReturn:
    """Do what another process asks for, until it is gone; `_Worker` starts it."""
    answers = os.fdopen(os.dup(1), "wb", _ANSWER_BYTES)
    os.dup2(2, 1)  # libraries may print
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    answers.write(b"!")
    answers.flush()
    before: int | None = None
    while True:
        memory, seconds, function, arguments, options = pickle.load(sys.stdin.buffer)  # noqa: S301 - from who started this
        before = before or _private_bytes()
        _bound(before, memory, seconds)
        answer, succeeded, ran_out, arrays = None, True, False, list[pickle.PickleBuffer]()
        try:
            answer = function(*arguments, **options)
        except (SrexpError, MemoryError) as error:
            succeeded, ran_out = False, _is_memory_error(error)
            if not ran_out:
                answer = error.with_traceback(None)
                answer.__context__ = None
        words = pickle.dumps(answer, protocol=5, buffer_callback=arrays.append)
        sizes = [array.raw().nbytes for array in arrays]
        again = not ran_out and _private_bytes() - before - sum(sizes) < _USED_AGAIN_BELOW
        head = _HEAD.pack(again, succeeded, len(words), len(sizes)) + struct.pack(f"<{len(sizes)}Q", *sizes)
        answers.writelines([head, words, *arrays])
        answers.flush()


def _end_with_the_other() -> None:
    """End this process, also amid a call, when nobody is at the other end of its pipe any more."""
    waiting = select.poll()
    waiting.register(0, 0)
    waiting.poll()
    os._exit(0)


def _bound(before: int, memory: int, seconds: float) -> None:
    """Bound the memory, computing time and files of the next call."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), resource.RLIM_INFINITY))
    with suppress(ValueError, OSError):
        if before:
            resource.setrlimit(resource.RLIMIT_DATA, (before + memory, resource.RLIM_INFINITY))


def _private_bytes() -> int:
    """Give the memory that is this process's own; 0 where the system doesn't say."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    return 0


def _is_memory_error(error: BaseException | None) -> bool:
    """Whether memory ran out, whatever became of that on the way."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__context__
    return error is not None
