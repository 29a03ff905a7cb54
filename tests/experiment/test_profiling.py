"""What a command measures of itself."""

import subprocess
import sys

import numpy as np

from srexp.experiment import profiling

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
    there = profiling.peak_bytes()
    monkeypatch.setattr(profiling, "Path", lambda _: profiling.sys)  # no file, no text
    monkeypatch.setattr(profiling.sys, "read_text", lambda **_: "", raising=False)
    assert 0.5 * there < profiling.peak_bytes()
    assert profiling.peak_rss_mb() == round(profiling.peak_bytes() / MIB, 1)
