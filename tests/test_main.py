"""`python -m srexp` from its first moment on, when what would say more of a Ctrl-C isn't imported yet."""

from __future__ import annotations

import os
import signal
import sys
from types import ModuleType

import pytest

from srexp import __main__


@pytest.fixture(autouse=True)
def _handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_command_line_has_its_own_way_with_ctrl_c(monkeypatch):
    found = []
    monkeypatch.setattr("srexp.cli.main", lambda: found.append(signal.getsignal(signal.SIGINT)))
    __main__.main()
    assert found == [signal.default_int_handler]


def test_ctrl_c_while_it_is_imported_ends_it_with_a_word_and_without_a_traceback(monkeypatch, capfd):
    class Long(ModuleType):
        def __getattr__(self, name):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setitem(sys.modules, "srexp.cli", Long("srexp.cli"))
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 130
    assert capfd.readouterr().err == "srexp: interrupted\n"


def test_what_is_ignored_stays_so_while_it_is_imported(monkeypatch):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    found = []
    monkeypatch.setattr("srexp.cli.main", lambda: found.append(signal.getsignal(signal.SIGINT)))
    __main__.main()
    assert found == [signal.SIG_IGN]
