"""Commands started from a process that has their imports behind it: a fork in place of the seconds TensorFlow takes.

What a command starts itself is started as ever.
"""

from __future__ import annotations

import os
import pkgutil
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srexp.system.forks import forked
from tests.late_imports import IMPORTED

CHECKOUT = Path(__file__).parents[1]
_TARGET = f"{__name__}:become"


class Command(forked.Forked):
    """`python -m srexp` with words, forked.

    Args:
        words: Verb and overrides.
        env: Environment; where it differs from the server's in what is read at the start, the command starts anew.
        cold: Start anew in any case.
        **options: Those of `subprocess.Popen`.
    """

    def __init__(self, words: Sequence[str], *, env: Mapping[str, str], cold: bool = False, **options: Any) -> None:
        env = {**env, "PYTHONPATH": str(CHECKOUT)}
        server = None if cold else forked.server_for(_TARGET, env)
        self.warm = server is not None
        super().__init__([sys.executable, "-m", "srexp", *words], server=server, words=words, env=env, **options)


@contextmanager
def offered() -> Iterator[None]:
    """Let commands with this process's present environment be forked; the first one starts the server."""
    own = [module.name for module in pkgutil.walk_packages([str(CHECKOUT / "srexp")], "srexp.")]
    modules = [*(name for name in own if name != "srexp.__main__"), *IMPORTED]
    with forked.offered(_TARGET, modules, {**os.environ, "PYTHONPATH": str(CHECKOUT)}):
        yield


def become(words: Sequence[str]) -> None:
    """Be the command, in the forked process."""
    sys.path[0] = str(Path.cwd())
    sys.argv = ["srexp", *words]
    runpy.run_module("srexp", run_name="__main__", alter_sys=True)
