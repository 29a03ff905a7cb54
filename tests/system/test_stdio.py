"""A command outlives who reads what it says."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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
