"""Work in a process of its own: bounded, repeated, and gone with the one that asked for it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from srexp.errors import RequestError
from srexp.system import confined_process, confinement
from srexp.system.confinement import ExhaustedError, HurriedError, at_most, confined, hurried, in_background, release


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Let no process of another test answer, whose sys.path may lack this folder."""
    release()
    yield
    release()


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """Leave out processes that a thread of another test still waits for."""
    _of_others.update(children())
    yield
    _of_others.clear()


#: Confined processes from before the test.
_of_others: set[int] = set()


def children() -> set[int]:
    found = {child.pid for child in psutil.Process().children() if "confined_process" in " ".join(child.cmdline())}
    return found - _of_others


# What is confined has to be found by another process, so it comes from libraries.


def test_one_process_answers_again_and_again():
    assert confined([], os.getpid) == confined([], os.getpid) != os.getpid()


def test_arrays_come_back_as_they_were_and_cant_be_written_to():
    made = confined([], np.arange, 12, dtype="<u2")

    np.testing.assert_array_equal(made, np.arange(12, dtype="<u2"))
    assert made.dtype == np.uint16
    assert not made.flags.writeable


def test_a_large_array_comes_back_whole():
    assert int(confined([], np.full, 30_000_000, 7, dtype="u1").sum()) == 7 * 30_000_000


def test_time_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(confinement, "SECONDS", 0.5)
    started = time.monotonic()

    with pytest.raises(ExhaustedError, match=r"takes more than 0.5 s"):
        confined([], time.sleep, 60)
    assert time.monotonic() - started < 50
    assert confined([], abs, -1) == 1


def test_time_is_bounded_where_code_keeps_the_interpreter_to_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(confinement, "SECONDS", 0.5)

    with pytest.raises(ExhaustedError, match=r"takes more than 0.5 s"):
        confined([], pow, 3, 10**9)


def test_a_call_in_a_hurry_says_no_more_than_that_and_the_next_has_all_the_time():
    with hurried(0.1), pytest.raises(HurriedError):
        confined([], time.sleep, 5)
    assert confined([], time.sleep, 0.6) is None


def test_what_is_bounded_further_has_that_time_and_no_more():
    with at_most(0.1), pytest.raises(ExhaustedError, match=r"takes more than 0\.1 s"):
        confined([], pow, 3, 10**9)
    for hurry, most, hurried_alone in ((0.1, 9.0, True), (9.0, 0.1, False)):
        with hurried(hurry), at_most(most):
            call = confinement.Begun([], abs, -1)
        assert (call._hurried, call._seconds, call()) == (hurried_alone, 0.1, 1)


def test_calls_in_the_background_come_last_and_have_processes_of_their_own():
    priority = "__import__('os').getpriority(0, 0), __import__('os').getpid()"
    with in_background():
        last, other = confined([], eval, priority, {})
    mine, own = confined([], eval, priority, {})
    assert (last, mine) == (19, os.getpriority(os.PRIO_PROCESS, 0))
    assert other != own
    with in_background():
        assert confined([], os.getpid) == other


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(confinement, "MEMORY_BYTES", 2**27)

    with pytest.raises(ExhaustedError, match=r"takes more than 128 MiB of memory"):
        confined([], bytes, 2**28)
    assert confined([], abs, -1) == 1


def test_what_grew_is_not_used_again():
    first = confined([], os.getpid)
    confined([], exec, "import sys; sys.kept = bytes(400 * 2**20)", {})

    assert confined([], os.getpid) != first


def test_a_large_answer_alone_is_no_growth():
    first = confined([], os.getpid)
    confined([], np.zeros, 2**29, dtype="u1")

    assert confined([], os.getpid) == first


@pytest.mark.parametrize(
    ("ending", "word"), [((os.abort,), "SIGABRT"), ((os._exit, 3), "exit code 3"), ((sys.exit, 4), "exit code 4")]
)
def test_a_process_that_ends_is_told_and_replaced(ending, word: str):
    with pytest.raises(ExhaustedError, match=word):
        confined([], *ending)
    assert confined([], abs, -1) == 1


