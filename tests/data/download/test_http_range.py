"""Ranges: prefixes, and downloads that go on where they broke off."""

from __future__ import annotations

import time

import pytest

from srexp.data.download.fetch import fetch
from srexp.data.download.http_range import Patience, Wanted
from tests.data.download.files import BODY, HASTE, HASTY, OTHER, SOON_BROKEN, leftovers


@pytest.mark.parametrize("ranges", [True, False])
def test_only_the_prefix_is_fetched_and_head_is_never_asked(server, target, sha256, ranges):
    server.put("file.bin", BODY, ranges=ranges)
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY[:70_000]), prefix_bytes=70_000))

    assert target.read_bytes() == BODY[:70_000]
    assert [asked.method for asked in server.asked] == ["GET"]
    assert server.asked[0].headers["Range"] == "bytes=0-69999"
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def test_a_prefix_without_range_support_is_read_no_further(server, target, sha256, answer):
    """Pieces come slowly enough that reading the whole body would take a minute."""
    server.put("file.bin", BODY, ranges=False, answers=[answer(pause=0.02, piece=1000)])
    started = time.monotonic()
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY[:5000]), prefix_bytes=5000))
    assert time.monotonic() - started < 30
    assert target.read_bytes() == BODY[:5000]


def test_a_whole_file_put_by_hand_serves_for_its_prefix(target, sha256):
    target.parent.mkdir(parents=True)
    target.write_bytes(BODY)
    fetch(Wanted("http://127.0.0.1:9/x", target, checksum=sha256(BODY[:1000]), prefix_bytes=1000))


def test_redirects_are_followed_with_the_range(server, target, sha256, answer):
    server.put("static", b"", answers=[answer(302, {"Location": "/signed/file.bin"})])
    server.put("signed/file.bin", BODY)
    fetch(Wanted(server.url("static"), target, checksum=sha256(BODY[:1000]), prefix_bytes=1000))
    assert [asked.path for asked in server.asked] == ["static", "signed/file.bin"]
    assert server.asked[1].headers["Range"] == "bytes=0-999"


def test_a_cut_connection_is_resumed_where_it_broke(server, target, sha256, answer):
    server.put("file.bin", BODY, etag='"v1"', answers=[answer(cut_after=1_000_000), answer(cut_after=500_000)])
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=HASTY))

    assert target.read_bytes() == BODY
    assert [asked.headers.get("Range") for asked in server.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert [asked.headers.get("If-Range") for asked in server.asked] == [None, '"v1"', '"v1"']
    assert leftovers(target) == set()


def test_a_cut_prefix_asks_only_for_the_rest_of_the_prefix(server, target, sha256, answer):
    server.put("file.bin", BODY, answers=[answer(cut_after=1000)])
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY[:4000]), prefix_bytes=4000, patience=HASTY))
    assert server.asked[1].headers["Range"] == "bytes=1000-3999"
    assert target.read_bytes() == BODY[:4000]


def test_a_cut_without_range_support_starts_again(server, target, sha256, answer):
    server.put("file.bin", BODY, ranges=False, answers=[answer(cut_after=1_000_000)])
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=HASTY))
    assert target.read_bytes() == BODY


def test_many_cuts_are_no_failure_while_each_attempt_brings_much(server, target, sha256, answer):
    body = BODY * 4
    server.put("file.bin", body, answers=[answer(cut_after=(1 << 20) + 1) for _ in range(8)])
    patience = Patience(attempts=3, retry=HASTE)
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(body), patience=patience))
    assert target.read_bytes() == body


def test_what_a_killed_process_left_is_used(server, target, sha256):
    server.put("file.bin", BODY, last_modified="Mon, 01 Jan 2024 00:00:00 GMT")
    target.parent.mkdir(parents=True)
    target.with_name("file.bin.part").write_bytes(BODY[:2_000_000])
    target.with_name("file.bin.part.tag").write_text("Mon, 01 Jan 2024 00:00:00 GMT")
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY)))
    assert server.asked[0].headers["Range"] == "bytes=2000000-"
    assert server.asked[0].headers["If-Range"] == "Mon, 01 Jan 2024 00:00:00 GMT"
    assert target.read_bytes() == BODY
    assert leftovers(target) == set()


def test_a_part_that_is_already_complete_needs_one_question(server, target, sha256):
    server.put("file.bin", BODY)
    target.parent.mkdir(parents=True)
    target.with_name("file.bin.part").write_bytes(BODY)
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY)))
    assert len(server.asked) == 1
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("etags", [('"v1"', '"v2"'), (None, None), ('W/"v"', 'W/"v"')])
def test_a_file_that_changed_between_attempts_starts_afresh(server, target, sha256, answer, etags):
    server.put("file.bin", OTHER, etag=etags[0], answers=[answer(cut_after=1_000_000)])
    server.files["file.bin"].replaced_by = [(2, BODY, etags[1])]
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=HASTY))
    assert target.read_bytes() == BODY


def test_a_file_that_shrank_between_attempts_starts_afresh(server, target, sha256, answer):
    server.put("file.bin", OTHER, answers=[answer(cut_after=1_000_000)])
    server.files["file.bin"].replaced_by = [(2, BODY[:5000], None)]
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY[:5000]), patience=HASTY))
    assert target.read_bytes() == BODY[:5000]


def test_silence_is_a_broken_connection(server, target, sha256, answer):
    server.put("file.bin", BODY, answers=[answer(pause=100.0)])
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=SOON_BROKEN))
    assert len(server.asked) >= 2
    assert target.read_bytes() == BODY


def test_a_trickle_is_a_broken_connection(server, target, sha256, answer):
    server.put("file.bin", BODY, answers=[answer(pause=0.05, piece=10)])
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=SOON_BROKEN))
    assert target.read_bytes() == BODY
    assert int(server.asked[1].headers["Range"].removeprefix("bytes=").removesuffix("-")) > 0


@pytest.mark.slow
def test_slow_but_steady_is_no_failure(server, target, sha256, answer):
    server.put("file.bin", BODY, answers=[answer(pause=0.05, piece=1 << 16)])
    fetch(Wanted(server.url("file.bin"), target, checksum=sha256(BODY), patience=SOON_BROKEN))
    assert len(server.asked) == 1


def test_an_unknown_length_is_fine(server, target, sha256):
    server.put("file.bin", BODY, send_length=False)
    seen: list[int | None] = []
    fetch(
        Wanted(server.url("file.bin"), target, checksum=sha256(BODY), progress=lambda n, t, total: seen.append(total))
    )
    assert target.read_bytes() == BODY
    assert set(seen) == {None}
