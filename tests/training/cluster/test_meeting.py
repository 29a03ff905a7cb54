"""Processes go on when each has greeted every other one, and say who is missing."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from srexp.errors import SrexpError
from srexp.training.cluster.environment import Place
from srexp.training.cluster.meeting import meet


def places(number: int) -> list[Place]:
    sockets = [socket.create_server(("", 0)) for _ in range(number)]
    addresses = tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    for each in sockets:
        each.close()
    return [Place(addresses, index) for index in range(number)]


def test_all_go_on_and_their_ports_are_free() -> None:
    together = places(3)
    with ThreadPoolExecutor(3) as pool:
        assert [*pool.map(lambda place: meet(place, seconds=30), together)] == [None] * 3
    for place in together:
        socket.create_server(("", int(place.addresses[place.index].rpartition(":")[2]))).close()


def test_who_does_not_come_is_named() -> None:
    first, second, third = places(3)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(meet, place, seconds=1.5) for place in (first, third)]
        failures = [each.exception() for each in waiting]
    for failure in failures:
        assert isinstance(failure, SrexpError)
        assert second.addresses[1] in failure.got
        assert not {first.addresses[0], third.addresses[2]} & {*failure.got.replace(",", "").split()}


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe", b"srexp multi_worker x\n"])
def test_a_stranger_is_no_process_of_the_training(said: bytes) -> None:
    first, _ = places(2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(meet, first, seconds=2)
        while True:
            try:
                with socket.create_connection(("127.0.0.1", int(first.addresses[0].rpartition(":")[2]))) as stranger:
                    stranger.sendall(said)
                break
            except ConnectionRefusedError:
                continue
        with pytest.raises(SrexpError, match="don't come"):
            waiting.result()


def test_a_port_that_is_taken_is_refused() -> None:
    first, _ = places(2)
    with (
        socket.create_server(("", int(first.addresses[0].rpartition(":")[2]))),
        pytest.raises(SrexpError, match="can't take its place") as refusal,
    ):
        meet(first, seconds=1)
    assert first.addresses[0].rpartition(":")[2] in refusal.value.got
