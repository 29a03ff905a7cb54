"""A local HTTP server that fails on demand, as real servers and networks do; and readers that are asked twice."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.data import unbounded


@dataclass
class Answer:
    """How one request is answered, where it differs from a healthy answer."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None  # body bytes after which the connection breaks
    pause: float = 0.0  # seconds of silence before each piece of the body
    piece: int = 1 << 16


@dataclass
class Remote:
    """One file on the server; `answers` are used up one per request, then all is well."""

    body: bytes
    etag: str | None = None
    last_modified: str | None = None
    ranges: bool = True
    send_length: bool = True
    answers: list[Answer] = field(default_factory=list)
    replaced_by: list[tuple[int, bytes, str | None]] = field(default_factory=list)  # from which request on, body, etag


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]


class FaultyServer(ThreadingHTTPServer):
    """Serves `files` by path and keeps what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Remote] = {}
        self.asked: list[Asked] = []
        self.lock = threading.Lock()

    def put(self, path: str, body: bytes, **options: object) -> Remote:
        self.files[path] = Remote(body, **options)
        return self.files[path]

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent when a client goes away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def log_message(self, *args: object) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self._note()
        self.send_error(404)

    def do_GET(self) -> None:
        path = self._note()
        remote = self.server.files.get(path)
        if remote is None:
            self.send_error(404)
            return
        with self.server.lock:
            count = sum(asked.path == path for asked in self.server.asked)
            for start, body, etag in remote.replaced_by:
                if count >= start:
                    remote.body, remote.etag = body, etag
            answer = remote.answers.pop(0) if remote.answers else Answer()
        if answer.status:
            self._send_status(answer)
        else:
            self._send_body(remote, answer)

    def _note(self) -> str:
        path = self.path.lstrip("/")
        with self.server.lock:
            self.server.asked.append(Asked(self.command, path, dict(self.headers)))
        return path

    def _send_status(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_body(self, remote: Remote, answer: Answer) -> None:
        first, last = 0, len(remote.body) - 1
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if remote.ranges else None
        expected = self.headers.get("If-Range")
        if asked and expected in (None, remote.etag, remote.last_modified):
            first = int(asked[1])
            last = min(last, int(asked[2])) if asked[2] else last
            if first >= len(remote.body):
                answer = Answer(416, {"Content-Range": f"bytes */{len(remote.body)}"})
                self._send_status(answer)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(remote.body)}")
        else:
            self.send_response(200)
        body = remote.body[first : last + 1]
        for name, value in {"ETag": remote.etag, "Last-Modified": remote.last_modified, **answer.headers}.items():
            if value:
                self.send_header(name, value)
        if remote.send_length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        end = len(body) if answer.cut_after is None else answer.cut_after
        for start in range(0, min(end, len(body)), answer.piece):
            time.sleep(answer.pause)
            self.wfile.write(body[start : min(start + answer.piece, end)])
            self.wfile.flush()
        if answer.cut_after is not None:
            self.close_connection = True


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A server of its own for each test."""
    served = FaultyServer()
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join(5)


@pytest.fixture
def answer() -> type[Answer]:
    """The type of an unhealthy answer."""
    return Answer


@pytest.fixture
def sha256() -> object:
    """Checksum as `fetch` takes it."""
    return lambda body: f"sha256:{hashlib.sha256(body).hexdigest()}"


@pytest.fixture
def asked_without_bounds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold whatever a file leads to within bounds, pixels or a refusal, to what it leads to without."""
    monkeypatch.setattr("srexp.data.formats.registry.Begun", unbounded.Begun)
