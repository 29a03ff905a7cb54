"""One HTTP request for the bytes that a file still lacks: a range, from where the last request broke off."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import urllib3

from srexp.errors import RequestError
from srexp.system.masking.redaction import mask

if TYPE_CHECKING:
    from srexp.data.download.progress import Progress

_CHUNK = 1 << 18
_MAY_PASS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_RETRY = urllib3.Retry(None, backoff_factor=0.375, backoff_max=60.0, backoff_jitter=0.25, retry_after_max=10**9)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download is tried before it is given up.

    Args:
        attempts: Failures in a row after which a server that has answered is given up.
        attempts_offline: The same for a server that has never answered.
        retry: How long to pause: twice as long after each failure, and random so that clients don't move in step.
        longest_wait: Seconds that a server may ask for with `Retry-After`; a longer wish ends the download.
        connect_timeout: Seconds until a connection counts as refused.
        read_timeout: Seconds of silence after which a connection counts as broken.
        slowest: Bytes per second, averaged over `read_timeout`, below which a connection counts as broken.
    """

    attempts: int = 6
    attempts_offline: int = 3
    retry: urllib3.Retry = _RETRY
    longest_wait: float = 300.0
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    slowest: int = 1024


class TryAgainError(Exception):
    """A failure that may pass, with the seconds that the server asks to wait."""

    def __init__(self, reason: str, *, answered: bool = True, wait: float | None = None) -> None:
        super().__init__(reason)
        self.answered, self.wait = answered, wait


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `fetch` is asked for, and the file that collects its bytes.

    Args:
        url: Where the file is; redirects are followed, and the server is only ever asked with GET.
        target: Where it shall be.
        checksum: `sha256:HEX` or `md5:HEX` of the bytes that are wanted.
        prefix_bytes: Ask for the first so many bytes only; None for the whole file.
        max_bytes: A file that turns out longer is refused before it fills the disk.
        progress: Told about every piece that arrives.
        patience: How long to go on trying.
    """

    url: str
    target: Path
    checksum: str
    prefix_bytes: int | None = None
    max_bytes: int = 8 << 30
    progress: Progress = lambda _name, _there, _total: None
    patience: Patience = field(default_factory=Patience)

    @property
    def shown(self) -> str:
        """Address without what is secret in it."""
        return mask(self.url)

    @property
    def part(self) -> Path:
        """File that collects the bytes until they are complete and verified."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def tag(self) -> Path:
        """File that remembers which version of the remote file the part belongs to."""
        return self.target.with_name(f"{self.target.name}.part.tag")

    def bytes_there(self) -> int:
        """Say how much of the part has arrived, in this process or an earlier one."""
        return self.part.stat().st_size if self.part.exists() else 0

    def checksum_of(self, path: Path) -> str:
        """Compute the checksum of the bytes of a file that are wanted, written as `checksum` is."""
        algorithm = self.checksum.partition(":")[0]
        digest = hashlib.new(algorithm, usedforsecurity=False)
        left = path.stat().st_size if self.prefix_bytes is None else self.prefix_bytes
        with path.open("rb") as file:
            while left > 0 and (chunk := file.read(min(left, 1 << 20))):
                digest.update(chunk)
                left -= len(chunk)
        return f"{algorithm}:{digest.hexdigest()}"

    def discard(self) -> None:
        """Start again from nothing."""
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    @property
    def by_hand(self) -> str:
        """The way round for a computer that can't reach the server."""
        part = "" if self.prefix_bytes is None else f"-r 0-{self.prefix_bytes - 1} "
        return f"fetch it by hand: curl -L {part}-o '{self.target}' '{self.shown}'"

    def unavailable(self, reason: str, mend: str) -> RequestError:
        """Build the error that says why the file can't be had, and every way to go on without it."""
        return RequestError(
            f"can't download {self.shown}",
            got=reason,
            fix=f"{mend}; or {self.by_hand}; or use images of your own: dataset=folder dataset.root=/data/xrays; "
            "dataset=samples needs no network",
        )


