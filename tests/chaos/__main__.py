"""Disturb training, search and enhancing at random for some minutes; count the faults and what was lost.

    python -m tests.chaos [--minutes 20] [--seed 1] [--only train disk search enhance]

Processes are killed, the tracking server stops and freezes, the disk fills, files are spoilt. After each round what is
there is held against an undisturbed run: weights bit for bit, every metric once, every file. Ends with 1 if anything
was lost. The seed decides which faults come when; how far a command is by then depends on the machine.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.others import ENHANCE, SEARCH, Enhancing, Searching
from tests.chaos.train import DISK, SCENE, FullDisk, Training
from tests.chaos.world import Ledger, Server, World


def main() -> int:
    """Disturb, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=["train", "disk", "search", "enhance"])
    options = parser.parse_args()
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    ledger = Ledger()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        world = World(Path(scratch), random.Random(options.seed), ledger)
        server = Server(world.root / "server", _free_port())
        server.start()
        try:
            play(world, server, options.minutes * 60, options.only or ["train", "disk", "search", "enhance"])
        finally:
            server.stop()
        print(f"\n{ledger.table()}\n\n{sum(ledger.faults.values())} faults, {len(ledger.losses)} losses")
        if ledger.losses:
            print(world.said.read_text(encoding="utf-8", errors="replace")[-6000:], file=sys.stderr)
    return 1 if ledger.losses else 0


def play(world: World, server: Server, seconds: float, wanted: list[str]) -> None:
    """Play the scenes in turn until the time is over."""
    training, enhancing = Training(world, server), Enhancing(world)
    scenes: dict[str, Callable[[], None]] = {}
    if "train" in wanted:
        training.prepare()
        scenes[SCENE] = training.round
    if "enhance" in wanted:
        enhancing.prepare()
        scenes[ENHANCE] = enhancing.round
    if "search" in wanted:
        scenes[SEARCH] = Searching(world).round
    if "disk" in wanted:
        if FullDisk.possible():
            scenes[DISK] = FullDisk(world, training.request).round
        else:
            print("no small file system can be mounted here: the disk does not fill")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name, round_of in scenes.items():
            begun = time.monotonic()
            if begun >= deadline:
                break
            round_of()
            world.ledger.rounds[name] += 1
            print(f"{name}: round {world.ledger.rounds[name]}, {time.monotonic() - begun:.0f} s", flush=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
