"""The process in which `confinement` lets work be done: bounded, and gone with the process that started it.

It imports little by itself, for it is started often.
"""

from __future__ import annotations

import math
import os
import pickle
import resource
import select
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from srexp.errors import SrexpError

#: What goes before an answer: whether to use the process again, success, length of the words, number of arrays.
HEAD = struct.Struct("<??QI")
#: Bytes that go through the pipe at a time.
ANSWER_BYTES = 2**20

_USED_AGAIN_BELOW = 2**28  # what a process may have grown by after a call


def obey() -> NoReturn:
    """Do what another process asks for, until it is gone; `confinement` starts it."""
    answers = os.fdopen(os.dup(1), "wb", ANSWER_BYTES)
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
        head = HEAD.pack(again, succeeded, len(words), len(sizes)) + struct.pack(f"<{len(sizes)}Q", *sizes)
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
