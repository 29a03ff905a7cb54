"""Ten users of the page at once, and ones that leave: each answer is that to its own image."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from srexp.enhance.serving.turns import Turns
from srexp.experiment.restoration.request_restoration import request_restoration
from srexp.experiment.restoration.request_score import request_score
from srexp.experiment.restoration.request_view import request_view
from srexp.metrics.psnr import psnr
from tests.enhance.serving.served import answering, ask, eventually, talk, within
from tests.experiment.restoration.sharpening import sharpening

pytestmark = pytest.mark.system

USERS, EACH, PATIENCE = 10, 2, 240
PATHS = ("/view", "/score")


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def port(spool: Path) -> Iterator[int]:
    models, most = {"sharpening": sharpening(2)}, 4 * 10**6
    looks = {
        "/restore": request_restoration(models, most),
        "/view": request_view(most),
        "/score": request_score(models, most),
    }
    limits = {"image_seconds": 300, "body_seconds": 300, "waiting": USERS, "max_bytes": 2**24, "spool_bytes": 2**28}
    with answering(looks, {}, turns=Turns(1), **limits) as number:
        yield number


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def posted(port: int, path: str, body: bytes) -> bytes:
    until = time.monotonic() + PATIENCE
    while True:
        status, content, _ = ask(port, body, path, seconds=PATIENCE)
        if status == 200:
            return content
        assert status == 503, content  # all places are taken: a user tries again
        assert time.monotonic() < until
        time.sleep(0.2)


def unpacked(content: bytes) -> tuple[dict, np.ndarray]:
    head, _, values = content.partition(b"\n")
    facts = json.loads(head)
    kind = np.uint8 if facts["bits"] <= 8 else np.dtype("<u2")
    return facts, np.frombuffer(values, kind).reshape(facts["height"], facts["width"], facts["channels"])


def image(number: int) -> np.ndarray:
    """Another size and other values for each user."""
    return np.random.default_rng(number).integers(0, 256, (40 + number, 60 - number), np.uint8)


def scored(low: bytes, restored: bytes, target: bytes) -> tuple[str, bytes]:
    return f"/score?sizes={len(low)},{len(restored)}", low + restored + target


def use(port: int, number: int) -> None:
    """Do what the page does with an image and its target, and hold each answer against that image."""
    low = image(number)
    high = low.repeat(2, 0).repeat(2, 1)
    for _ in range(EACH):
        facts, values = unpacked(posted(port, "/view", png(low)))
        assert np.array_equal(values[..., 0], low)
        assert facts["kind"] == "png"
        restored = posted(port, "/restore?check=true", png(low))
        with Image.open(io.BytesIO(restored)) as made:
            result = np.asarray(made)
        assert result.shape == high.shape
        path, body = scored(png(low), restored, png(high))
        facts, error = unpacked(posted(port, path, body))
        inside = slice(2, -2), slice(2, -2)
        expected = psnr(result[inside].astype(float), high[inside].astype(float), max_value=255)
        assert float(facts["metrics"][0]["model"]) == pytest.approx(expected, abs=0.001)
        assert error[..., 0] == pytest.approx(np.abs(result.astype(float) - high) * 256, abs=1)


def test_ten_users_at_once_each_get_the_answers_to_their_own_images(port: int, spool: Path) -> None:
    before = psutil.Process().memory_info().rss
    with ThreadPoolExecutor(USERS) as users:
        list(users.map(lambda number: use(port, number), range(USERS)))
    assert psutil.Process().memory_info().rss - before < 300 * 2**20
    eventually(lambda: not within(spool))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.slow
def test_who_leaves_leaves_nothing_behind_and_keeps_nobody_waiting(port: int, spool: Path, path: str) -> None:
    """In the middle of a body, and while the answer is made."""
    large = np.random.default_rng(0).integers(0, 256, (900, 1000), np.uint8)
    low, high = png(large[::2, ::2]), png(large)
    address, body = scored(low, high, high) if path == "/score" else ("/view?enlarge=2", low)
    head = f"POST {address} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for said in (body[: len(body) // 2], body):
        for _ in range(USERS):
            with talk(port, head, said):
                pass
    use(port, 3)
    eventually(lambda: not within(spool), 60)
    assert ask(port, method="GET", path="/health")[0] == 200


@pytest.mark.parametrize("path", PATHS)
def test_what_is_too_large_damaged_or_no_image_is_refused_and_the_next_one_answered(port: int, path: str) -> None:
    low = image(1)
    good, high = png(low), png(low.repeat(2, 0).repeat(2, 1))
    huge = png(np.zeros((2100, 2000), np.uint8))
    for body, status in (
        (b"no image", 415),
        (good[: len(good) // 2], 422),
        (huge, 413),
        (b"x" * (2**24 + 1), 413),
    ):
        address, sent = (scored(body, high, high)) if path == "/score" else (path, body)
        got, content, _ = ask(port, sent, address, seconds=PATIENCE)
        assert got == status, content
        assert json.loads(content)["error"]
    use(port, 1)
