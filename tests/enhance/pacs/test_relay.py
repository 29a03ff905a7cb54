"""What waits is restored and sent on, whatever fails meanwhile."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from srexp.enhance.pacs.relay import Relay
from srexp.enhance.pacs.sending import AwayError, BrokenOffError, RefusedError
from srexp.enhance.pacs.spool import Spool


def restore(path: Path, target: Path) -> None:
    content = path.read_bytes()
    if content == b"no image":
        raise ValueError("Doe^Unmistakable can't be read")
    target.write_bytes(b"restored " + content)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", 10**6, "model") as taken:
        yield taken


def put(spool: Spool, *contents: bytes) -> None:
    for content in contents:
        path = spool.incoming / "fresh"
        path.write_bytes(content)
        spool.receive(path, content.decode())


class Destination:
    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.asked = 0
        self.failures: list[Exception] = []

    def send(self, path: Path) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        self.got.append(path.read_bytes())


def relayed(spool: Spool, destination: Destination, until: Callable[[], bool], *, seconds: float = 0.01) -> None:
    relay = Relay(spool, restore, destination.send, told=lambda error: type(error).__name__.lower(), seconds=seconds)
    relay.start()
    end = time.monotonic() + 100
    while not until():
        assert time.monotonic() < end, (destination.got, spool.waiting())
        time.sleep(0.01)
    relay.close()


def test_everything_arrives_in_order_and_goes(spool: Spool) -> None:
    destination = Destination()
    put(spool, b"one", b"two")
    relayed(spool, destination, lambda: len(destination.got) == 2 and not spool.size())
    assert destination.got == [b"restored one", b"restored two"]


def test_what_comes_while_it_works_is_sent_as_well(spool: Spool) -> None:
    destination = Destination()
    threading.Timer(0.3, lambda: put(spool, b"late")).start()
    relayed(spool, destination, lambda: destination.got == [b"restored late"])


def test_a_destination_that_is_away_is_said_once_and_gets_it_later(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    destination = Destination()
    destination.failures = [AwayError("it can't be reached") for _ in range(5)]
    put(spool, b"one", b"two")
    relayed(spool, destination, lambda: not spool.size())
    assert destination.got == [b"restored one", b"restored two"]
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == ["nothing is sent on, 2 images wait: awayerror", "the destination takes images again"]


def test_while_it_is_away_no_more_is_made_than_one(spool: Spool) -> None:
    destination = Destination()
    destination.failures = [AwayError("away") for _ in range(1000)]
    put(spool, b"one", b"two", b"three")
    relayed(spool, destination, lambda: destination.asked > 5)
    assert len(list((spool.folder / "restored").iterdir())) == 1
    assert len(spool.waiting()) == 3


def test_what_it_fails_over_does_not_keep_up_the_others(spool: Spool) -> None:
    destination = Destination()
    destination.failures = [BrokenOffError("breaks off")]
    put(spool, b"one", b"two")
    relayed(spool, destination, lambda: not spool.size())
    assert destination.got == [b"restored two", b"restored one"]


def test_what_is_refused_or_no_image_is_put_aside_and_said(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    destination = Destination()
    put(spool, b"no image", b"one", b"two")
    destination.failures = [RefusedError("not this one")]
    relayed(spool, destination, lambda: len(destination.got) == 1 and spool.failed() == 2)
    assert destination.got == [b"restored two"]
    assert "an image was put aside, 1 in all: valueerror" in caplog.text
    assert "an image was put aside, 2 in all: refusederror" in caplog.text
    assert "Unmistakable" not in caplog.text


def test_an_answer_that_nobody_foresaw_loses_nothing(spool: Spool) -> None:
    destination = Destination()
    destination.failures = [KeyError("surprise")]
    put(spool, b"one")
    relayed(spool, destination, lambda: not spool.size())
    assert destination.got == [b"restored one"]


def test_what_was_made_is_sent_and_not_made_again(spool: Spool) -> None:
    destination = Destination()
    put(spool, b"one")
    [key] = spool.waiting()
    made = spool.incoming / "made"
    made.write_bytes(b"made before")
    spool.keep(key, made)
    relayed(spool, destination, lambda: not spool.size())
    assert destination.got == [b"made before"]


def test_a_disk_that_is_full_ends_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    destination, keep, times = Destination(), spool.keep, [1, 2, 3]

    def full(key: str, made: Path) -> Path:
        if times:
            times.pop()
            raise OSError(28, "No space left on device")
        return keep(key, made)

    monkeypatch.setattr(spool, "keep", full)
    put(spool, b"one")
    relayed(spool, destination, lambda: not spool.size())
    assert destination.got == [b"restored one"]


def test_whatever_happens_it_goes_on(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    destination, waiting, surprises = Destination(), spool.waiting, [ValueError("surprise"), sqlite3.OperationalError()]

    def surprising() -> list[str]:
        if threading.current_thread() is not threading.main_thread() and surprises:
            raise surprises.pop()
        return waiting()

    monkeypatch.setattr(spool, "waiting", surprising)
    put(spool, b"one")
    relayed(spool, destination, lambda: not spool.size())
    assert (destination.got, surprises) == ([b"restored one"], [])


def test_one_that_the_disk_has_no_room_for_does_not_keep_up_the_others(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination, keep = Destination(), spool.keep

    def full(key: str, made: Path) -> Path:
        if made.read_bytes() == b"restored large":
            raise OSError(28, "No space left on device")
        return keep(key, made)

    monkeypatch.setattr(spool, "keep", full)
    put(spool, b"large", b"one", b"two")
    relayed(spool, destination, lambda: len(destination.got) == 2)
    assert destination.got == [b"restored one", b"restored two"]
    assert len(spool.waiting()) == 1


def test_one_that_there_was_no_memory_for_is_made_later_and_does_not_keep_up_the_others(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    destination, times = Destination(), [1, 2]

    def short_of_memory(path: Path, target: Path) -> None:
        if path.read_bytes() == b"large" and times:
            times.pop()
            raise MemoryError
        restore(path, target)

    put(spool, b"large", b"one")
    relay = Relay(spool, short_of_memory, destination.send, told=str, seconds=0.01)
    relay.start()
    end = time.monotonic() + 100
    while spool.size() and time.monotonic() < end:
        time.sleep(0.01)
    relay.close()
    assert destination.got == [b"restored one", b"restored large"]
    assert spool.failed() == 0
    assert "memory ran out" in caplog.text
