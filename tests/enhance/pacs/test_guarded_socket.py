"""What a connection may take, whatever its units are cut into."""

from __future__ import annotations

import socket
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.enhance.pacs.guarded_socket import LARGEST_UNIT, Allowance, GuardedSocket


def pair(**changes: float) -> tuple[GuardedSocket, socket.socket]:
    described = {"message_bytes": 10**6, "message_seconds": 10.0, "idle_seconds": 5.0, **changes}
    ours, theirs = socket.socketpair()
    return GuardedSocket(ours, Allowance(**described)), theirs  # type: ignore[arg-type]


def unit(size: int) -> bytes:
    return struct.pack(">BxL", 4, size) + b"x" * size


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=8), st.integers(1, 400))
def test_units_pass_as_they_are(sizes: list[int], at_a_time: int) -> None:
    ours, theirs = pair()
    sent = b"".join(map(unit, sizes))
    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        received = b""
        while data := ours.recv(at_a_time):
            received += data
    assert received == sent


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 300), max_size=4), st.integers(1, 400))
def test_a_unit_that_claims_too_much_ends_it_wherever_it_comes(sizes: list[int], at_a_time: int) -> None:
    ours, theirs = pair()
    with ours, theirs:
        theirs.sendall(b"".join(map(unit, sizes)) + struct.pack(">BxL", 4, LARGEST_UNIT + 1))
        with pytest.raises(OSError, match="a unit is too long"):
            [ours.recv(at_a_time) for _ in range(10_000)]


def test_a_message_is_bounded_and_the_next_one_may_be_as_long() -> None:
    ours, theirs = pair(message_bytes=1000)
    with ours, theirs:
        for _ in range(3):
            theirs.sendall(unit(900))
            assert len(ours.recv(906)) == 906
            ours.begin_message()
        theirs.sendall(unit(2000))
        with pytest.raises(OSError, match="a message is too long"):
            ours.recv(2006)


def test_drops_end_and_silence_ends() -> None:
    ours, theirs = pair(message_seconds=1.0, idle_seconds=0.3)
    with ours, theirs:
        theirs.sendall(b"x")
        ours.recv(1)
        time.sleep(1.05)
        theirs.sendall(b"x")
        with pytest.raises(OSError, match="takes too long"):
            ours.recv(1)
        with pytest.raises(TimeoutError):
            ours.recv(1)
