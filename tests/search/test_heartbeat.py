"""Signs of life go on while the work does, and end with it."""

from __future__ import annotations

import threading

import pytest

from srexp.errors import SrexpError
from srexp.search import heartbeat


def test_one_that_fails_is_said_and_the_next_ones_follow_until_the_work_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.001)
    heard, threads = threading.Semaphore(0), set()

    def beat() -> None:
        threads.add(threading.current_thread())
        heard.release()
        raise SrexpError("nobody answers")

    with heartbeat.heartbeat(beat):
        assert all(heard.acquire(timeout=60) for _ in range(3))
    assert "no heartbeat: nobody answers" in caplog.text
    (thread,) = threads
    assert (thread.name, thread.daemon, thread.is_alive()) == ("heartbeat", True, False)
