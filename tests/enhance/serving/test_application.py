"""The application with a function in place of a model, over a real socket."""

import asyncio
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from glob import glob  # which bears folders that go away meanwhile
from pathlib import Path

import pytest

from srexp.enhance.serving import application
from srexp.enhance.serving.application import SMALL_PIXELS, Looked, Made
from srexp.enhance.serving.turns import AbandonedError, Turns
from srexp.system.confinement import confined
from tests.enhance.serving.served import (
    LIMIT,
    answering,
    ask,
    backwards,
    drip,
    eventually,
    head,
    refused,
    serving,
    talk,
    told,
)

pytestmark = pytest.mark.usefixtures("spool")


def test_answers_and_refusals():
    with serving() as port:
        assert ask(port, b"abc") == (200, b"cba", "image/png")
        for body, status in ((b"large", 413), (b"kind", 415), (b"other", 422), (b"", 422)):
            got, content, kind = ask(port, body)
            assert (got, kind) == (status, "application/json")
            assert body.decode() in json.loads(content)["error"]
        assert ask(port, b"x" * LIMIT)[0] == 200
        assert ask(port, path="/health", method="GET")[:2] == (200, b'{"status":"ok"}')
        assert ask(port, path="/health", method="HEAD")[:2] == (200, b"")
        assert json.loads(ask(port, path="/version", method="GET")[1]) == {"model": "mine"}
        assert ask(port, path="/restore", method="GET")[0] == 405


@pytest.mark.parametrize(
    "path", ["/../etc/passwd", "/restore/", "/restore/..", "//restore", "/%2e%2e/%ff", "/restore%00", "/r\\..", "*"]
)
def test_other_paths_are_nothing(path):
    with serving() as port:
        assert ask(port, path=path, method="GET")[0] == 404
        assert ask(port, b"abc", path=path)[0] == 404


def test_a_large_body_is_refused_before_it_arrives():
    with serving() as port:
        assert refused(port, head(99999999999))[0] == 413
        assert ask(port, b"abc")[0] == 200


def test_a_large_body_of_unknown_length_is_refused():
    with serving() as port:
        parts = (b"x" * 400 for _ in range(3))
        assert ask(port, parts, headers={"Transfer-Encoding": "chunked"})[0] == 413
        assert ask(port, (b"ab", b"c"), headers={"Transfer-Encoding": "chunked"})[:2] == (200, b"cba")


def test_a_client_that_leaves_is_no_failure(capfd):
    with serving() as port:
        with talk(port, head(10), b"abc"):
            pass
        assert ask(port, b"abc")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_body_that_does_not_arrive_is_given_up():
    with serving(body_seconds=0.2) as port:
        assert refused(port, head(10), b"abc") == (408, "the image did not arrive within 0.2 seconds")
        assert ask(port, b"abc")[0] == 200


def test_a_body_that_comes_in_drops_is_given_up():
    with serving(body_seconds=0.3) as port, talk(port, head(LIMIT)) as client, pytest.raises(ConnectionError):
        drip(client, b"x", 0.02)


def test_slow_bodies_keep_nobody_out():
    with serving(waiting=1) as port, ExitStack() as slow:
        for _ in range(40):
            slow.enter_context(talk(port, head(LIMIT), b"x" * 10))
        assert ask(port, b"abc")[:2] == (200, b"cba")


def test_where_the_spool_is_full_the_slowest_goes(spool):
    most = 100_000
    with (
        serving(max_bytes=most, spool_bytes=2 * most) as port,
        talk(port, head(most), bytes(90_000)) as first,
        talk(port, head(most), bytes(90_000)) as second,
    ):
        eventually(lambda: bytes_in(spool, "sent") > 160_000)
        assert ask(port, bytes(50_000))[0] == 200
        assert told(first) == b""
        second.sendall(bytes(10_000))
        assert second.recv(100).startswith(b"HTTP/1.1 200")


def test_a_body_for_which_there_is_no_room_is_refused():
    begun, go = threading.Event(), threading.Event()

    def held(body):
        if body[:1] == b"a":
            begun.set()
            go.wait(60)
        return backwards(body)

    with serving(held, spool_bytes=1.5 * LIMIT) as port, ThreadPoolExecutor(1) as threads:
        first = threads.submit(ask, port, b"a" * LIMIT)
        assert begun.wait(60)
        assert ask(port, b"b" * LIMIT)[0] == 503
        go.set()
        assert first.result()[0] == 200


def bytes_in(folder, name):
    """Bytes of the files of a name, some of which may go away meanwhile."""
    sizes = [0]
    for file in glob(f"{folder}/**/{name}", recursive=True):
        with suppress(FileNotFoundError):
            sizes.append(Path(file).stat().st_size)
    return sum(sizes)


def test_answers_that_nobody_takes_make_room(spool):
    large = 8 * 2**20
    with serving(lambda _: bytes(large), spool_bytes=3 * large) as port, ExitStack() as slow:
        for _ in range(6):
            slow.enter_context(talk(port, head(3) + b"abc"))
        assert len(ask(port, b"abc")[1]) == large
        # A connection that was broken off takes its file along.
        eventually(lambda: bytes_in(spool, "restored") <= 4 * large)


def test_ten_at_a_time_take_turns():
    running, most, two = [], [], threading.Barrier(2)

    def slow(body):
        running.append(body)
        most.append(len(running))
        two.wait(60)  # each meets another one
        running.remove(body)
        return backwards(body)

    with serving(slow, workers=2, pixels=SMALL_PIXELS + 1) as port, ThreadPoolExecutor(10) as threads:
        bodies = [b"%d." % number for number in range(10)]
        answers = list(threads.map(lambda body: ask(port, body), bodies))
    assert [(status, content) for status, content, _ in answers] == [(200, body[::-1]) for body in bodies]
    assert max(most) == 2


