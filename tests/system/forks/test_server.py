"""What the server does before it forks, and for whom it forked; what its forks become is in `test_forked.py`."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from srexp.system.forks import server


def test_variables_that_imports_set_are_those_of_the_forks(tmp_path, monkeypatch, capfd):
    (tmp_path / "setting.py").write_text("import os\nos.environ['SET_BY_IMPORT'] = '1'\nos.write(2, b'loud')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.delenv("SET_BY_IMPORT", raising=False)
    try:
        assert server._imported(["json", "setting"]) == {"SET_BY_IMPORT": "1"}
    finally:
        os.environ.pop("SET_BY_IMPORT", None)
        sys.modules.pop("setting", None)
    assert capfd.readouterr().err == ""


def test_nothing_is_forked_after_an_import_that_starts_a_thread(monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    with pytest.raises(RuntimeError, match="importing started threads"):
        server._imported(["json"])


def test_who_asked_hears_of_the_end_and_whose_reader_is_gone_breaks_nothing():
    def ending(code: str) -> int:
        return os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)

    pipes = [os.pipe() for _ in range(3)]
    ended, unheard, living = map(ending, ("raise SystemExit(3)", "pass", "import time; time.sleep(100)"))
    told = {ended: pipes[0][1], unheard: pipes[1][1], living: pipes[2][1]}
    os.close(pipes[1][0])
    end = time.monotonic() + 60
    while len(told) > 1:
        server._tell_ends(told)
        assert time.monotonic() < end
        time.sleep(0.05)
    assert os.read(pipes[0][0], 99) == b"3\n"
    assert os.read(pipes[0][0], 99) == b""  # and is closed
    assert list(told) == [living]
    os.kill(living, 9)
    while told:
        server._tell_ends(told)
        assert time.monotonic() < end
    assert os.read(pipes[2][0], 99) == b"-9\n"
    for reading in (pipes[0][0], pipes[2][0]):
        os.close(reading)
