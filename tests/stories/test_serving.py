"""What MLflow's own server makes of a registered model, started as the documentation says."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(scope="module")
def port(champion):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.getsockname()[1]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{champion.root}/mlruns/mlflow.db",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", champion.uri, "--env-manager", "local"]
    command += ["--port", str(number), "--workers", "1"]
    with subprocess.Popen(
        command, env=environment, cwd=champion.root, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not answers(number):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.3)
            yield number
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
            return True
    except OSError:
        return False


def ask(port, body, kind="application/json"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def restored(port, low):
    body = json.dumps({"inputs": low[np.newaxis, ..., np.newaxis].tolist()}).encode()
    status, content = ask(port, body)
    assert status == 200, content
    return np.array(json.loads(content)["predictions"])[0, ..., 0]


def test_ten_images_of_different_sizes_at_a_time(champion, port):
    lows = [np.random.default_rng(n).random((9 + n, 14), dtype=np.float32) for n in range(10)]
    with ThreadPoolExecutor(10) as threads:
        for low, image in zip(lows, threads.map(lambda low: restored(port, low), lows), strict=True):
            assert image == pytest.approx(champion.expected(low), abs=1e-5)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"{not", "application/json"),
        (b'{"inputs": "x"}', "application/json"),
        (b'{"inputs": [[1.0, 2.0]]}', "application/json"),
        (b'{"inputs": [[[[1.0], [2.0]], [[1.0]]]]}', "application/json"),
        (json.dumps({"inputs": np.zeros((1, 4, 4, 3)).tolist()}).encode(), "application/json"),
        (b'{"inputs": []}', "application/json"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
    ],
)
def test_what_is_no_image_is_refused_and_the_server_lives_on(port, body, kind):
    assert 400 <= ask(port, body, kind)[0] < 500
    assert restored(port, np.ones((4, 4), np.float32)).shape == (8, 8)
