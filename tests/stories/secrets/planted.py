"""Passwords that are planted, in every form, and what looks for them in all that a command leaves."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

#: What a password begins and ends with, whatever stands between and however it is written.
ENDS = ("q7Xv", "9zKw")
RESERVED = ":/?#[]@!$&'()*+,;=%\"` {}\\<>|^~"


def password(middle: str) -> str:
    return middle.join(ENDS)


ADDRESSES = {
    "reserved": f"http://ann:{password(RESERVED)}@127.0.0.1:9",
    "encoded": f"postgresql://ann:{quote(password(RESERVED), safe='')}@127.0.0.1:9/runs",
    "quotes": f"mysql://ann:{password(chr(39) + chr(34))}@127.0.0.1:9/runs",
    "query": f"postgresql://127.0.0.1:9/runs?user=ann&passwd={password(' /@#+')}&sslmode=disable",
    "token": f"https://{password('-')}@127.0.0.1:9/x?api_key={password('.')}",
}


@dataclass
class Watched:
    """Everything that a command writes below a folder, shows, and starts."""

    folder: Path
    capfd: pytest.CaptureFixture[str]
    commands: set[str] = field(default_factory=set)

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Note the command lines of all processes that descend from this one, again and again."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.02):
                for process in psutil.Process().children(recursive=True):
                    with suppress(psutil.Error):
                        self.commands.add(" ".join(process.cmdline()))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()

    def leaks(self) -> list[str]:
        """Say where a part of a password stands, with what is before it."""
        caught = self.capfd.readouterr()
        files = [path for path in self.folder.rglob("*") if not path.is_symlink()]
        texts = {"standard output": caught.out, "standard error": caught.err, "commands": "\n".join(self.commands)}
        texts["names"] = "\n".join(str(path.relative_to(self.folder)) for path in files)
        texts |= {str(path): path.read_bytes().decode("latin-1") for path in files if path.is_file()}
        parts = re.compile(f".{{0,60}}(?:{'|'.join(ENDS)})")
        return [f"{where}: {found[0]}" for where, text in texts.items() if (found := parts.search(text))]


#: Addresses as they are typed by mistake.
MISTYPED = {
    "one slash": f"http:/ann:{password('-')}@127.0.0.1:9",
    "no slash": f"postgresql:ann:{password('/')}@127.0.0.1:9/runs",
    "no scheme": f"ann:{password('.')}@127.0.0.1:9",
}
