"""Processes that take turns: one works, all others wait. Needs nothing but Python, so any Python may have a part."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds of one call, of the processor and on the clock."""

    processor: float
    clock: float


class Worker:
    """A process that works when it is asked to.

    Args:
        command: Starts it; it calls `serve`.
        environment: What its environment has besides.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *request: str) -> Cost:
        """Let it prepare something, and take the first turn; without a request the next one."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return Cost(*json.loads(self.process.stdout.readline()))

    def end(self) -> None:
        """Let it end."""
        self.process.communicate()


def serve(prepared: Callable[..., Callable[[], object]], seconds: float) -> None:
    """Prepare and work, in a process of its own, for as long as something is asked.

    Args:
        prepared: Takes a request, and gives what a turn calls.
        seconds: How long a turn calls it, at least once.
    """
    call: Callable[[], object] = lambda: None  # noqa: E731
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what libraries print isn't taken for an answer
        for line in sys.stdin:
            if request := json.loads(line):
                call = prepared(*request)
            answers.write(json.dumps(timed(call, seconds)) + "\n")
            answers.flush()


def timed(call: Callable[[], object], seconds: float) -> Cost:
    """Call for so long; give what one call took."""
    start, worked, calls = time.perf_counter(), time.process_time(), 0
    while not calls or time.perf_counter() - start < seconds:
        call()
        calls += 1
    return Cost((time.process_time() - worked) / calls, (time.perf_counter() - start) / calls)
