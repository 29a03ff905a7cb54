"""Bytes that are no request, or several, over a real socket."""

from contextlib import suppress

import pytest

from tests.enhance.serving.served import ask, head, refused, serving, talk, told

pytestmark = pytest.mark.usefixtures("spool")


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /restore HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /restore HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nContent-Length: 3\r\n\r\nabc",
        head(-1),
        head("+3"),
        head("3, 4"),
        head("3\r\nContent-Length: 4"),
        head("3\r\nTransfer-Encoding: chunked"),
        head("3\r\n Transfer-Encoding: chunked"),
        head("3\r\nTransfer-Encoding : chunked"),
        "POST /r\u00e9store HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        b"POST /restore\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /restore HTTP/1.1\r\nHost: localhost\r\nX\xff: y\r\n\r\n",
        b"POST /restore HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request(raw, capfd):
    with serving() as port:
        assert refused(port, raw)[0] == 400
        assert ask(port, b"abc")[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("part", ["X: " + 2**24 * "x", "X: y\r\n" * 2**20])
def test_a_head_without_end_is_no_request(part):
    with serving() as port:
        with talk(port) as client, suppress(ConnectionError):
            client.sendall(head("3\r\n" + part))
            assert told(client)[:12] in (b"", b"HTTP/1.1 400")
        assert ask(port, b"abc")[0] == 200


def test_what_follows_a_refused_body_is_no_request():
    with serving() as port, talk(port, head(99999999999), b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n") as client:
        assert told(client).count(b"HTTP/1.1") <= 1  # none where the connection broke off before it was read


def test_requests_in_a_row_on_one_connection_are_answered_in_their_order():
    with serving() as port:
        said = (
            head(3)
            + b"abc"
            + head(3)
            + b"xyz"
            + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        with talk(port, said) as client:
            answers = told(client)
    assert answers.count(b"HTTP/1.1 200") == 3
    assert answers.index(b"cba") < answers.index(b"zyx") < answers.index(b"ok")


def test_bytes_that_are_no_text_in_headers_do_no_harm():
    said = head("3\r\nX: \u00ff\u00fe").decode().encode("latin-1") + b"abc"
    with serving() as port, talk(port, said) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 200")