def receive(session: requests.Session, wanted: Wanted) -> None:
    """Ask once for what is missing, and append it to the part.

    Args:
        session: Connection pool, shared by the attempts.
        wanted: The file and how much of it.

    Raises:
        TryAgainError: Something that may pass: no connection, a broken one, an overloaded server.
        RequestError: Something that won't pass: no such file, an address that makes no sense.
    """
    there = wanted.bytes_there()
    if wanted.prefix_bytes is not None and there >= wanted.prefix_bytes:
        return
    headers = {"User-Agent": "srexp", "Accept-Encoding": "identity"}  # a Range counts the bytes as they are stored
    if there or wanted.prefix_bytes is not None:
        headers["Range"] = f"bytes={there}-{'' if wanted.prefix_bytes is None else wanted.prefix_bytes - 1}"
    if there and wanted.tag.exists():
        headers["If-Range"] = wanted.tag.read_text(encoding="utf-8")
    answered = False
    try:
        timeout = (wanted.patience.connect_timeout, wanted.patience.read_timeout)
        with session.get(wanted.url, headers=headers, stream=True, timeout=timeout) as response:
            answered = True
            start = _first_byte(response, wanted, there)
            if start is not None:
                _append(response, wanted, start)
    except requests.exceptions.SSLError as error:
        raise wanted.unavailable(mask(str(error)), "let the computer trust the server's certificate") from error
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        raise TryAgainError(_plain(error), answered=answered) from error
    except requests.RequestException as error:
        raise wanted.unavailable(mask(str(error)), "correct dataset.url") from error


def _first_byte(response: requests.Response, wanted: Wanted, there: int) -> int | None:
    """Tell where in the file the answer's bytes belong; None when nothing is missing."""
    status = response.status_code
    span = response.headers.get("Content-Range", "")
    if status == HTTPStatus.OK:
        return 0  # no Range support, or the file has changed: afresh
    if status == HTTPStatus.PARTIAL_CONTENT or (status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and there):
        same = not there or not wanted.tag.exists() or _tag_of(response) == wanted.tag.read_text(encoding="utf-8")
        if status == HTTPStatus.PARTIAL_CONTENT and span.startswith(f"bytes {there}-") and same:
            return there
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and span == f"bytes */{there}":
            return None
        wanted.discard()
        raise TryAgainError(f"the file changed on the server ({span or 'no Content-Range'})")
    answer = f"the server answered {status} {response.reason or ''}".rstrip()
    if status in _MAY_PASS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TryAgainError(answer, wait=_retry_after(response, wanted))
    raise wanted.unavailable(answer, "look where the publisher has moved it and give the new address: dataset.url=URL")


def _append(response: requests.Response, wanted: Wanted, start: int) -> None:
    """Write the answer's body into the part from `start`, no further than what is wanted."""
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    if wanted.prefix_bytes is not None:
        total = wanted.prefix_bytes if total is None else min(total, wanted.prefix_bytes)
    free = shutil.disk_usage(wanted.target.parent).free
    if total is not None and total - start > free:
        raise OSError(f"{wanted.target.name} needs {total - start:,} more bytes, {free:,} are free")
    if not start:
        wanted.discard()
        if tag := _tag_of(response):
            wanted.tag.write_text(tag, encoding="utf-8")
    with wanted.part.open("ab") as file:
        there = start
        wanted.progress(wanted.target.name, there, total)
        for chunk in _chunks(response.raw, wanted):
            piece = chunk if wanted.prefix_bytes is None else chunk[: wanted.prefix_bytes - there]
            file.write(piece)
            there += len(piece)
            wanted.progress(wanted.target.name, there, total)
            if there == wanted.prefix_bytes:
                return
            if there > wanted.max_bytes:
                wanted.discard()
                raise wanted.unavailable(f"more than the {wanted.max_bytes:,} bytes expected", "correct dataset.url")


def _chunks(raw: Any, wanted: Wanted) -> Iterator[bytes]:
    """Read an answer as it arrives; a server that only trickles counts as a broken connection."""
    since, received = time.monotonic(), 0
    while chunk := raw.read1(_CHUNK, decode_content=False):
        yield chunk
        received += len(chunk)
        seconds = time.monotonic() - since
        if seconds >= wanted.patience.read_timeout:
            if received < wanted.patience.slowest * seconds:
                raise TryAgainError(f"only {received / seconds:.0f} bytes per second arrived")
            since, received = time.monotonic(), 0


def _tag_of(response: requests.Response) -> str:
    """Give what tells this version of a file from others: a strong ETag, else the date of its last change."""
    etag = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _retry_after(response: requests.Response, wanted: Wanted) -> float | None:
    """Give the seconds that the server asks to wait, from a number or a date."""
    with contextlib.suppress(urllib3.exceptions.InvalidHeader):
        return wanted.patience.retry.get_retry_after(response.raw)
    return None


def _plain(error: Exception) -> str:
    """Say in a few words why a connection failed; the libraries' own texts repeat addresses and object names."""
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    cause: BaseException = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return f"the connection failed ({text})"
