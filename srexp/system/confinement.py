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
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from typing import IO, Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from srexp.errors import RequestError, SrexpError
from srexp.system.child_process import died
from srexp.system.confined_process import ANSWER_BYTES, HEAD

#: Most memory that one call may take beyond what the process takes by itself, and longest time on the processor.
MEMORY_BYTES, SECONDS = 1400 * 2**20, 15.0

_LARGEST_WORDS = 2**26  # of an answer, besides its arrays
_PATIENCE = 4  # times as long by the clock, for a machine that has other work
_LAST = 19  # of priorities
_START_SECONDS = 60.0  # where Python has to be fetched through a network
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
_OVERDUE = "takes more than {:g} s to be read"
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from srexp.system.confined_process import obey; obey()"
)
# What arrays consist of.
_ARRAYS = {
    ("numpy", "dtype"), ("numpy._core.numeric", "_frombuffer"), ("builtins", "range"),
}  # fmt: skip

_hurry: ContextVar[float | None] = ContextVar("_hurry", default=None)
_most: ContextVar[float | None] = ContextVar("_most", default=None)
_background: ContextVar[bool] = ContextVar("_background", default=False)
_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")
_Value = TypeVar("_Value")


class ExhaustedError(Exception):
    """A call met a bound, or ended its process; says which, as in `FILE takes more than 15 s`."""


class HurriedError(Exception):
    """A call that was `hurried` met a bound, which says nothing of how it would end with all the time there is."""


def hurried(seconds: float) -> AbstractContextManager[None]:
    """Give calls of this thread less time.

    Args:
        seconds: On the processor, where whole seconds are as fine as it goes; by the clock four times as long.

    Raises:
        HurriedError: In place of `ExhaustedError`.
    """
    return _set(_hurry, seconds)


def at_most(seconds: float) -> AbstractContextManager[None]:
    """Bound calls of this thread further, whose sound files answer at once.

    Args:
        seconds: On the processor; by the clock they have all the time there is, for a machine that is slow to begin.
    """
    return _set(_most, seconds)


def in_background() -> AbstractContextManager[None]:
    """Let calls of this thread have the processor where nobody else wants it."""
    return _set(_background, True)


@contextmanager
def _set(variable: ContextVar[_Value], value: _Value) -> Iterator[None]:
    before = variable.set(value)
    try:
        yield
    finally:
        variable.reset(before)


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
        >>> import math
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
        hurry, background = _hurry.get(), _background.get()
        most = min(SECONDS, _most.get() or SECONDS)
        self._returns, self._hurried = returns, hurry is not None and hurry < most
        self._seconds, self._patience = min(hurry or most, most), _PATIENCE * (hurry or SECONDS)
        request = pickle.dumps((MEMORY_BYTES, self._seconds, function, arguments, options))
        try:
            self._worker = _idle[background].pop()
        except IndexError:
            self._worker = _Worker(background=background)
        try:
            self._worker.ask(request)
        except BaseException:
            self.drop()
            raise

    def __call__(self) -> _Answer:
        """Do what `confined` does, from here on."""
        try:
            again, succeeded, answer = self._worker.answer(self._returns, self._seconds, self._patience)
        except BaseException as error:
            self.drop()
            if self._hurried and isinstance(error, ExhaustedError):
                raise HurriedError from error
            raise
        if again:
            _idle[self._worker.background].append(self._worker)
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
    for idle in _idle.values():
        while idle:
            idle.pop().end()


class _Worker:
    """A process that does what it is asked for."""

    def __init__(self, *, background: bool) -> None:
        self.background = background
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
        if background:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.process.pid, _LAST)
        self._started, self._heard, self._overdue = False, select.poll(), ""
        self._heard.register(_pipe(self.process.stdout), select.POLLIN)
        _workers.add(self)
        with suppress(AttributeError, OSError):  # Linux, as far as its user has pipes of that size left
            fcntl.fcntl(_pipe(self.process.stdout), fcntl.F_SETPIPE_SZ, ANSWER_BYTES)

    def ask(self, request: bytes) -> None:
        """Begin a call."""
        with suppress(BrokenPipeError):  # it is gone, as its end of the other pipe will say
            _pipe(self.process.stdin).write(request)

    def answer(self, returns: Sequence[type], seconds: float, patience: float) -> tuple[bool, bool, Any]:
        """Give whether the process can be used again, whether the call succeeded, and its answer or its error."""
        self._overdue = _OVERDUE.format(seconds)
        if not self._started:
            self._started = bool(self._receive(1, time.monotonic() + _START_SECONDS))
        overdue = time.monotonic() + patience
        again, succeeded, length, arrays = HEAD.unpack(self._receive(HEAD.size, overdue))
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
                raise ExhaustedError(self._overdue)
            if not (got := pipe.readinto(left)):
                raise ExhaustedError(self._end_of_it())
            left = left[got:]
        return received

    def _end_of_it(self) -> str:
        """Say how the process ended, whose pipe has ended."""
        code = self.process.wait()
        return self._overdue if code == -signal.SIGXCPU else f"breaks the process that reads it, which {died(code)}"

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


_idle: dict[bool, list[_Worker]] = {
    False: [],
    True: [],
}  # by whether in the background; taken from and put back in one step each, which no thread and no signal divides
_workers: set[_Worker] = set()


def _forget() -> None:
    """Leave the processes to the process that this one was forked from."""
    for worker in list(_workers):
        worker.process.returncode = 0  # nothing is to be waited for
        worker.leave()
    for idle in _idle.values():
        idle.clear()


os.register_at_fork(after_in_child=_forget)


@atexit.register
def _end_all() -> None:
    for worker in list(_workers):
        worker.end()
