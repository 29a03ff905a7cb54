"""The page asks nobody else for anything, and nobody else uses it."""

import http.client
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from srexp.enhance.serving.page import FOLDER, HEADERS
from srexp.enhance.serving.turns import Turns
from tests.enhance.serving.served import ask, eventually, serving

FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".html", ".css", ".js", ".svg"))
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def test_all_of_it_is_served_with_its_policy():
    with serving() as port:
        for name in FILES:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/" if name == "index.html" else f"/page/{name}")
            answer = connection.getresponse()
            assert answer.read() == (FOLDER / name).read_bytes()
            assert answer.getheader("content-type").partition(";")[0] == TYPES[name.rpartition(".")[2]]
            assert {name: answer.getheader(name) for name in HEADERS} == HEADERS
            connection.close()
        assert ask(port, path="/", method="HEAD")[:2] == (200, b"")
        assert ask(port, b"x", path="/")[0] == 405
        assert ask(port, path="/page/", method="GET")[0] == ask(port, path="/page/..", method="GET")[0] == 404


def test_a_foreign_name_gets_no_page():
    with serving() as port:
        assert ask(port, path="/", method="GET", headers={"Host": "rebound.example"})[0] == 421
        assert ask(port, b"abc", path="/restore", headers={"Origin": "https://evil.example"})[0] == 403
        assert ask(port, b"abc", path="/restore", headers={"Sec-Fetch-Site": "same-origin"})[0] == 200


@pytest.mark.parametrize("name", FILES)
def test_nothing_of_it_lies_elsewhere_or_runs_within_a_tag(name):
    text = (FOLDER / name).read_text().replace("http://www.w3.org/2000/svg", "")
    assert "//" not in re.sub(r"^\s*//.*|[;{] // .*", "", text, flags=re.MULTILINE)
    assert not re.search(r"<style|\son\w+=|style=|<script(?! type=\"module\" src=)|innerHTML|eval\(", text)
    for used in re.findall(r"(?:href|src)=\"([^\"]+)\"|from \"([^\"]+)\"", text):
        assert (FOLDER / "".join(used).rpartition("/")[2]).is_file()


def test_progress_is_told_to_who_has_the_ticket():
    turns, half, go = Turns(1), threading.Event(), threading.Event()

    def tiled(body):
        turns.expect(4)
        for number in range(4):
            turns.taking(lambda batch: batch)(body)
            if number == 1:
                half.set()
                go.wait(20)
        return body

    def progress(port, ticket):
        return json.loads(ask(port, path=f"/progress?ticket={ticket}", method="GET")[1])

    with serving(tiled, turns=turns) as port, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask, port, b"abc", "/restore?ticket=mine")
        assert half.wait(20)
        assert (progress(port, "mine"), progress(port, "other"), progress(port, "")) == (
            {"done": 2, "tiles": 4},
            {},
            {},
        )
        go.set()
        assert asked.result()[0] == 200
        eventually(lambda: progress(port, "mine") == {})
