"""Kill a promotion again and again, type it once more, and look: one champion, with its evidence, and no run left open.

    python tests/benchmarks/kill_promote.py [--kills 20] [--seed 1]

Two small networks are trained, and the first becomes champion. From there, each time in a copy of the store, the
promotion of the second is killed with SIGKILL: in turn at any moment, and within half a second after its evidence was
written, when aliases move.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from glob import glob
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

NAME = "folder-bicubic-x2"
SMALL = [
    "+debug=fast", "trainer.patch_size=16", "trainer.validation_size=32", "trainer.test_size=null",
    "dataset.fractions=[0.4,0.1,0.5]", "tracking.max_images=0", "optimizer.lr=1e-3",
]  # fmt: skip
NETWORKS = (
    ["model=srcnn", "model.filters=[8,4]", "trainer.steps_per_epoch=40"],
    ["model=vdsr", "model.depth=3", "model.width=8", "trainer.steps_per_epoch=100"],
)


def main() -> None:
    """Train, kill, type again, look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, seen = random.Random(options.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, "made")
        begin(made)
        usual = timed(copied(made, "unharmed"))
        for number in range(options.kills):
            project = copied(made, str(number + 1))
            killed = promote(project, 2)
            if number % 2:
                await_evidence(project, killed)
            time.sleep(rng.uniform(0, 0.5 if number % 2 else usual))
            killed.kill()
            code, left = killed.wait(), look(project)
            require(promote(project, 2).wait() == 0, project, "the promotion after the kill failed")
            require(look(project) == (2, 1), project, f"after the kill: {look(project)}")
            require(srexp(project, "runs", "reap=true").wait() == 0, project, "runs could not be reaped")
            require_no_open_run(project)
            seen[f"{'ended before' if code == 0 else 'killed'}, champion and previous {left}"] += 1
            print(f"{number + 1}: exit code {code}, champion and previous {left}, then (2, 1)", flush=True)
    for what, times in seen.items():
        print(f"  {times:3}  {what}")


def begin(project: Path) -> None:
    """Train both networks on small images, and make the first one champion."""
    (project / "images").mkdir(parents=True)
    noise = np.random.default_rng(7)
    for patient in range(20):
        coarse = Image.fromarray(noise.integers(0, 256, (16, 16), dtype=np.uint8))
        coarse.resize((64, 64), Image.Resampling.BICUBIC).save(project / "images" / f"{patient:02}.png")
    for network in NETWORKS:
        done = srexp(project, "train", "dataset=folder", f"dataset.root={project}/images", *SMALL, *network).wait()
        require(done == 0, project, "a training failed")
    require(promote(project, 1).wait() == 0, project, "the first version was not promoted")


def copied(made: Path, name: str) -> Path:
    """Give a project with a copy of the store; images and artifacts stay where they are."""
    project = made.with_name(name)
    (project / "mlruns").mkdir(parents=True)
    shutil.copy(made / "mlruns/mlflow.db", project / "mlruns")
    return project


def timed(project: Path) -> float:
    """Give the seconds that a promotion takes."""
    started = time.monotonic()
    require(promote(project, 2).wait() == 0, project, "the second version was not promoted")
    return time.monotonic() - started


def srexp(project: Path, *words: str) -> subprocess.Popen[bytes]:
    """Type a command."""
    environment = {**os.environ, "SREXP_ROOT": str(project), "PYTHONPATH": str(ROOT)}
    with (project / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "srexp", *words, "tracking.system_metrics=false"],
            env=environment, cwd=project, stdout=said, stderr=said,
        )  # fmt: skip


def promote(project: Path, version: int) -> subprocess.Popen[bytes]:
    """Type the promotion."""
    return srexp(project, "promote", f"name={NAME}", f"version={version}", "promote.max_slowdown=null")


def await_evidence(project: Path, command: subprocess.Popen[bytes]) -> None:
    """Wait until a promotion has written its evidence into its folder, or ended."""
    while command.poll() is None and not glob("mlruns/outputs/**/promotion.json", root_dir=project, recursive=True):
        time.sleep(0.02)


def look(project: Path) -> tuple[int | None, int | None]:
    """Give champion and previous champion; the champion's evidence has to be there, and to speak of it."""
    from srexp.tracking.registry import promotion
    from srexp.tracking.runs import queries
    from srexp.tracking.runs.tracking import Tracking

    store = Tracking(folder=project / "mlruns").store
    now = promotion.places(store, NAME)
    require(now.champion in (1, 2), project, f"the champion is {now.champion}")
    told = json.loads(promotion.version_tags(store, NAME, int(now.champion or 0))["promotion"])
    require(told["version"] == now.champion and not told["failed"], project, "the evidence is another one")
    kept = queries.read_text(store, told["run_id"], "promotion.json")
    require(json.loads(kept) == told, project, "the artifact is another one")
    return now.champion, now.previous


def require_no_open_run(project: Path) -> None:
    """No run may be left open, and none of the two models in the middle of a move."""
    from srexp.tracking.registry import promotion
    from srexp.tracking.runs import queries
    from srexp.tracking.runs.tracking import Tracking
    from srexp.tracking.store.store import connect

    store = Tracking(folder=project / "mlruns").store
    require(not queries.latest(store, experiment=None, limit=100, status="RUNNING"), project, "a run was left open")
    require(promotion.MOVING not in connect(store).get_registered_model(NAME).tags, project, "a note was left")


def require(holds: bool, project: Path, otherwise: str) -> None:
    """Stop with what the commands said."""
    if not holds:
        print((project / "said.txt").read_text()[-3000:])
        sys.exit(f"NO: {otherwise}")


if __name__ == "__main__":
    main()
