"""The server with a function in place of a model, over a real socket."""

import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

import pytest
import uvicorn

from srexp.enhance.http_server import Answer, TooLargeError, WrongKindError, application
from srexp.errors import RequestError

LIMIT = 1000


def backwards(body):
    if body in (b"large", b"kind", b"other"):
        raise {b"large": TooLargeError, b"kind": WrongKindError, b"other": RequestError}[body](
            f"{body.decode()} refused"
        )
    return Answer(body[::-1], "image/png")


@contextmanager
def serving(restore=backwards, *, workers=1, waiting=32, body_seconds=60.0):
    app = application(
        restore,
        facts={"model": "mine"},
        max_bytes=LIMIT,
        workers=workers,
        waiting=waiting,
        body_seconds=body_seconds,
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def ask(port, body=None, path="/restore", method="POST", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers or {}, encode_chunked=bool(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("content-type")
    finally:
        connection.close()


def test_answers_and_refusals():
    with serving() as port:
        assert ask(port, b"abc") == (200, b"cba", "image/png")
        for body, status in ((b"large", 413), (b"kind", 415), (b"other", 422), (b"", 422)):
            got, content, kind = ask(port, body)
            assert (got, kind) == (status, "application/json")
            assert body.decode() in json.loads(content)["error"]
        assert ask(port, b"x" * LIMIT)[0] == 200
        assert ask(port, path="/health", method="GET")[:2] == (200, b'{"status":"ok"}')
        assert json.loads(ask(port, path="/version", method="GET")[1]) == {"model": "mine"}
        assert ask(port, path="/restore", method="GET")[0] == 405
        assert ask(port, path="/../etc/passwd", method="GET")[0] == 404


def test_a_large_body_is_refused_before_it_arrives():
    with serving() as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"POST /restore HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413")
        assert ask(port, b"abc")[0] == 200


def test_a_large_body_of_unknown_length_is_refused():
    with serving() as port:
        parts = (b"x" * 400 for _ in range(3))
        assert ask(port, parts, headers={"Transfer-Encoding": "chunked"})[0] == 413
        assert ask(port, (b"ab", b"c"), headers={"Transfer-Encoding": "chunked"})[:2] == (200, b"cba")


def test_a_client_that_leaves_is_no_failure(capfd):
    with serving() as port:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"POST /restore HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert ask(port, b"abc")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_body_that_does_not_arrive_is_given_up():
    with serving(body_seconds=0.2) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"POST /restore HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert client.recv(100).startswith(b"HTTP/1.1 408")
        assert ask(port, b"abc")[0] == 200


def test_ten_at_a_time_take_turns():
    running, most = [], []

    def slow(body):
        running.append(body)
        most.append(len(running))
        time.sleep(0.02)
        running.remove(body)
        return backwards(body)

    with serving(slow, workers=2) as port, ThreadPoolExecutor(10) as threads:
        bodies = [b"%d." % number for number in range(10)]
        answers = list(threads.map(lambda body: ask(port, body), bodies))
    assert [(status, content) for status, content, _ in answers] == [(200, body[::-1]) for body in bodies]
    assert max(most) == 2


def test_more_than_may_wait_are_turned_away():
    go = threading.Event()

    def held(body):
        go.wait(20)
        return backwards(body)

    with serving(held, workers=1, waiting=1) as port, ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask, port, b"abc") for _ in range(4)]
        answered = as_completed(asked, timeout=20)
        turned_away = [next(answered).result()[0] for _ in range(2)]  # the other two can't be done yet
        go.set()
        assert turned_away == [503, 503]
        assert [each.result()[0] for each in answered] == [200, 200]


def test_an_unforeseen_failure_is_no_end(capfd):
    def failing(body):
        if body == b"bad":
            raise ZeroDivisionError
        return backwards(body)

    with serving(failing) as port:
        assert ask(port, b"bad")[0] == 500
        assert ask(port, b"abc")[0] == 200
        assert ask(port, b"bad")[1] == b"Internal Server Error"


@pytest.mark.parametrize(
    "raw", [b"GARBAGE\r\n\r\n", b"POST /restore HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"]
)
def test_what_is_no_request(raw):
    with serving() as port:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(raw)
            assert client.recv(100).startswith(b"HTTP/1.1 400")
        assert ask(port, b"abc")[0] == 200
