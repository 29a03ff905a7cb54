"""Connections that are kept open for nothing."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from unittest.mock import Mock

import pytest

from srexp.enhance.serving.connections import Limits, server
from tests.enhance.serving.served import LIMITS, ask, backwards, drip, eventually, head, serving, talk, told, within

SHORT = {"head_seconds": 0.5}
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def closed(client):
    """Whether the server has closed a connection on which it has nothing to say."""
    client.settimeout(0.01)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("said", [b"", b"P", b"POST /restore HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_a_head_that_does_not_come_is_given_up(said):
    with serving(**SHORT) as port, talk(port, said) as client:
        assert told(client) == b""


def test_a_head_that_comes_in_drops_is_given_up():
    with serving(**SHORT) as port, talk(port, b"GET / HTTP/1.1\r\nX: ") as client, pytest.raises(ConnectionError):
        drip(client, b"x", 0.02)


def test_a_second_head_has_the_same_deadline():
    with serving(**SHORT) as port, talk(port, HEALTH) as client:
        eventually(lambda: client.recv(2**16).endswith(b'"ok"}'))
        client.sendall(HEALTH[:20])
        assert told(client) == b""


def test_a_head_that_has_come_has_no_deadline():
    began, go = threading.Event(), threading.Event()

    def slow(body):
        began.set()
        go.wait(60)
        return body

    with serving(slow, **SHORT) as port, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask, port, b"abc", seconds=60)
        assert began.wait(60)
        with talk(port, b"P") as later:
            assert told(later) == b""
        go.set()
        assert asked.result()[0] == 200


@pytest.mark.parametrize("limit", ["connections", "connections_per_client"])
def test_where_there_are_too_many_the_slowest_goes(limit):
    with serving(**{limit: 4}) as port, ExitStack() as stack:
        clients = []
        for _ in range(3):
            clients.append(stack.enter_context(talk(port, HEALTH[:-2])))
        with talk(port, head(10), b"abc") as body:
            assert ask(port, b"abc")[0] == 200
            eventually(lambda: [closed(client) for client in clients] == [True, False, False])
            body.sendall(b"x" * 7)
            assert body.recv(100).startswith(b"HTTP/1.1 200")


def test_one_client_does_not_take_the_place_of_another():
    with serving(connections_per_client=3) as port, ExitStack() as stack:
        other = stack.enter_context(talk(port, HEALTH[:-2], source="127.0.0.9"))
        mine = [stack.enter_context(talk(port, HEALTH[:-2])) for _ in range(20)]
        eventually(lambda: sum(not closed(client) for client in mine) == 3)
        assert not closed(other)
        other.settimeout(20)
        other.sendall(b"\r\n")
        assert other.recv(100).startswith(b"HTTP/1.1 200")


def test_a_client_whose_image_is_being_restored_keeps_its_connection():
    began, go = threading.Event(), threading.Event()

    def slow(body):
        began.set()
        go.wait(60)
        return body

    with serving(slow, connections=2) as port, ExitStack() as stack:
        asked = stack.enter_context(talk(port, head(3), b"abc"))
        assert began.wait(60)
        others = [stack.enter_context(talk(port)) for _ in range(10)]
        eventually(lambda: sum(not closed(client) for client in others) <= 1)
        go.set()
        assert asked.recv(100).startswith(b"HTTP/1.1 200")


def test_an_answer_that_is_not_taken_is_given_up(spool):
    large = bytes(2**25)
    with serving(lambda body: large if body == b"abc" else b"small", body_seconds=0.5) as port:
        with talk(port, head(3), b"abc") as client:
            client.recv(1)
            eventually(lambda: "restored" not in within(spool))  # it goes when nothing more is sent
            assert len(told(client)) < len(large)
        assert ask(port, b"other")[1] == b"small"


@pytest.mark.parametrize("request_", [HEALTH, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"], ids=["small", "large"])
def test_answers_to_requests_in_a_row_that_are_not_taken_are_given_up(request_):
    with serving(body_seconds=0.5) as port, talk(port, takes=2**12) as client, pytest.raises(ConnectionError):
        drip(client, request_ * 1000)


@pytest.mark.parametrize("takes", [False, True])
def test_a_deadline_is_for_an_answer_that_is_not_taken_and_for_no_later_one(takes):
    written, transport = [], Mock(asyncio.Transport)
    transport.get_extra_info.return_value = None
    transport.is_closing.return_value = False

    async def answer(scope, receive, send):
        await asyncio.sleep(0.3 if written else 0)  # the second takes longer than its client may
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body", "body": b"end"})

    async def talking():
        running = server(answer, Limits(**{**LIMITS, "body_seconds": 0.1}))
        running.config.load()
        connection = running.config.http_protocol_class(
            config=running.config, server_state=running.server_state, app_state={}
        )

        def write(data):
            written.append(data)
            if data == b"end" and len(written) == 2:
                connection.pause_writing()  # with the last part of the first answer

        transport.write = write
        connection.connection_made(transport)
        connection.data_received(HEALTH * 2)
        await asyncio.sleep(0.05)
        if takes:
            connection.resume_writing()
        await asyncio.sleep(0.5)
        connection.connection_lost(None)

    asyncio.run(talking())
    assert transport.abort.called is not takes
    assert written.count(b"end") == 1 + takes


def test_the_servers_end_does_not_wait_for_requests():
    with ExitStack() as stack:
        with serving() as port:
            stack.enter_context(talk(port, HEALTH[:-2]))
            stack.enter_context(talk(port, head(10), b"abc"))
            began = time.monotonic()
        assert time.monotonic() - began < 30  # half of what each of them has


ANSWERED = {
    "an image": head(3) + b"abc",
    "a refused image": head(5) + b"large",
    "no image": head(0),
    "health": HEALTH,
    "facts": b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "the page": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "progress": b"GET /progress HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another path": b"GET /<script> HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another method": b"PUT /restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "another name": HEALTH.replace(b"localhost", b"rebound.example"),
    "a foreign page": head(3).replace(b"\r\n\r\n", b"\r\nOrigin: https://evil.example\r\n\r\n") + b"abc",
    "a failure": head(6) + b"broken",
    "no HTTP": b"<script>\r\n\r\n",
}


@pytest.mark.parametrize("sort", ANSWERED)
def test_no_browser_guesses_what_an_answer_is(sort, capfd):
    """Whatever becomes of a request: what a client wrote may stand in it."""

    def restore(body):
        if body == b"broken":
            raise ZeroDivisionError
        return backwards(body)

    with serving(restore) as port, talk(port, ANSWERED[sort]) as client:
        eventually(lambda: client.recv(2**16, socket.MSG_PEEK).count(b"\r\n\r\n"))
        top = client.recv(2**16).lower().partition(b"\r\n\r\n")[0]
    assert top.count(b"x-content-type-options: nosniff") == 1
    assert top.count(b"\r\ncontent-type:") <= 1
