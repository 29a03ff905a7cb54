"""What a person sees at a terminal of 80 columns, from the first moment to the end of a training."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.warm_start import Command

pytestmark = pytest.mark.system
#: What moves the cursor, colours, and clears lines.
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@contextmanager
def at_a_terminal(
    columns: int, *words: str, root: Path, cold: bool = False, **more: str
) -> Iterator[tuple[Command, int]]:
    """Type a command at a pseudo-terminal; give its process and the end of the terminal at which one sits."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment = {**inherited, "SREXP_ROOT": str(root), **more}
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with Command(words, env=environment, cwd=root, cold=cold, **streams) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def shown(end: int) -> str:
    """Read to the end, when no process has the terminal any more."""
    parts = []
    with suppress(OSError):
        while part := os.read(end, 4096):
            parts.append(part)
    return b"".join(parts).decode()


@pytest.mark.parametrize("verb", ["train", "runs"])
def test_something_is_said_before_a_second_of_work(verb, tmp_path):
    with at_a_terminal(80, verb, root=tmp_path, cold=True) as (process, end):
        first = os.read(end, 4096).decode()
        used = psutil.Process(process.pid).cpu_times()
    assert first.strip() == "composing the configuration"
    assert used.user + used.system < 1.0


@pytest.mark.parametrize(("columns", "colour"), [(80, True), pytest.param(40, False, marks=pytest.mark.slow)])
def test_a_training_says_what_it_does_and_fills_its_bar(columns, colour, tmp_path, folder_of):
    no_colour = {} if colour else {"NO_COLOR": "1"}
    with at_a_terminal(columns, *folder_of, "trainer.epochs=2", root=tmp_path, TERM="xterm", **no_colour) as (
        process,
        end,
    ):
        said = shown(end)
        assert process.wait() == 0, said
    lines = CODES.sub("", said).replace("\r", "\n").splitlines()
    assert "…" not in said
    assert re.search(r"\x1b\[\d*;?3\dm", said) is not None or not colour
    begun = [
        line for line in lines if re.match(r"composing|reading|scoring|task|data|network|ends after|each epoch", line)
    ]
    assert [line.split()[0] for line in begun] == [
        "composing", "reading", "scoring", "task", "data", "network", "ends", "each", "scoring",
    ]  # fmt: skip
    kept = [line for line in lines if re.match(r"epoch \d/2  loss", line)]
    assert [line[:9] for line in kept] == ["epoch 1/2", "epoch 2/2"]
    assert max(map(len, kept)) <= 80
    bars = [line for line in lines if re.match(r"epoch \d/2 [━╸╺]", line)]
    assert re.search(r"100 % done\s*$", bars[-1])
    assert max(map(len, bars)) <= columns
