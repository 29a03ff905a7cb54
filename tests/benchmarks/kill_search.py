"""Kill a search again and again, let it end, and count what is there: no trial lost or double, no run left open.

    python tests/benchmarks/kill_search.py [--kills 10] [--trials 12] [--engine optuna|keras_tuner] [--seed 1]

In turn the whole process group, the driver and a worker are killed with SIGKILL, each at a random moment after the next
trial began. Images are small and random, trials take seconds.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

SPACE = "search.space={optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true}}"
SMALL = ["+debug=fast", "trainer.patch_size=16", "trainer.validation_size=32", "trainer.test_size=null"]


def main() -> None:
    """Kill, go on, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--engine", choices=["optuna", "keras_tuner"], default="optuna")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        asked = request(data(project), options.engine, options.trials)
        for number in range(options.kills):
            what = ("process group", "driver", "worker")[number % 3]
            search = start(project, asked)
            if await_next_trial(project, search):
                time.sleep(rng.uniform(0, 4))
                kill(search, what, rng)
                print(f"kill {number + 1}: {what}, {count(project)} trials begun", flush=True)
            if what != "worker":
                search.wait()
            else:
                time.sleep(rng.uniform(2, 8))
                os.killpg(search.pid, signal.SIGKILL)
                search.wait()
        search = start(project, asked)
        code = search.wait()
        report(project, asked, code, options.trials)


def data(project: Path) -> list[str]:
    """Make small images of ten patients, and give what is typed to use them."""
    folder = project / "images"
    draw(folder, patients=10, side=64)
    return ["dataset=folder", f"dataset.root={folder}", r"dataset.patients='^(\d{8})'"]


def draw(folder: Path, *, patients: int, side: int) -> None:
    """Make small images, one of each patient."""
    folder.mkdir()
    noise = np.random.default_rng(7)
    for patient in range(patients):
        coarse = Image.fromarray(noise.integers(0, 256, (side // 4, side // 4), dtype=np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{patient:08}_000.png")


def request(images: list[str], engine: str, trials: int) -> list[str]:
    """Give what is typed for a small search by two workers."""
    asked = [*images, *SMALL, "trainer.epochs=4", SPACE, "search.name=killed", f"search={engine}"]
    return [*asked, f"search.trials={trials}", "search.workers=2", "search.threads=1"]


def start(project: Path, request: list[str]) -> subprocess.Popen[bytes]:
    """Start the search in a process group of its own."""
    environment = {**os.environ, "SREXP_ROOT": str(project), "PYTHONPATH": str(ROOT)}
    with (project / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "srexp", "search", *request],
            env=environment, cwd=project, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip


def count(project: Path) -> int:
    """Count the trials that have begun."""
    return len(list((project / "mlruns/studies/killed/trials").glob("*/")))


def await_next_trial(project: Path, search: subprocess.Popen[bytes]) -> bool:
    """Wait until one more trial has begun; False when the search ended before."""
    before = count(project)
    while search.poll() is None:
        if count(project) > before:
            return True
        time.sleep(0.1)
    return False


def kill(search: subprocess.Popen[bytes], what: str, rng: random.Random) -> None:
    """Kill one of the three with SIGKILL."""
    if what == "process group":
        os.killpg(search.pid, signal.SIGKILL)
        for child in psutil.process_iter():
            if is_worker(child) and child.ppid() == 1:
                child.kill()
    elif what == "driver":
        search.kill()
    elif workers := [each for each in psutil.Process(search.pid).children(recursive=True) if is_worker(each)]:
        rng.choice(workers).kill()  # perhaps the one that the others are forked from


def is_worker(process: psutil.Process) -> bool:
    """Whether a process trains trials, or is there to fork those that do."""
    with suppress(psutil.Error):
        return "srexp.system.child_process" in " ".join(process.cmdline())
    return False


def report(project: Path, asked: list[str], code: int, wanted: int) -> None:
    """Print what is there against what was asked for."""
    found = findings(project, asked, code, wanted)
    for what, holds in found.items():
        print(f"  {'yes' if holds else 'NO '}  {what}")
    if not all(found.values()):
        print((project / "said.txt").read_text()[-3000:])
        sys.exit(1)


def findings(project: Path, asked: list[str], code: int | None, wanted: int) -> dict[str, bool]:
    """Hold what is there against what was asked for.

    Trials whose worker died are tried again, until the third with the same values is blamed itself.
    """
    os.environ["SREXP_ROOT"] = str(project)
    import srexp
    from srexp.config.builders import build
    from srexp.tracking.runs.tracking import Tracking
    from srexp.tracking.store.store import connect

    config = srexp.compose(asked, verb="search")
    study = build(config.search, folder=config.paths.studies / "killed").open(seed=1, epochs=config.trainer.epochs)
    trials = study.trials()
    states = Counter(trial.state for trial in trials)
    failed = {trial.number for trial in trials if trial.state == "failed"}
    blamed = {trial.number for trial in trials if "with the same values" in str(trial.facts.get("reason"))}
    retried = [trial.facts["retry_of"] for trial in trials if "retry_of" in trial.facts]
    folders = [trial.facts["folder"] for trial in trials if "folder" in trial.facts]
    client = connect(Tracking(folder=project / "mlruns").store)
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    status = Counter(run.info.status for run in runs)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    print(f"exit code {code}; trials {dict(states)}, tried again {len(retried)}; runs {dict(status)}")
    for trial in trials:
        if (trial.number in failed - blamed) != (retried.count(trial.number) == 1):
            print(
                f"  trial {trial.number}: {trial.state}, {trial.facts}, tried again {retried.count(trial.number)} times"
            )
    return {
        "ended with 0": code == 0,
        f"{wanted} finished or pruned": states["finished"] + states["pruned"] == wanted,
        "no number twice or missing": [trial.number for trial in trials] == list(range(len(trials))),
        "each lost trial tried again, once": sorted(retried) == sorted(failed - blamed),
        "no folder twice": len(folders) == len(set(folders)),
        "no run open": status["RUNNING"] == 0,
        "one parent": len(parents) == 1 and parents[0].info.status == "FINISHED",
    }


if __name__ == "__main__":
    main()