@pytest.mark.parametrize("pixels", [SMALL_PIXELS, SMALL_PIXELS + 1])
def test_more_than_may_wait_are_turned_away(pixels, monkeypatch):
    monkeypatch.setattr("srexp.enhance.serving.application.SMALL_AT_A_TIME", 1)
    go = threading.Event()

    def held(body):
        go.wait(60)
        return backwards(body)

    with serving(held, pixels=pixels, workers=1, waiting=1) as port, ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask, port, b"abc") for _ in range(4)]
        answered = as_completed(asked, timeout=60)
        turned_away = [next(answered).result()[0] for _ in range(2)]  # the other two can't be done yet
        go.set()
        assert turned_away == [503, 503]
        assert [each.result()[0] for each in answered] == [200, 200]


def test_small_images_do_not_wait_for_large_ones():
    go = threading.Event()

    def held(body):
        if body == b"huge":
            go.wait(60)
        return backwards(body)

    def pixels(body):
        return SMALL_PIXELS + (body == b"huge")

    with serving(held, pixels=pixels) as port, ThreadPoolExecutor(20) as threads:
        huge = [threads.submit(ask, port, b"huge") for _ in range(20)]
        assert ask(port, b"abc")[:2] == (200, b"cba")
        assert not any(each.done() for each in huge)
        go.set()
        assert [each.result()[0] for each in huge] == [200] * 20


def test_an_image_that_takes_too_long_is_given_up_between_two_tiles():
    turns = Turns(1)

    def tile(batch):
        time.sleep(0.01)
        return batch

    def endless(body):
        while body == b"abc":
            turns.taking(tile)(body)
        return backwards(body)

    with serving(endless, turns=turns, image_seconds=1.5, pixels=SMALL_PIXELS + 1) as port:
        status, content, _ = ask(port, b"abc")
        assert (status, json.loads(content)["error"]) == (503, "the image was not restored within 1.5 seconds")
        assert ask(port, b"xyz")[0] == 200  # in the same thread, which has ended the other one


def test_nothing_is_restored_for_a_client_that_has_gone(capfd):
    turns, ended, began = Turns(1), threading.Event(), threading.Event()

    def endless(body):
        if body != b"abc":
            return backwards(body)
        began.set()
        try:
            while True:
                turns.taking(lambda batch: time.sleep(0.01))(body)
        except AbandonedError:
            ended.set()
            raise

    with serving(endless, turns=turns) as port:
        with talk(port, head(3), b"abc"):
            assert began.wait(60)
        assert ended.wait(60)
        assert ask(port, b"xyz")[0] == 200
    assert capfd.readouterr().err == ""


def test_an_unforeseen_failure_is_no_end(capfd):
    def failing(body):
        if body == b"bad":
            raise ZeroDivisionError
        return backwards(body)

    with serving(failing) as port:
        assert ask(port, b"bad")[0] == 500
        assert ask(port, b"abc")[0] == 200
        assert ask(port, b"bad")[1] == b"Internal Server Error"


def test_a_folder_for_temporary_files_that_is_gone_is_no_end(spool):
    with serving() as port:
        shutil.rmtree(spool)
        assert ask(port, b"abc")[0] == 500
        Path(spool).mkdir()
        assert ask(port, b"abc")[0] == 200


def test_a_small_image_that_costs_much_waits_with_the_large_ones(monkeypatch):
    monkeypatch.setattr(application, "SMALL_SECONDS", 0.05)
    lanes = []

    def restore(body):
        if body == b"costly":
            confined([], time.sleep, 0.5)
        lanes.append((body, threading.current_thread().name))
        return body

    with serving(restore) as port:
        assert [ask(port, body)[1] for body in (b"cheap", b"costly", b"cheap")] == [b"cheap", b"costly", b"cheap"]
    threads = {
        body: {name.rpartition("_")[0] for each, name in lanes if each == body} for body in (b"cheap", b"costly")
    }
    assert not threads[b"cheap"] & threads[b"costly"]


def test_while_an_answer_is_taken_nothing_else_of_its_request_is_kept(spool):
    """Parts of a body, too: they would lie beside the bytes that are counted."""

    def look(sent, options):
        sent.with_name("part").write_bytes(sent.read_bytes())

        def write(target):
            target.write_bytes(bytes(10**7))
            return Made("image/png")

        return Looked(0, write)

    with answering({"/restore": look}, {}, spool_bytes=10**8) as port, talk(port, head(3), b"abc", takes=1000):
        eventually(lambda: bytes_in(spool, "restored") == 10**7 and bytes_in(spool, "sent") == 0)
        assert [path.name for path in spool.glob("*/*")] == ["restored"]


def test_that_a_client_has_left_is_heard_between_two_parts_of_an_answer(tmp_path, monkeypatch):
    """All others were read and thrown away with a line of asyncio's for each, by which clients could fill a log."""
    monkeypatch.setattr(application, "_PART", 10)
    (tmp_path / "answer").write_bytes(bytes(1000))

    async def parts_until_heard():
        heard, count = [], 0
        async for _ in application._parts(tmp_path / "answer"):
            if heard:
                return count
            count += 1
            asyncio.get_running_loop().call_soon(heard.append, True)
        return count

    assert asyncio.run(parts_until_heard()) == 1
