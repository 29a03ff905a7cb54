"""Ends promotions and rollbacks with SIGKILL before each store call, and starts some at once; prints how all ended.

Processes are forked from one that has imported MLflow once, and each gets a copy of the store: what it leaves is looked
at from outside.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import mlflow  # noqa: F401 - for the processes

from srexp.tracking.registry import promotion
from srexp.tracking.store import store as stores
from srexp.tracking.store.store import connect, resolve

warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
warnings.filterwarnings("ignore", "The ``noload`` loader strategy")
NAME = "task"
EVIDENCE = {"run_id": "r", "champion": 2, "gate": [{"name": "no leak"}]}


class Mortal:
    """A client whose process dies before its n-th call."""

    def __init__(self, client, calls: int) -> None:
        self.client, self.calls = client, calls

    def __getattr__(self, name: str):
        def call(*arguments, **options):
            self.calls -= 1
            if self.calls == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return getattr(self.client, name)(*arguments, **options)

        return call


def start(work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 9
    try:
        code = 1 if work() is False else 0
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def copy(made: Path, folder: Path):
    folder.mkdir(parents=True)
    shutil.copy(made, folder / "mlflow.db")
    return resolve(None, folder, environ={}), folder / "promote.lock"


def kill(made: Path, folder: Path, work) -> list[int]:
    codes: list[int] = []
    while not codes or codes[-1] < 0:
        number = len(codes) + 1
        store, lock = copy(made, folder / str(number))

        def doomed(store=store, lock=lock, calls=number):
            stores.connect = lambda store: Mortal(connect(store), calls)
            return work(store, lock)

        codes.append(ended(start(doomed)))
    return codes


def promote(store, lock, version=3, over=2):
    return promotion.promote(store, lock, NAME, version, EVIDENCE, over=over)


def main(made: Path, fresh: Path, folder: Path) -> None:
    promotion.places(copy(made, folder / "warm")[0], NAME)  # imports what every process would import again
    found = {
        "promote": kill(made, folder / "promote", promote),
        "first": kill(fresh, folder / "first", lambda store, lock: promote(store, lock, over=None)),
        "rollback": kill(made, folder / "rollback", lambda *at: promotion.rollback(*at, NAME, {"reason": "slow"})),
    }
    store, lock = copy(made, folder / "race" / "1")
    pids = [start(lambda version=version: promote(store, lock, version)) for version in (3, 4, 3, 4)]
    print(json.dumps({**found, "race": [ended(pid) for pid in pids]}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
