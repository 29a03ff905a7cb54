"""A server in a thread, with a function in place of a model, and clients that don't keep to the rules."""

import http.client
import json
import os
import socket
import threading
import time
from contextlib import contextmanager

from srexp.enhance.serving.application import Looked, Made, application
from srexp.enhance.serving.connections import Limits, server
from srexp.enhance.serving.refusals import TooLargeError, WrongKindError
from srexp.enhance.serving.turns import Turns
from srexp.errors import RequestError

LIMIT = 1000
LIMITS = {
    "head_seconds": 60.0,
    "body_seconds": 60.0,
    "image_seconds": 60.0,
    "max_bytes": LIMIT,
    "spool_bytes": 100 * LIMIT,
    "workers": 1,
    "waiting": 32,
    "connections": 256,
    "connections_per_client": 64,
}


def backwards(body):
    if body in (b"large", b"kind", b"other"):
        raise {b"large": TooLargeError, b"kind": WrongKindError, b"other": RequestError}[body](
            f"{body.decode()} refused"
        )
    return body[::-1]


def looking(restore, pixels=0):
    """A function of bytes as one that looks at a file, and restores it later."""

    def look(sent, options):
        body = sent.read_bytes()

        def write(target):
            target.write_bytes(restore(body))
            return Made("image/png", {"Srexp-Note": str(len(body))})

        return Looked(pixels(body) if callable(pixels) else pixels, write)

    return look


def serving(restore=backwards, *, pixels=0, **options):
    return answering({"/restore": looking(restore, pixels)}, {"/version": {"model": "mine"}}, **options)


@contextmanager
def answering(looks, told, *, turns=None, hosts=(), origins=(), **limits):
    limits = Limits(**{**LIMITS, **limits})
    app = application(looks, told, limits=limits, turns=turns or Turns(limits.workers), hosts=hosts, origins=origins)
    running = server(app, limits)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)  # of every connection
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join()


def ask(port, body=None, path="/restore", method="POST", headers=None, *, seconds=60):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path, body, headers or {}, encode_chunked="Transfer-Encoding" in (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("content-type")
    finally:
        connection.close()


def head(length, host="localhost"):
    return f"POST /restore HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode()


@contextmanager
def talk(port, *said, source="127.0.0.1", takes=None):
    """A connection on which something was said; with room for so many bytes of an answer."""
    with socket.socket() as client:
        client.settimeout(60)
        client.bind((source, 0))
        if takes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
        client.connect(("127.0.0.1", port))
        for each in said:
            client.sendall(each)
        yield client


def told(client):
    """All that a server says until it closes; empty where it breaks off."""
    parts = []
    try:
        while part := client.recv(2**16):
            parts.append(part)
    except ConnectionResetError:
        return b""
    return b"".join(parts)


def refused(port, *said):
    """The status and the reason that are answered to what was said, before the connection is closed."""
    with talk(port, *said) as client:
        top, _, body = told(client).partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body)["error"] if body.startswith(b"{") else body.decode()


def drip(client, part, pause=0.0):
    """Say the same again and again, until the server ends it."""
    end = time.monotonic() + 100
    while time.monotonic() < end:
        client.sendall(part)
        time.sleep(pause)


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def within(folder):
    """Names of what the folders in a folder hold; another process may take some of it away meanwhile."""
    return {name for at, *names in os.walk(folder) if at != str(folder) for name in (*names[0], *names[1])}
