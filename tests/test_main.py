"""`python -m srexp` from its first moment to its last: whatever ends it, its exit code says what became of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from srexp import __main__

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
#: Moments of a process's life, each with the code that sends a signal then, and the exit code.
MOMENTS = {
    "while the command line is imported": (
        """
        import builtins
        before = builtins.__import__
        def imported(name, *given, **options):
            if name == "srexp.cli":
                strike()
            return before(name, *given, **options)
        builtins.__import__ = imported
        """,
        130,
    ),
    "while a verb works": (
        """
        from srexp import cli
        cli._told = lambda _: strike()
        """,
        130,
    ),
    "while it says that it was interrupted": (
        """
        from srexp import cli
        before = cli.complain
        def complain(message):
            strike()
            before(message)
        def told(_):
            raise KeyboardInterrupt
        cli.complain, cli._told = complain, told
        """,
        130,
    ),
    "when its work is done": (
        """
        from srexp import cli
        before = cli.leave
        def leave(code):
            strike()
            before(code)
        cli.leave = leave
        """,
        130,
    ),
    "while it waits for threads": (
        """
        import threading, time
        def work():
            while sys._current_frames()[threading.main_thread().ident].f_code.co_name != "_shutdown":
                time.sleep(0.01)
            # It is about to wait: in between, Python would not look for a signal before the wait is over.
            time.sleep(0.2)
            os.kill(os.getpid(), number)
            time.sleep(60)
        threading.Thread(target=work).start()
        """,
        0,
    ),
    "in a hook of atexit": ("import atexit; atexit.register(strike)", 0),
    "never, and taking it apart would crash": (
        """
        class Crash:
            def __del__(self, crash=os.abort):
                crash()
        sys.modules["crash"] = Crash()
        """,
        0,
    ),
}


def run(code: str, number: int = signal.SIGTERM, **options) -> subprocess.CompletedProcess:
    """`srexp --version` in a process that does something else before, in which `strike` sends it the signal."""
    lines = (
        "import os, signal, sys",
        f"number = {int(number)}",
        "strike = lambda *_: signal.raise_signal(number)",
        "sys.argv = ['srexp', '--version']",
        textwrap.dedent(code),
        "from srexp.__main__ import main",
        "main()",
    )
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False, timeout=60, **options)


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", MOMENTS)
def test_whenever_a_signal_comes_the_exit_code_is_that_of_an_end_in_order(moment, number):
    code, expected = MOMENTS[moment]
    ended = run(code, number)
    assert (ended.returncode, "Traceback" in ended.stderr) == (expected, False), ended.stderr
    assert ("srexp: interrupted" in ended.stderr) is (expected == 130)
    assert expected or "srexp 0" in ended.stdout


@pytest.mark.system
def test_hooks_of_libraries_run_and_what_was_said_is_not_lost():
    ended = run("import atexit; atexit.register(print, 'a last word')")
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "a last word")


@pytest.mark.system
def test_what_is_ignored_stays_so():
    ignored = run("signal.signal(number, signal.SIG_IGN)\nimport atexit; atexit.register(strike)\nstrike()")
    assert (ignored.returncode, ignored.stderr) == (0, "")


@pytest.mark.parametrize("number", NUMBERS)
def test_until_the_command_line_is_imported_a_signal_ends_it_with_a_word(number, monkeypatch, capfd):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    monkeypatch.setattr(os, "_exit", sys.exit)
    monkeypatch.setattr("srexp.cli.main", lambda: signal.raise_signal(number))
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 130
    assert capfd.readouterr().err == "srexp: interrupted\n"
