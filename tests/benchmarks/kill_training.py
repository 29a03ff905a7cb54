"""Kill trainings again and again with SIGKILL, go on with them, and compare what comes out with one never stopped.

    python tests/benchmarks/kill_training.py [--kills 30] [--seed 1] [--per-run 3] [--networks srcnn,vdsr]

A training is killed soon after its start, at a random step, while a checkpoint is written, while the database is
written, or late, when test images are scored and the model is registered; the ways are drawn. In every second run a
checkpoint is written after each step. Final weights, every metric at every step, pictures, logged models and versions
must be those of the uninterrupted training. Images are small and random; a run takes seconds.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from glob import glob  # which bears folders that go away meanwhile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.kill_search import ROOT, data

NETWORKS = {"srcnn": ["model=srcnn"], "vdsr": ["model=vdsr", "model.depth=5"]}
EPOCHS, STEPS = 5, 30
SMALL = [
    "+debug=fast", "trainer.patch_size=16", "trainer.validation_size=32", "trainer.test_size=null",
    f"trainer.epochs={EPOCHS}", f"trainer.steps_per_epoch={STEPS}",
]  # fmt: skip
WAYS = ("soon", "in training", "while a checkpoint is written", "while the database is written", "late")
TASK = "folder-bicubic-x2"


@dataclass
class Course:
    """One run with its kills."""

    network: str
    minutes: str
    run_id: str | None = None
    kills: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def main() -> None:
    """Kill, go on, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--per-run", type=int, default=3)
    parser.add_argument("--networks", default="srcnn,vdsr")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        project, names = Path(scratch), options.networks.split(",")
        images = data(project)
        usual = {}
        for name in names:
            course = Course(name, "null")
            torment(project, request(images, course), course, chance, 0)
            usual[name] = described(project, str(course.run_id))
            if len(usual[name]["weights"]) != 1 or not usual[name]["weights"][0] or not usual[name]["metrics"]:
                sys.exit("the uninterrupted training left nothing to compare with")
            print(f"{name}: uninterrupted in {course.seconds:.0f} s", flush=True)
        courses: list[Course] = []
        while (left := options.kills - sum(len(each.kills) for each in courses)) > 0:
            number = len(courses)
            course = Course(names[number % len(names)], ("null", "0")[number // len(names) % 2])
            courses.append(course)
            torment(project, request(images, course), course, chance, min(left, options.per_run))
            course.faults += differences(described(project, str(course.run_id)), usual[course.network])
            told = "; ".join(course.kills)
            print(f"{course.network} {course.run_id}: {told}: {course.faults or 'as if never stopped'}", flush=True)
        report(project, courses)


def request(images: list[str], course: Course) -> list[str]:
    """Give the overrides of a run; it needs no name, since one is enough to find it."""
    return [*images, *SMALL, *NETWORKS[course.network], f"checkpoint.minutes={course.minutes}"]


def start(project: Path, words: list[str]) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own."""
    environment = {**os.environ, "SREXP_ROOT": str(project), "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    with (project / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "srexp", *words],
            env=environment, cwd=project, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip


def torment(project: Path, words: list[str], course: Course, chance: random.Random, kills: int) -> None:
    """Kill one training so many times and let it end; fewer when it ends before."""
    begun, before = time.monotonic(), newest(project)
    while True:
        way = chance.choice(WAYS) if len(course.kills) < kills else "not at all"
        process = start(project, words)
        try:
            killed = follow(project, process, way, chance)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        found = newest(project)
        course.run_id = course.run_id or (found if found != before else None)
        if not killed:
            course.faults += [f"exit code {process.returncode} of {' '.join(words)}"] if process.returncode else []
            break
        if course.run_id is None:
            continue  # there is nothing yet to go on with
        course.kills.append(f"{way} ({at(project, course)})")
        if status(project, course.run_id) == "FINISHED":
            break  # killed after its last word
        words = [f"resume={course.run_id}"]
    course.seconds = time.monotonic() - begun


def follow(project: Path, process: subprocess.Popen[bytes], way: str, chance: random.Random) -> bool:
    """Kill a process in some way; False when it ended before."""
    step = chance.randrange(EPOCHS * STEPS) if way != "late" else EPOCHS * STEPS
    wait, since = chance.uniform(0, {"soon": 15, "late": 15}.get(way, 1)), None
    while process.poll() is None:
        time.sleep(0.0005 if since and way in WAYS[2:4] else 0.05)
        if since is None:
            there = (project / "mlruns/outputs").is_dir() if way == "soon" else reached(project, step)
            since = time.monotonic() if there and way != "not at all" else None
        elif time.monotonic() - since >= wait:
            written = {WAYS[2]: "mlruns/outputs/**/*.unfinished", WAYS[3]: "mlruns/mlflow.db-journal"}.get(way)
            if written is None or glob(written, root_dir=project, recursive=True, include_hidden=True):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return True
    return False


def reached(project: Path, step: int) -> bool:
    """Whether a checkpoint of a step, or of a later one, is there."""
    files = glob("mlruns/outputs/train/*/*/checkpoints/*/step-*.npz", root_dir=project)
    return any(int(Path(file).name.split("-")[1]) >= step for file in files)


def client(project: Path):
    """Open the store."""
    from srexp.tracking.runs.tracking import Tracking
    from srexp.tracking.store.store import connect

    return connect(Tracking(folder=project / "mlruns").store)


def newest(project: Path) -> str | None:
    """Give the run that began last."""
    if not (project / "mlruns/mlflow.db").is_file():
        return None
    opened = client(project)
    known = opened.get_experiment_by_name(TASK)
    runs = opened.search_runs([known.experiment_id], order_by=["attributes.start_time DESC"]) if known else []
    return runs[0].info.run_id if runs else None


def status(project: Path, run_id: str) -> str:
    """Give the state of a run."""
    return client(project).get_run(run_id).info.status


def at(project: Path, course: Course) -> str:
    """Say how far a run had come by its checkpoints."""
    from srexp.tracking.names import CHECKPOINTS_TAG
    from srexp.training.checkpoint import Checkpoints

    folder = client(project).get_run(course.run_id).data.tags.get(CHECKPOINTS_TAG)
    if folder is None:
        return "finished"  # a run that ended forgets where they were
    files = Checkpoints(Path(folder)).files()
    return files[-1].name[:27].replace("-", " ").replace("0000", "") if files else "no checkpoint"


def described(project: Path, run_id: str) -> dict[str, Any]:
    """Read everything of a run that must not depend on kills."""
    opened = client(project)
    run = opened.get_run(run_id)
    metrics = {}
    for name in run.data.metrics:
        if not name.startswith("system/"):
            points = sorted(opened.get_metric_history(run_id, name), key=lambda point: (point.timestamp, point.step))
            timed = name.startswith("time/")
            metrics[name] = [(point.step, None if timed else point.value) for point in points]
    pictures = [file.path.split("+timestamp")[0] for file in opened.list_artifacts(run_id, "images")]
    models = opened.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    models = [model for model in models if str(model.status) == "READY"]
    versions = opened.search_model_versions(f"run_id = '{run_id}'")
    return {
        "state": run.info.status,
        "error": run.data.tags.get("srexp.error"),
        "metrics": metrics,
        "pictures": sorted(pictures),
        "models": len(models),
        "versions": len(versions),
        "weights": [weights(Path(model.artifact_location.removeprefix("file://"))) for model in models],
        "params": {name: value for name, value in run.data.params.items() if not name.startswith("checkpoint")},
    }


def weights(folder: Path) -> dict[str, bytes]:
    """Read the weights of a logged model, byte for byte."""
    with zipfile.ZipFile(next(folder.rglob("*.keras"))) as packed:
        content = packed.read("model.weights.h5")
    found: dict[str, bytes] = {}

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item).tobytes()

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(take)
    return found


def differences(found: dict[str, Any], usual: dict[str, Any]) -> list[str]:
    """Name what of a run isn't as in the uninterrupted one."""
    return [name for name in usual if found[name] != usual[name]]


def report(project: Path, courses: list[Course]) -> None:
    """Print the table."""
    kills, wrong = sum(len(each.kills) for each in courses), [each for each in courses if each.faults]
    print("\n| network | checkpoint after | kills | seconds | weights, metrics, pictures, model, version, state |")
    print("|---|---|---|---|---|")
    for each in courses:
        every = "each step" if each.minutes == "0" else "each epoch"
        held = "; ".join(each.faults) or "as if never stopped"
        print(f"| {each.network} | {every} | {len(each.kills)} | {each.seconds:.0f} | {held} |")
    print(f"\n{kills} kills in {len(courses)} runs: {len(courses) - len(wrong)} ended as if never stopped")
    if wrong:
        print((project / "said.txt").read_text()[-4000:])
        sys.exit(1)


if __name__ == "__main__":
    main()
