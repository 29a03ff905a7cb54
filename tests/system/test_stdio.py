"""A command outlives who reads what it says."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from srexp.system import stdio

BEGINNING = """
import os, subprocess, sys
from srexp.system.stdio import outlive_reader
outlive_reader()
"""


def run_unread(gone: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run a program one of whose pipes nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, gone: writing}
    try:
        return subprocess.run([sys.executable, "-c", BEGINNING + code], check=False, text=True, timeout=60, **streams)
    finally:
        os.close(writing)


@pytest.mark.parametrize(("gone", "left"), [("stdout", "stderr"), ("stderr", "stdout")])
def test_what_nobody_reads_goes_nowhere_and_the_work_goes_on(gone, left):
    code = f"""
for line in range(3):
    print(line, file=sys.{gone}, flush=True)
subprocess.run([sys.executable, "-c", "print(1, flush=True); import sys; print(1, file=sys.stderr)"], check=True)
os.write(sys.{gone}.fileno(), b"from a library")
print("done", file=sys.{left})
"""
    done = run_unread(gone, code)
    assert done.returncode == 0
    assert "done" in getattr(done, left)
    assert "Broken" not in (done.stdout or "") + (done.stderr or "")


def test_what_is_read_arrives_as_it_was_written():
    code = "print('ä', end='\\r\\n'); sys.stdout.write('b'); print('c', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", BEGINNING + code], capture_output=True, check=True, timeout=60)
    assert done.stdout == "ä\r\nb".encode()
    assert done.stderr == b"c\n"


def test_a_file_and_what_a_test_put_there_are_left_alone(tmp_path):
    code = """
import io
before, sys.stderr = sys.stdout, io.StringIO()
kept = sys.stderr
outlive_reader()
sys.exit(sys.stdout is not before or sys.stderr is not kept)
"""
    with (tmp_path / "said.txt").open("w") as file:
        done = subprocess.run([sys.executable, "-c", BEGINNING + code], stdout=file, check=False, timeout=60)
    assert done.returncode == 0


def test_what_is_written_below_python_can_be_kept_off():
    code = """
from srexp.system.stdio import no_native_stderr
with no_native_stderr():
    os.write(2, b"unwanted")
os.write(2, b"wanted")
"""
    done = subprocess.run([sys.executable, "-c", BEGINNING + code], check=True, capture_output=True, timeout=60)
    assert done.stderr == b"wanted"


def test_a_pipe_that_nobody_reads_any_more_leads_nowhere_for_libraries_too(monkeypatch):
    reading, writing = os.pipe()
    stream = io.TextIOWrapper(io.FileIO(writing, "w"), encoding="latin-1", line_buffering=True)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    stdio.outlive_reader()
    print("ä")
    assert os.read(reading, 9) == b"\xe4\n"
    assert isinstance(sys.stderr, io.StringIO)
    os.close(reading)
    print("unread")
    assert os.path.samestat(os.fstat(writing), Path(os.devnull).stat())
    sys.stdout.close()
    stream.close()


def test_what_is_written_below_python_is_kept_off_in_this_process_too(capfd):
    with stdio.no_native_stderr():
        os.write(2, b"unwanted")
    os.write(2, b"wanted")
    assert capfd.readouterr().err == "wanted"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_comes_next_is_said_where_somebody_waits(monkeypatch, terminal):
    said = io.StringIO()
    said.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", said)
    stdio.stage("loading")
    assert said.getvalue() == ("loading\n" if terminal else "")


def test_no_traceback_shows_a_password(monkeypatch, capsys):
    for each in (sys, threading):
        monkeypatch.setattr(each, "excepthook", None)
    stdio.mask_tracebacks()
    error = ValueError("postgresql://me:secret@host/db is away")
    sys.excepthook(ValueError, error, None)
    threading.excepthook(threading.ExceptHookArgs([ValueError, error, None, None]))
    said = capsys.readouterr().err
    assert said.count("ValueError: postgresql://") == 2
    assert "secret" not in said


def test_what_finds_no_room_is_told(monkeypatch, capfd):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert stdio.flush()
    monkeypatch.setattr(sys, "stdout", Full())
    assert not stdio.flush()
    assert capfd.readouterr().err == "srexp: stdout can't be written: No space left on device\n"
