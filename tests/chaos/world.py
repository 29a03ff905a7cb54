"""What the scenes of chaos share: a scratch folder, commands started in it, a ledger of faults and losses."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.benchmarks.kill_search import draw

ROOT = Path(__file__).parents[2]
#: A command that takes longer than this hangs, which is a loss.
PATIENCE = 300.0
PATIENT = r"dataset.patients='^(\d{8})'"


@dataclass
class Ledger:
    """Counts rounds and faults of each scene, and keeps what was lost."""

    rounds: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    losses: list[tuple[str, str]] = field(default_factory=list)

    def hold(self, scene: str, what: str, holds: bool, shown: object = "") -> None:
        """Note a loss unless something holds."""
        if not holds:
            self.losses.append((scene, f"{what} {shown}".strip()))
            print(f"  LOST in {scene}: {what} {shown}", flush=True)

    def table(self) -> str:
        """Give the faults and losses as Markdown."""
        lines = ["| scene | rounds | faults | losses |", "|---|---|---|---|"]
        for scene, rounds in self.rounds.items():
            faults = [f"{count} x {fault}" for (where, fault), count in sorted(self.faults.items()) if where == scene]
            lost = sum(where == scene for where, _ in self.losses)
            lines.append(f"| {scene} | {rounds} | {', '.join(faults) or 'none'} | {lost} |")
        return "\n".join(lines)


@dataclass(frozen=True)
class World:
    """Where chaos happens.

    Args:
        root: Scratch folder.
        rng: Decides what happens and when.
        ledger: Receives faults and losses.
    """

    root: Path
    rng: random.Random
    ledger: Ledger

    def start(self, *arguments: str, project: Path) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own, over a project of its own."""
        project.mkdir(parents=True, exist_ok=True)
        with self.said.open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "srexp", *arguments],
                env={**os.environ, "SREXP_ROOT": str(project), "PYTHONPATH": str(ROOT)},
                cwd=self.root, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip

    @property
    def said(self) -> Path:
        """Where everything goes that commands say."""
        return self.root / "said.txt"

    def finish(self, scene: str, process: subprocess.Popen[bytes]) -> int | None:
        """Wait for a command; one that hangs is a loss."""
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.ledger.hold(scene, "a command hung", holds=False, shown=process.args)
            kill_all(process)
            return None

    def lives_for(self, process: subprocess.Popen[bytes], seconds: float) -> bool:
        """Let a command work; False when it ended by itself meanwhile."""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def strike(self, scene: str, fault: str) -> None:
        """Count a fault."""
        self.ledger.faults[scene, fault] += 1

    def images(self, name: str, *, patients: int = 10, side: int = 64) -> Path:
        """Make small images, one of each patient."""
        folder = self.root / name
        draw(folder, patients=patients, side=side)
        return folder


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a command with everything that it started, as when the machine goes down."""
    family = [process.pid]
    with _gone_is_fine():
        family += [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    for pid in family:
        with _gone_is_fine():
            os.kill(pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except (ProcessLookupError, psutil.NoSuchProcess):
        return


@dataclass
class Server:
    """An MLflow server of its own, which can be stopped, frozen and started again.

    Args:
        folder: Where it keeps its database and files.
        port: Of the loopback address.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "server.log").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
                 "--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                 "--artifacts-destination", str(self.folder / "artifacts")],
                stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        self.await_health()

    def await_health(self) -> None:
        """Wait until it answers."""
        import requests

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if requests.get(f"{self.uri}/health", timeout=5).ok:
                    return
            except requests.RequestException as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no MLflow server at {self.uri}") from error
            time.sleep(0.3)

    def stop(self) -> None:
        """End it at once."""
        if self.process is not None:
            kill_all(self.process)
            self.process = None

    def freeze(self, seconds: float) -> None:
        """Let it answer nothing for a while."""
        if self.process is None:
            return
        pids = [self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                with _gone_is_fine():
                    os.kill(pid, number)
            if number == signal.SIGSTOP:
                time.sleep(seconds)
