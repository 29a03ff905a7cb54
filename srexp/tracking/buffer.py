"""Metrics on their way to the store: taken at once, sent in batches from a thread of their own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

log = logging.getLogger(__name__)

MAX_BATCH = 1000


class Point(NamedTuple):
    """One value of a metric.

    Args:
        name: Metric name.
        value: The value; NaN is allowed.
        milliseconds: When it was measured, since the epoch.
        step: Epoch, or whatever the metric is counted in.
    """

    name: str
    value: float
    milliseconds: int
    step: int


class MetricBuffer:
    """Takes metrics without waiting for the store.

    A store may answer in milliseconds or in minutes; training goes on meanwhile. Points that could not be sent are
    kept, in order, and tried again.

    Args:
        send: Writes up to 1000 points to the store.
        seconds: Longest time that a point waits.
        retry_on: Exceptions of `send` after which the points are kept for another try.

    Example:
        >>> sent = []
        >>> buffer = MetricBuffer(sent.extend, seconds=60.0)
        >>> buffer.add({"loss": 0.5}, step=1, milliseconds=1000)
        >>> buffer.close()
        0
        >>> sent
        [Point(name='loss', value=0.5, milliseconds=1000, step=1)]
    """

    def __init__(
        self,
        send: Callable[[Sequence[Point]], None],
        *,
        seconds: float,
        retry_on: tuple[type[Exception], ...] = (OSError,),
    ) -> None:
        self._send, self._seconds, self._retry_on = send, seconds, retry_on
        self._waiting: deque[Point] = deque()
        self._sending = threading.Lock()
        self._closed = threading.Event()
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="srexp metrics", daemon=True)
        self._thread.start()

    def add(self, values: Mapping[str, float], *, step: int, milliseconds: int | None = None) -> None:
        """Take metrics of one step.

        Args:
            values: Name to value.
            step: What the metrics are counted in.
            milliseconds: When they were measured, since the epoch; None for now.
        """
        now = int(time.time() * 1000) if milliseconds is None else milliseconds
        self._waiting.extend(Point(name, float(value), now, step) for name, value in values.items())

    def flush(self) -> int:
        """Send what waits.

        Returns:
            The number of points that still wait, because the store didn't take them.
        """
        with self._sending:
            while self._waiting:
                batch = [self._waiting[index] for index in range(min(MAX_BATCH, len(self._waiting)))]
                try:
                    self._send(batch)
                except self._retry_on as error:
                    self._warn(error)
                    break
                for _ in batch:
                    self._waiting.popleft()
        return len(self._waiting)

    def close(self) -> int:
        """Stop the thread and send the rest.

        Returns:
            The number of points that were lost.
        """
        self._closed.set()
        self._thread.join()
        return self.flush()

    def _work(self) -> None:
        while not self._closed.wait(self._seconds):
            self.flush()

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            log.warning("metrics wait, the tracking store doesn't take them: %s", str(error).strip().splitlines()[0])
        self._warned = True
