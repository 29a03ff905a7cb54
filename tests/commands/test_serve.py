"""`serve` as its own process: real images over HTTP, and what must not end it."""

import http.client
import io
import ipaddress
import json
import signal
import socket
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

import srexp
from srexp.cli import run
from srexp.commands.serve import _listen, _served
from srexp.enhance.runtimes import choice
from srexp.enhance.serving.turns import Turns
from srexp.errors import RequestError
from srexp.zoo.catalogue import shipped
from tests.warm_start import Command

pytestmark = pytest.mark.system


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_the_whole_zoo_is_there_without_a_race_of_runtimes_for_each(monkeypatch):
    """That took two and a half minutes, before anything was served."""
    monkeypatch.setattr(choice, "race", lambda *_: pytest.fail("runtimes are raced"))
    one = {"hybrid-cxr-x2": shipped()["hybrid-cxr-x2"]}
    monkeypatch.setattr("srexp.commands.serve.shipped", lambda: one)
    _, [facts] = _served(srexp.compose([], verb="serve"), Turns(1))
    assert (facts["model"], facts["runtime"]) == ("zoo/hybrid-cxr-x2", "keras")


@pytest.fixture(scope="module")
def server(champion):
    """The process, which says where it listens."""
    number = free_port()
    words = ["serve", f"model_uri={champion.uri}", f"port={number}", "max_mb=1", "max_pixels=90000", "waiting=16"]
    words += ["runtime=openvino", "hosts=[mine.example]", "origins=[https://viewer.example]"]
    with Command(words, env=champion.environment(), stdout=subprocess.PIPE, text=True) as process:
        shown = []
        for line in process.stdout:
            shown.append(line)
            if line.startswith("serving"):
                break
        assert shown[-1].split()[1] == f"http://127.0.0.1:{number}/restore", shown
        assert "dB lost" in shown[-2]
        running = psutil.Process(process.pid)
        running.port = number
        yield running
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


@pytest.fixture(scope="module")
def port(server):
    return server.port


@pytest.mark.parametrize("verb", ["serve", "ui"])
def test_nobody_but_this_machine_is_listened_to_unless_it_is_asked_for(verb):
    assert srexp.compose(["model_uri=x"] if verb == "serve" else [], verb=verb).host == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_the_address_that_was_asked_for_is_the_only_one_that_is_listened_on(host):
    with _listen(host, 0) as listening:
        address, number = listening.getsockname()
        assert ipaddress.ip_address(address).is_loopback
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.3", number), timeout=5)


