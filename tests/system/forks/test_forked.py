"""A forked process is a process like one that was started anew, and its server is no burden to anybody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from srexp.system.forks import forked, server

pytestmark = pytest.mark.system
ANEW = [sys.executable, "-c", "raise SystemExit(99)"]
TARGET = f"{__name__}:show"


def show(words: Sequence[str]) -> int:
    """Do as the words say, in the forked process."""
    what, *rest = words
    if what == "tell":
        print(Path.cwd(), os.environ.get("KERAS_HOME"), oct(os.umask(0)), os.getpgid(0) == os.getpid(), *rest)
        print(signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGINT), file=sys.stderr)
    elif what == "sleep":
        time.sleep(100)
    elif what == "abort":
        os.abort()
    return int(rest[0]) if rest else 0


@pytest.fixture(scope="module")
def offered() -> Iterator[None]:
    with forked.offered(TARGET, []):
        yield


def start(*words: str, **options: Any) -> forked.Forked:
    found = forked.server_for(TARGET, options.setdefault("env", dict(os.environ)))
    assert found is not None
    return forked.Forked(ANEW, server=found, words=words, **options)


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.mark.parametrize(("words", "code"), [(["end", "0"], 0), (["end", "3"], 3), (["abort"], -signal.SIGABRT)])
def test_the_exit_code_comes_back(offered, words, code):
    with start(*words) as process:
        assert process.wait(60) == code


def test_a_process_that_ends_at_once_is_looked_after_like_any_other(offered, monkeypatch):
    """The server may have waited for it before it could be looked at."""

    def gone(number):
        raise ProcessLookupError

    monkeypatch.setattr(os, "pidfd_open", gone)
    with start("end", "3") as process:
        process.terminate()
        assert process.wait(60) == 3


def test_it_has_what_a_process_is_started_with(offered, tmp_path):
    before = os.umask(0o027)
    try:
        process = start("tell", cwd=tmp_path, env={**os.environ, "KERAS_HOME": "here"}, **PIPES)
    finally:
        os.umask(before)
    with process:
        said, signals = process.communicate(timeout=60)
    assert said.split() == [str(tmp_path), "here", "0o27", "False"]
    assert signals.split()[0] == str(signal.SIG_DFL)
    assert "default_int_handler" in signals
    with start("tell", start_new_session=True, **PIPES) as process:
        assert process.communicate(timeout=60)[0].split()[3] == "True"


def test_it_ignores_what_it_is_told_to_and_what_this_process_ignores(offered):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start("tell", ignoring=[signal.SIGINT], **PIPES)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        assert process.communicate(timeout=60)[1].split() == [str(signal.SIG_IGN)] * 2


def test_it_can_be_waited_for_and_killed(offered):
    with start("sleep") as process:
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM
        process.kill()  # and nothing is sent to whoever has its number now


def test_signals_for_all_of_a_group_leave_the_server(offered):
    number = forked.server_for(TARGET, os.environ).process.pid
    for each in server.HELD_BACK:
        os.kill(number, each)
    with start("end", "4") as process:
        assert process.wait(60) == 4


@pytest.mark.parametrize("name", ["CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PYTHONHASHSEED", "TF_ENABLE_ONEDNN_OPTS"])
def test_with_another_environment_for_libraries_it_starts_anew(offered, name):
    assert forked.server_for(TARGET, os.environ) is not None
    assert forked.server_for(TARGET, {**os.environ, name: "another"}) is None


def test_nothing_is_offered_outside_nor_for_another_target_nor_beside_a_gpu(monkeypatch):
    assert forked.server_for("json:loads", os.environ) is None
    monkeypatch.setattr(forked, "_DEVICES", (Path("/dev/null"),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with forked.offered("json:loads", []):
        assert forked.server_for("json:loads", os.environ) is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with forked.offered("json:loads", []):
        assert forked.server_for("json:loads", os.environ) is not None


def test_where_the_server_was_killed_the_end_of_its_forks_is_seen_and_the_next_starts_anew():
    with forked.offered(TARGET, []), start("sleep") as process:
        forked.server_for(TARGET, os.environ).process.kill()
        time.sleep(0.2)
        assert process.poll() is None
        threading.Timer(0.5, process.kill).start()
        assert process.wait(60) == -signal.SIGKILL
        with pytest.raises(forked.ServerGoneError):
            start("end")


def test_a_server_that_can_not_import_or_finds_a_thread_forks_nothing(capfd):
    for missing in ("srexp.nowhere", "tests.system.forks.starts_a_thread"):
        with forked.offered(TARGET, [missing]), pytest.raises(forked.ServerGoneError):
            start("end")
    said = capfd.readouterr().err
    assert "No module named 'srexp.nowhere'" in said
    assert "importing started threads" in said


def test_what_libraries_say_when_they_are_imported_is_kept_off_the_terminal(capfd):
    with forked.offered(TARGET, ["tests.system.forks.says_something"]), start("end", "3") as process:
        assert process.wait(60) == 3
    assert capfd.readouterr().err == ""


def test_it_ends_with_who_asks_and_its_forks_go_on():
    code = (
        "import os, time; from srexp.system.forks import forked\n"
        f"with forked.offered({TARGET!r}, []):\n"
        f"    found = forked.server_for({TARGET!r}, os.environ)\n"
        "    with forked.Forked([], server=found, words=['sleep']) as process:\n"
        "        print(found.process.pid, process.pid, flush=True)\n"
        "        time.sleep(100)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as asking:
        found, forks = map(psutil.Process, map(int, asking.stdout.readline().split()))
        asking.kill()
    _, alive = psutil.wait_procs([found], timeout=60)
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
    assert forks.is_running()
    forks.kill()
