from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate
from types import SimpleNamespace

import pytest

from srexp.data.download.fetch import exclusive, fetch
from srexp.data.download.http_range import Wanted
from srexp.errors import RequestError, SrexpError
from tests.data.download.files import BODY, HASTY, OTHER, leftovers


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(server, target, sha256):
    server.put("file.bin", BODY)
    seen: list[tuple[str, int, int | None]] = []

    got = fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), progress=lambda *a: seen.append(a)))

    assert got == target
    assert target.read_bytes() == BODY
    assert leftovers(target) == set()
    assert seen[0] == ("file.bin", 0, len(BODY))
    assert seen[-1] == ("file.bin", len(BODY), len(BODY))
    assert [there for _, there, _ in seen] == sorted(there for _, there, _ in seen)


def test_md5_is_taken_too(server, target):
    server.put("file.bin", BODY)
    fetch(Wanted(server.url("file.bin"), target, checksum=f"md5:{hashlib.md5(BODY).hexdigest()}"))
    assert target.read_bytes() == BODY


def test_a_file_that_is_there_and_right_needs_no_network(target, sha256):
    target.parent.mkdir(parents=True)
    target.write_bytes(BODY)
    fetch(Wanted("http://127.0.0.1:9/file.bin", target, checksum=sha256(BODY)))


def test_a_wrong_file_put_there_by_hand_is_named_and_left_alone(target, sha256):
    target.parent.mkdir(parents=True)
    target.write_bytes(OTHER)
    with pytest.raises(RequestError) as caught:
        fetch(Wanted("http://127.0.0.1:9/file.bin", target, checksum=sha256(BODY)))
    assert str(target) in caught.value.what
    assert caught.value.got == sha256(OTHER)
    assert caught.value.expected == sha256(BODY)
    assert target.read_bytes() == OTHER


def test_wrong_bytes_are_deleted_and_both_checksums_shown(server, target, sha256):
    server.put("file.bin", OTHER)
    with pytest.raises(RequestError) as caught:
        fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=HASTY))
    assert server.url("file.bin") in caught.value.what
    assert caught.value.got == sha256(OTHER)
    assert caught.value.expected == sha256(BODY)
    assert not target.exists()
    assert leftovers(target) == set()
    assert len(server.asked) == 1


def test_a_short_file_is_wrong_bytes_not_an_endless_loop(server, target, sha256):
    server.put("file.bin", BODY[:500])
    with pytest.raises(RequestError, match="other bytes"):
        fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY[:1000]), prefix_bytes=1000, patience=HASTY))


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_file_that_is_not_there_is_said_at_once(server, target, sha256, answer, status):
    server.put("file.bin", BODY, answers=[answer(status)])
    with pytest.raises(RequestError) as caught:
        fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), prefix_bytes=100, patience=HASTY))
    message = str(caught.value)
    assert f"answered {status}" in message
    assert "dataset.url=URL" in message
    assert f"curl -L -r 0-99 -o '{target}' '{server.url('file.bin')}'" in message
    assert "dataset=samples needs no network" in message
    assert len(server.asked) == 1


@pytest.mark.parametrize("wish", ["7", "date"])
def test_an_overloaded_server_is_given_the_time_it_asks_for(server, target, sha256, answer, wish):
    now, pauses = 10**9, []
    header = formatdate(now + 7, usegmt=True) if wish == "date" else wish
    server.put("file.bin", BODY, answers=[answer(503, {"Retry-After": header})])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("urllib3.util.retry.time", SimpleNamespace(time=lambda: now))
        patched.setattr("srexp.data.download.fetch.time", SimpleNamespace(sleep=pauses.append))
        fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=replace(HASTY, longest_wait=7)))
    assert pauses == [7]
    assert target.read_bytes() == BODY


def test_a_wish_for_too_long_a_pause_ends_the_download(server, target, sha256, answer):
    server.put("file.bin", BODY, answers=[answer(429, {"Retry-After": "86400"})])
    with pytest.raises(RequestError, match="86400 s"):
        fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=HASTY))


def test_failures_are_bounded_and_spaced_out(server, target, sha256, answer, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr("srexp.data.download.fetch.time.sleep", pauses.append)
    server.put("file.bin", BODY, answers=[answer(500) for _ in range(99)])
    with pytest.raises(RequestError, match="6 times in a row"):
        fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY)))
    assert len(server.asked) == 6
    assert all(0.5 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses))
    assert len(pauses) == 5


