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


def test_a_worker_may_miss_five_signs_of_life() -> None:
    assert (heartbeat.HEARTBEAT_SECONDS, heartbeat.GRACE_SECONDS) == (20, 120)


def test_whatever_else_fails_ends_the_signs_and_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 60)
    before, heard = threading.active_count(), []
    with pytest.raises(KeyboardInterrupt), heartbeat.heartbeat(lambda: heard.append(1)):  # noqa: PT012 - the block
        assert threading.active_count() == before + 1
        raise KeyboardInterrupt
    assert (threading.active_count(), heard) == (before, [])