def ask(port, body=None, path="/restore", method="POST", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def file(pixels, form, **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def picture(height, width, bits=8, seed=0):
    coarse = np.random.default_rng(seed).random((height // 4 + 2, width // 4 + 2))
    whole = np.kron(coarse, np.ones((4, 4)))[:height, :width]
    return np.round(whole * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize(("form", "bits"), [("PNG", 8), ("PNG", 16), ("TIFF", 8), ("TIFF", 16), ("BMP", 8)])
def test_the_same_kind_and_depth_comes_back(champion, port, form, bits):
    low = picture(31, 46, bits)
    status, content = ask(port, file(low, form))
    assert status == 200
    with Image.open(io.BytesIO(content)) as answer:
        assert answer.format == form
        restored = np.asarray(answer)
    assert restored.dtype == low.dtype
    white = 2**bits - 1
    expected = np.clip(champion.expected(low / white), 0, 1) * white
    assert np.abs(restored - expected).max() < (0.51 if bits == 8 else 1)


def test_colour_comes_back_in_colour(champion, port):
    grey = picture(24, 32)
    status, content = ask(port, file(np.stack([grey] * 3, axis=-1), "PNG"))
    assert status == 200
    with Image.open(io.BytesIO(content)) as answer:
        assert answer.mode == "RGB"
        restored = np.asarray(answer)
    expected = np.clip(champion.expected(grey / 255), 0, 1) * 255
    assert np.abs(restored - expected[..., np.newaxis]).max() < 1.51


def test_dicom_comes_back_as_a_derived_object(port):
    original = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    status, content = ask(port, Path(get_testdata_file("CT_small.dcm")).read_bytes())
    assert status == 200
    answer = pydicom.dcmread(io.BytesIO(content))
    assert (answer.Rows, answer.Columns) == (2 * original.Rows, 2 * original.Columns)
    assert answer.ImageType[:2] == ["DERIVED", "SECONDARY"]
    assert answer.SOPInstanceUID != original.SOPInstanceUID
    assert answer.pixel_array.dtype == original.pixel_array.dtype


def test_jpeg(champion, port):
    sent = file(picture(40, 40), "JPEG", quality=95)
    with Image.open(io.BytesIO(sent)) as decoded:
        expected = champion.expected(np.asarray(decoded) / 255) * 255
    status, content = ask(port, sent)
    assert status == 200
    with Image.open(io.BytesIO(content)) as answer:
        assert answer.format == "JPEG"
        assert np.abs(np.asarray(answer) - np.clip(expected, 0, 255)).mean() < 4


def test_ten_at_a_time(champion, port):
    lows = [picture(20 + number, 33, seed=number) for number in range(10)]
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda low: ask(port, file(low, "PNG")), lows))
    for low, (status, content) in zip(lows, answers, strict=True):
        assert status == 200
        with Image.open(io.BytesIO(content)) as answer:
            gap = np.abs(np.asarray(answer) - np.clip(champion.expected(low / 255), 0, 1) * 255)
        assert gap.max() < 0.51


def chunk(kind, content):
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def png_that_claims(width, height):
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


GOOD = file(picture(16, 16), "PNG")
BAD = {
    "empty": (b"", 422),
    "no image": (b"hello", 415),
    "code": (b"import os; os.system('true')", 415),
    "pickle": (b"\x80\x04\x95", 415),
    "an array": (b"\x93NUMPY\x01\x00", 415),
    "truncated": (GOOD[: len(GOOD) // 2], 422),
    "signature alone": (GOOD[:8], 422),
    "damaged": (GOOD[:40] + b"\xff" * 20 + GOOD[60:], 422),
    "body too large": (b"\x89PNG\r\n\x1a\n" + bytes(2**20), 413),
    "too many pixels": (file(np.zeros((151, 150), np.uint8), "PNG"), 413),
    "claims to be huge": (png_that_claims(60000, 60000), 413),
    "bomb": (file(np.zeros((12000, 12000), np.uint8), "PNG"), 413),
    "several pages": (
        file(picture(8, 8), "TIFF", save_all=True, append_images=[Image.fromarray(picture(8, 8))]),
        422,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_restored_is_refused_and_the_server_lives_on(port, name):
    body, expected = BAD[name]
    status, content = ask(port, body)
    assert 400 <= status < 500
    assert status == expected, content
    said = json.loads(content)["error"]
    assert said
    assert "/tmp" not in said
    assert ask(port, GOOD)[0] == 200


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [("Host", "rebound.example", 421), ("Origin", "https://evil.example", 403), ("Sec-Fetch-Site", "cross-site", 403)],
)
def test_only_who_means_this_server_is_answered(port, header, value, expected):
    assert ask(port, GOOD, headers={"Host": "localhost", header: value})[0] == expected
    assert ask(port, GOOD, headers={"Host": "mine.example", "Origin": "https://viewer.example"})[0] == 200


def test_a_body_that_waits_takes_no_memory(port, server):
    before = server.memory_info().rss
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"POST /restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % 2**20)
            client.sendall(bytes(2**20 - 1))
        assert ask(port, GOOD)[0] == 200
        assert server.memory_info().rss - before < 25 * 2**20


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "wrong",
    [
        *("hosts=[https://mine.example]", "hosts=[mine.example:80]", "hosts=['*/*']", "hosts=['']"),
        *("origins=[viewer.example]", "origins=['*']", "origins=['null']", "origins=[https://viewer.example/]"),
        *("head_seconds=0", "body_seconds=-1", "image_seconds=.inf", "connections=0", "spool_mb=0"),
    ],
)
def test_wrong_limits_are_refused(wrong):
    with pytest.raises(RequestError, match=wrong.partition("=")[0]):
        srexp.compose(["model_uri=x", wrong], verb="serve")


def test_health_and_version(port):
    assert ask(port, path="/health", method="GET") == (200, b'{"status":"ok"}')
    told = json.loads(ask(port, path="/version", method="GET")[1])
    assert told.keys() == {"srexp", "model", "digest", "scale", "runtime", "precision"}
    assert (told["model"], told["scale"]) == ("models:/task-bicubic-x2/1", 2)


def test_the_page_finds_its_models(port):
    assert b"Not for diagnosis" in ask(port, path="/", method="GET")[1]
    told = json.loads(ask(port, path="/models", method="GET")[1])
    assert (told["max_bytes"], told["max_pixels"]) == (2**20, 90000)
    assert [(each["model"], each["intensity"]) for each in told["models"]] == [("models:/task-bicubic-x2/1", "bits")]
    restored = ask(port, GOOD, path="/restore?model=models:/task-bicubic-x2/1&ticket=t")
    assert restored[0] == 200
    facts, _, values = ask(port, restored[1], path="/view")[1].partition(b"\n")
    assert (json.loads(facts)["height"], len(values)) == (32, 32 * 32)
    sizes = f"{len(GOOD)},{len(restored[1])}"
    scored = ask(port, GOOD + 2 * restored[1], path=f"/score?sizes={sizes}")
    assert (scored[0], json.loads(scored[1].partition(b"\n")[0])["metrics"][0]["model"]) == (200, "inf")
    assert ask(port, GOOD, path="/restore?model=other")[0] == 422


def test_a_port_that_is_taken(champion, monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("SREXP_ROOT", str(champion.root))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]
        request = ["serve", f"model_uri={champion.uri}", f"port={taken}", f"hydra.run.dir={tmp_path}"]
        assert run(request) == 2
    assert f"can't listen on 127.0.0.1:{taken}" in capfd.readouterr().err
