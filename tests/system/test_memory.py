"""How much memory a process has."""

import platform
import subprocess
import sys

import numpy as np
import pytest

from srexp.system import memory

MIB = 2**20


def test_the_peak_is_that_of_the_process_and_not_of_the_one_that_started_it():
    large = np.ones(1000 * MIB, np.uint8)
    code = """
import numpy as np
from srexp.system.memory import peak_bytes
before = peak_bytes()
taken = np.ones(100 * 2**20, np.uint8)
print(before, peak_bytes())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    before, after = map(int, done.stdout.split())
    assert before < large.nbytes / 2
    assert 90 * MIB < after - before < 200 * MIB


def test_without_proc_the_system_is_asked(monkeypatch):
    there = memory.peak_bytes()
    monkeypatch.setattr(memory, "Path", lambda _: memory.sys)  # no file, no text
    monkeypatch.setattr(memory.sys, "read_text", lambda **_: "", raising=False)
    assert 0.5 * there < memory.peak_bytes()
    assert memory.peak_rss_mb() == round(memory.peak_bytes() / MIB, 1)


def test_a_container_bounds_what_is_free(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("200000\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.free_bytes() == 640_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes() > 640_000


def test_the_whole_memory_is_the_containers_where_that_has_less(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    machine = memory.whole_bytes()
    assert machine > memory.free_bytes()
    (tmp_path / "memory.max").write_text("1000000\n")
    assert memory.whole_bytes() == machine  # swap has no bound that is known
    (tmp_path / "memory.swap.max").write_text("24\n")
    assert memory.whole_bytes() == 1_000_024
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.whole_bytes() == machine


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators keep less")
def test_what_was_freed_is_given_back():
    blocks = [bytearray(100_000) for _ in range(2000)]
    blocks = blocks[::100]  # what lies between is freed, below what is still in use
    before = memory.rss_mb()
    memory.give_back_freed_memory()
    assert memory.rss_mb() < before - 100
    del blocks
