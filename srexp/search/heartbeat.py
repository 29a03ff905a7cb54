"""Signs of life of a worker that other machines can't look at."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from srexp.errors import SrexpError

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 20
#: A worker that was not heard of for so long is taken for dead.
GRACE_SECONDS = 120


@contextmanager
def heartbeat(beat: Callable[[], object]) -> Iterator[None]:
    """Give a sign of life every `HEARTBEAT_SECONDS`, from another thread, until the block ends.

    Args:
        beat: Gives one; if it can't for now, with an `SrexpError`, that is logged, and the next one may arrive.
    """
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                beat()
            except SrexpError as error:
                log.warning("no heartbeat: %s", error)

    thread = threading.Thread(target=work, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