def test_what_it_prints_and_complains_of_is_not_heard(capfd: pytest.CaptureFixture[str]):
    confined([], os.system, "echo loud; echo louder >&2")
    confined([], print, "loud", flush=True)

    assert capfd.readouterr() == ("", "")


def test_it_has_no_secret_of_the_environment_and_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    held = confined([], eval, "dict(__import__('os').environ)", {})

    assert "MLFLOW_TRACKING_PASSWORD" not in held
    with pytest.raises(ExhaustedError):
        confined([], np.save, tmp_path / "a.npy", np.zeros(9))
    assert not (tmp_path / "a.npy").exists() or (tmp_path / "a.npy").stat().st_size == 0


def test_it_keeps_no_file_of_this_process_open(tmp_path: Path):
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        held = confined([], eval, "[__import__('os').path.realpath(f'/proc/self/fd/{n}') for n in range(50)]", {})

    assert str(tmp_path / "open") not in held


def test_an_answer_of_another_type_is_not_made(tmp_path: Path):
    """What took a decoder over must not make this process call what it likes."""
    code = f"type('Evil', (), {{'__reduce__': lambda self: (__import__('os').mkdir, ({str(tmp_path / 'made')!r},))}})()"

    with pytest.raises(KeyError):
        confined([], eval, code, {})
    assert not (tmp_path / "made").exists()


def test_an_answer_of_endless_words_is_not_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(confinement, "_LARGEST_WORDS", 2**20)

    with pytest.raises(ExhaustedError, match="says more than 1 MiB besides its pixels"):
        confined([], eval, "'a' * 2**21", {})
    assert confined([], abs, -1) == 1


def test_a_call_that_could_not_begin_leaves_no_process(monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(confinement._Worker, "ask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            confined([], abs, -1)
    assert children() == set()
    assert confined([], abs, -1) == 1


def test_memory_that_ran_out_is_seen_whatever_became_of_it_on_the_way():
    ran_out, other = ValueError("damaged"), ValueError("damaged")
    ran_out.__context__ = MemoryError()
    assert [confined_process._is_memory_error(each) for each in (MemoryError(), ran_out, other, None)] == [
        True, True, False, False,
    ]  # fmt: skip


def test_errors_that_are_named_come_back():
    code = "from srexp.errors import RequestError\nraise RequestError('wrong', got=3, fix='mend')"

    with pytest.raises(RequestError) as told:
        confined([], exec, code, {})
    assert (told.value.what, told.value.got, told.value.fix) == ("wrong", 3, "mend")


def test_threads_have_a_process_each():
    together = threading.Barrier(4)

    def number(_: int) -> int:
        together.wait(60)
        confined([], time.sleep, 0.5)
        return confined([], os.getpid)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(number, range(4)))

    assert len(children()) <= 4
    assert len(set(numbers)) > 1
    release()
    assert children() == set()


def test_a_fork_leaves_it_to_the_process_that_started_it():
    mine = confined([], os.getpid)
    forked = os.fork()
    if not forked:
        good = False
        with contextlib.suppress(BaseException):
            good = confined([], os.getpid) != mine
            release()
        os._exit(0 if good else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    assert confined([], os.getpid) == mine


def test_an_interruption_ends_it_and_the_next_call_gets_its_own_answer():
    threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        confined([], time.sleep, 14)
    assert children() == set()
    assert confined([], abs, -5) == 5


@pytest.mark.parametrize("work", ["time.sleep, 60", "os.getpid"])
def test_it_ends_with_the_process_that_started_it(work: str):
    """Amid a call too, and however that process ended."""
    code = (
        "import os, threading, time\nfrom srexp.system.confinement import confined, _workers\n"
        f"confined([], abs, 1)\nthreading.Thread(target=confined, args=([], {work}), daemon=True).start()\n"
        "time.sleep(0.3)\nprint([worker.process.pid for worker in _workers][0], flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        worker = int(other.stdout.readline())
        other.kill()
    deadline = time.monotonic() + 60
    while psutil.pid_exists(worker) and psutil.Process(worker).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
