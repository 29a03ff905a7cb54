"""A job's own process: its exit code comes back, and it never outlives the one that waits for it."""

from __future__ import annotations

import atexit
import io
import json
import operator
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from srexp.system import child_process, process_identity
from srexp.system.child_process import DRIVER, run_alone, run_server

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("work", "arguments", "code"),
    [(operator.index, (0,), 0), (operator.index, (2,), 2), (os._exit, (3,), 3), (os.abort, (), -signal.SIGABRT)],
)
def test_the_exit_code_comes_back(work, arguments, code, capfd):
    assert run_alone(work, *arguments) == code


def struck_at_the_end(number: int) -> int:
    atexit.register(signal.raise_signal, number)
    return 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_its_work_changes_no_exit_code(number, capfd):
    assert run_alone(struck_at_the_end, number) == 0


def others_than(known: set[psutil.Process]) -> list[psutil.Process]:
    """Processes that this one has started since; a worker of the suite may have some of its own."""
    return [child for child in psutil.Process().children(recursive=True) if child not in known]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on(number):
    known, children = set(psutil.Process().children(recursive=True)), []

    def interrupt() -> None:
        while not children:
            time.sleep(0.1)
            children.extend(others_than(known))
        time.sleep(1)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run_alone(time.sleep, 100)
    assert not any(child.is_running() for child in children)


def test_the_job_ends_when_its_driver_is_killed():
    code = "import time; from srexp.system.child_process import run_alone; run_alone(time.sleep, 100)"
    with subprocess.Popen([sys.executable, "-c", code]) as driver:
        children: list[psutil.Process] = []
        while not children:
            time.sleep(0.1)
            children = psutil.Process(driver.pid).children()
        time.sleep(1)
        driver.kill()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


def test_the_job_ends_when_the_driver_behind_a_worker_is_gone(monkeypatch):
    """A worker of joblib goes on waiting when the process that drives the multirun was killed."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as driver:
        gone = process_identity.process_tags(driver.pid)
    monkeypatch.setenv(DRIVER, json.dumps(gone))
    begin = time.monotonic()
    assert run_alone(time.sleep, 100) == 130
    assert time.monotonic() - begin < 50


def test_a_server_takes_its_workers_with_it(tmp_path):
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)']).wait()"
    known, seen = set(psutil.Process().children(recursive=True)), list[psutil.Process]()

    def interrupt() -> None:
        while len(seen) < 2:
            time.sleep(0.1)
            seen[:] = others_than(known)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run_server([sys.executable, "-c", code], os.environ, tmp_path / "log")
    _, alive = psutil.wait_procs(seen, timeout=60)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


def test_the_exit_code_of_a_server_comes_back_and_what_it_said_is_kept(tmp_path, capfd):
    code = "import sys; print('said', flush=True); print('complained', file=sys.stderr); raise SystemExit(3)"
    assert run_server([sys.executable, "-c", code], os.environ, tmp_path / "log") == 3
    assert (tmp_path / "log").read_text().split() == ["said", "complained"]
    assert "".join(capfd.readouterr()) == ""


def test_what_does_not_end_when_it_is_asked_to_is_ended(monkeypatch):
    monkeypatch.setattr(child_process, "END_SECONDS", 0.3)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        child_process.end(process)
        assert process.returncode == -signal.SIGKILL


def test_a_second_ctrl_c_ends_it_at_once():
    class Waited(subprocess.Popen):
        asked = 0

        def wait(self, timeout=None):
            self.asked += 1
            if self.asked == 1:
                raise KeyboardInterrupt
            return super().wait(timeout)

    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(100)"
    process = Waited([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    with pytest.raises(KeyboardInterrupt):
        child_process.end(process)
    assert process.returncode == -signal.SIGKILL
    process.stdout.close()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (pickle.dumps((operator.index, (3,))), 3),
        (pickle.dumps((operator.index, (0,))), 0),
        (pickle.dumps((signal.raise_signal, (signal.SIGTERM,))), 130),
        (b"", 130),  # who started it was interrupted before it said what to do
    ],
)
def test_it_does_what_it_is_told_and_ends_with_the_code_of_that(monkeypatch, said, code):
    for name in ("outlive_reader", "mask_tracebacks", "_end_with_the_other"):
        monkeypatch.setattr(child_process, name, lambda: None)
    monkeypatch.setattr(child_process, "leave", sys.exit)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(said)))
    with pytest.raises(SystemExit) as ended:
        child_process.begin()
    assert ended.value.code == code


@pytest.mark.parametrize("which", ["the one that waits", "the driver behind it"])
def test_it_asks_itself_to_end_when_another_is_gone(monkeypatch, which):
    reading, writing = os.pipe()
    if which == "the one that waits":
        os.close(writing)
    else:
        with subprocess.Popen([sys.executable, "-c", "pass"]) as driver:
            monkeypatch.setenv(DRIVER, json.dumps(process_identity.process_tags(driver.pid)))
    asked = []
    monkeypatch.setattr(os, "kill", lambda number, sent: asked.append((number, sent)))
    with os.fdopen(reading) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        child_process._end_with_the_other()
    assert asked == [(os.getpid(), signal.SIGTERM)]
    if which != "the one that waits":
        os.close(writing)