def test_without_a_network_the_message_says_what_to_do(target, sha256):
    with pytest.raises(RequestError) as caught:
        fetch(Wanted("http://127.0.0.1:9/file.bin", target, checksum=sha256(BODY), patience=HASTY))
    message = str(caught.value)
    assert "3 times in a row" in message
    assert "Connection refused" in message
    assert str(target) in message
    assert "dataset=folder dataset.root=/data/xrays" in message
    assert "dataset=samples needs no network" in message


def test_an_unknown_host_is_offline_too(target, sha256):
    with pytest.raises(RequestError, match="the connection failed"):
        fetch(Wanted("http://nowhere.invalid/file.bin", target, checksum=sha256(BODY), patience=HASTY))


@pytest.mark.parametrize("url", ["ftp://example.org/x", "no address", "http://"])
def test_an_address_that_makes_no_sense_is_not_tried_twice(target, sha256, url):
    with pytest.raises(RequestError, match=r"dataset\.url"):
        fetch(Wanted(url, target, checksum=sha256(BODY), patience=HASTY))


def test_a_circle_of_redirects_ends(server, target, sha256, answer):
    server.put("a", b"", answers=[answer(302, {"Location": "/a"}) for _ in range(99)])
    with pytest.raises(RequestError, match="redirects"):
        fetch(Wanted(server.url("a"), target, checksum=sha256(BODY), patience=HASTY))


def test_an_endless_file_is_refused_before_it_fills_the_disk(server, target, sha256):
    server.put("file.bin", BODY)
    with pytest.raises(RequestError, match="more than the 1,000 bytes"):
        fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), max_bytes=1000, patience=HASTY))
    assert leftovers(target) == set()


def test_a_full_disk_is_said_before_anything_is_written(server, target, sha256, monkeypatch):
    server.put("file.bin", BODY)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("srexp.data.download.http_range.shutil.disk_usage", lambda path: usage)
    with pytest.raises(SrexpError, match=r"paths\.cache=/mnt") as caught:
        fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=HASTY))
    assert caught.value.exit_code == 1
    assert not target.exists()


def test_a_cache_that_is_a_file_is_named(tmp_path, sha256):
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(SrexpError, match="can't write"):
        fetch(Wanted("http://127.0.0.1:9/x", tmp_path / "cache" / "file.bin", checksum=sha256(BODY)))


def test_of_two_that_come_at_once_one_works_and_both_have_the_file(server, target, sha256, answer):
    server.put("file.bin", BODY, answers=[answer(pause=0.05, piece=1 << 18)])
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(fetch, Wanted(server.url("file.bin"), target, sha256(BODY))) for _ in range(4)]
        assert [job.result(100) for job in jobs] == [target] * 4
    assert len(server.asked) == 1
    assert target.read_bytes() == BODY


def test_a_killed_process_blocks_nobody_and_its_bytes_are_used(server, target, sha256, answer):
    server.put("file.bin", BODY, etag='"v1"', answers=[answer(pause=1, piece=1 << 17)])
    code = (
        "import sys; from pathlib import Path; from srexp.data.download.fetch import fetch; "
        "from srexp.data.download.http_range import Wanted; "
        "fetch(Wanted(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))"
    )
    first = subprocess.Popen([sys.executable, "-c", code, server.url("file.bin"), str(target), sha256(BODY)])
    part = target.with_name("file.bin.part")
    deadline = time.monotonic() + 100
    while not (part.exists() and part.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(10)
    assert 0 < part.stat().st_size < len(BODY)

    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY)))

    assert target.read_bytes() == BODY
    assert server.asked[1].headers["If-Range"] == '"v1"'


def test_waiting_for_another_process_is_said(tmp_path, caplog):
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive(tmp_path / "x"):
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    threading.Timer(1.3, done.set).start()
    with exclusive(tmp_path / "x"):
        assert done.is_set()
    thread.join(10)
    assert "another process is making" in caplog.text


def test_a_checksum_covers_the_bytes_asked_for(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abcdef")
    assert Wanted("", path, "md5:", 3).checksum_of(path) == f"md5:{hashlib.md5(b'abc').hexdigest()}"
    assert Wanted("", path, "sha256:").checksum_of(path) == f"sha256:{hashlib.sha256(b'abcdef').hexdigest()}"
