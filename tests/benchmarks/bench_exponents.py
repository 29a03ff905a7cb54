"""How time grows with images, with pixels and with runs, as the slope of a log-log plot: 1 is in proportion.

    python tests/benchmarks/bench_exponents.py [--only images pixels runs ui] [--write]
    python tests/benchmarks/bench_exponents.py --only runs --runs 10 1000

Images are different PNG files of 48 x 48 pixels. They are listed, decoded, split and audited, once from an empty index
and once more; batches out of so many images are measured, too, and a whole command that starts after these, up to its
first step. Pixels are those of one restored image, by the network that comes along, with the largest resident memory of
the process so far. Runs are one training and its copies: they are listed, compared and opened in MLflow's page. What is
measured is time on the processors, that of child processes included, and on the clock where a name says so. `--write`
puts the rows of what was measured into docs/results/growth.csv and draws docs/pictures/growth.png of all that it has.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import psutil

import srexp
from srexp.system import confinement
from srexp.system.memory import peak_rss_mb
from tests.benchmarks import many_runs
from tests.benchmarks.ratios.parts import since, spent
from tests.benchmarks.ratios.table import Cost, conditions

DOCS = Path(__file__).parents[2] / "docs"
TABLE, PLOT = DOCS / "results" / "growth.csv", DOCS / "pictures" / "growth.png"
SIDE, BATCHES = 48, 100


class Point(NamedTuple):
    """What was measured, how large it was, the seconds that it took, and the memory where that is of interest."""

    what: str
    size: float
    seconds: float
    peak_mib: float | None = None


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["images", "pixels", "runs", "ui"])
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    about = conditions(shlex.join(["python", *sys.argv]))
    found: list[Point] = []
    measured = {"images": images(asked.images), "pixels": pixels(asked.megapixels)}
    measured |= {"runs": runs(asked.runs), "ui": ui(asked.runs)}
    for name in asked.only:
        for point in measured[name]:
            peak = f" {point.peak_mib:8.0f} MiB" if point.peak_mib else ""
            print(f"{point.what:28} {point.size:10g} {point.seconds:9.2f} s{peak}", flush=True)
            found.append(point)
    for what, slope in exponents(found).items():
        print(f"{what:28} exponent {slope:.2f}")
    if asked.write:
        lines, before = read()
        kept = [each for each in before if each.what not in exponents(found)]
        write([*(lines if kept else []), about], [*kept, *found])
        draw([*kept, *found])


def images(counts: Sequence[int]) -> Iterator[Point]:
    """Start a training on so many images, twice, and draw batches of them."""
    from PIL import Image

    from srexp.experiment.task import Task

    for count in counts:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, "images")
            folder.mkdir()
            chance = np.random.default_rng(count)
            for number in range(count):
                drawn = chance.integers(0, 256, (SIDE, SIDE), np.uint8)
                Image.fromarray(drawn).save(folder / f"{number:06}.png")
            data = ["dataset=folder", f"dataset.root={folder}", f"paths.root={scratch}/mlruns", "audit=warn"]
            config = srexp.compose([*data, "trainer.patch_size=32"])
            for which in ("first start", "second start"):
                tasks: list[Task] = []
                seconds = taken(lambda tasks=tasks, config=config: tasks.append(Task(config)))
                yield Point(f"images: {which}", count, seconds)
            batches = partial(draw_batches, tasks[0].sampler())
            yield Point(f"images: {BATCHES} batches", count, taken(batches))
            clocks: list[float] = []
            words = [*data, "trainer.patch_size=32", "trainer.validation_size=32"]
            seconds = taken(lambda words=words, clocks=clocks: first_step(words, clocks))
            yield Point("images: to a first step", count, seconds)
            yield Point("images: to a first step, clock", count, clocks[0])


def first_step(words: Sequence[str], clocks: list[float]) -> None:
    """Start a command, note on the clock when its first epoch of one step is over, and end it."""
    shorter = ["trainer.epochs=2", "trainer.steps_per_epoch=1", "trainer.validation_images=1"]
    begun, own = time.perf_counter(), {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "srexp", *words, *shorter]
    with subprocess.Popen(
        command, cwd=DOCS.parent, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        if not any(line.startswith("epoch 1/") for line in process.stdout or ()):
            sys.exit(f"{shlex.join(command)} took no step")
        clocks.append(time.perf_counter() - begun)
        process.send_signal(signal.SIGINT)
        process.communicate()


def draw_batches(sampler: Any) -> None:
    """Draw batches as a training does."""
    for step in range(BATCHES):
        sampler.batch(0, step)


def pixels(megapixels: Sequence[float]) -> Iterator[Point]:
    """Restore an image of so many pixels, the smallest one first, by the network that comes along."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as scratch:
        for number, size in enumerate([0.1, *sorted(megapixels)]):
            side = round(np.sqrt(size * 1e6) / 2)
            drawn = np.random.default_rng(number).integers(0, 256, (side, side), np.uint8)
            path = Path(scratch, f"{number}.png")
            Image.fromarray(drawn).save(path)
            words = ["model_uri=zoo/hybrid-cxr-x2", f"input={path}", f"output={scratch}/out"]
            seconds = taken(lambda words=words: srexp.run("enhance", [*words, f"paths.root={scratch}/mlruns"]))
            if number:  # the first loads TensorFlow
                yield Point("pixels: enhance, megapixels", size, seconds, peak_rss_mb())


def runs(counts: Sequence[int]) -> Iterator[Point]:
    """List so many runs and versions, and compare them."""
    with tempfile.TemporaryDirectory() as scratch:
        root, task = trained(scratch)
        verbs = {"runs": ["limit=10000"], "models": [], "compare": [f"experiment_name={task}", "pictures=0"]}
        for turn, count in enumerate([counts[0], *counts]):
            many_runs.copy(Path(scratch, "mlruns", "mlflow.db"), count)
            for verb, words in verbs.items():
                seconds = taken(partial(srexp.run, verb, [root, *words]))
                if turn:  # the first one loads Matplotlib and TensorFlow
                    yield Point(f"runs: {verb}", count, seconds)


def ui(counts: Sequence[int]) -> Iterator[Point]:
    """Open MLflow's page of so many runs."""
    with tempfile.TemporaryDirectory() as scratch:
        root, task = trained(scratch)
        for turn, count in enumerate([counts[0], *counts]):
            many_runs.copy(Path(scratch, "mlruns", "mlflow.db"), count)
            cost = first_page(root, task)
            if turn:
                yield Point("runs: first page of ui", count, cost.processor)
                yield Point("runs: first page of ui, clock", count, cost.clock)


def trained(scratch: str) -> tuple[str, str]:
    """Let a store have one run; give where it is, as a word of a command, and the run's task."""
    root = f"paths.root={scratch}/mlruns"
    return root, str(srexp.run("train", [*many_runs.TRAINING, root])["experiment_name"])


def first_page(root: str, task: str) -> Cost:
    """Start `ui`, wait for what its page asks for first, and end it; give what it and all its processes took."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun = time.perf_counter()
    command = [sys.executable, "-m", "srexp", "ui", root, f"port={port}"]
    with subprocess.Popen(command, cwd=DOCS.parent, stdout=subprocess.DEVNULL) as process:
        api = f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow"
        found = answer(f"{api}/experiments/get-by-name?experiment_name={task}", process)
        asked = {"experiment_ids": [found["experiment"]["experiment_id"]], "max_results": 100}
        assert len(answer(f"{api}/runs/search", process, asked)["runs"]) > 1
        server = psutil.Process(process.pid)
        spent_by = [sum(each.cpu_times()[:4]) for each in (server, *server.children(recursive=True))]
        cost = Cost(sum(spent_by), time.perf_counter() - begun)
        process.send_signal(signal.SIGINT)
    return cost


def answer(address: str, process: subprocess.Popen[bytes], asked: dict[str, Any] | None = None) -> Any:
    """Give what a server answers, as soon as it is there."""
    request = urllib.request.Request(
        address, asked and json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    while process.poll() is None:
        try:
            with urllib.request.urlopen(request) as found:
                return json.load(found)
        except urllib.error.URLError:
            time.sleep(0.2)
    sys.exit("the MLflow UI ended by itself")


def taken(work: Callable[[], object]) -> float:
    """Give the seconds of processors that some work takes; what it prints is left out."""
    begun = spent()
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    confinement.release()  # a child's time counts when it has ended
    return since(begun).processor


def exponents(points: Sequence[Point]) -> dict[str, float]:
    """Give the slope of each line in the log-log plot, by least squares.

    Example:
        >>> exponents([Point("a", 1, 3.0), Point("a", 10, 300.0)])
        {'a': 2.0}
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    for each in points:
        lines.setdefault(each.what, []).append((np.log(each.size), np.log(max(each.seconds, 1e-3))))
    return {
        what: round(float(np.polyfit(*zip(*of, strict=True), 1)[0]), 2) + 0.0  # none is -0.0
        for what, of in lines.items()
        if len(of) > 1
    }


def read() -> tuple[list[str], list[Point]]:
    """Read what is committed: where it is from, and the points."""
    lines = TABLE.read_text(encoding="utf-8").splitlines() if TABLE.is_file() else []
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))[1:]
    about = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return about, [
        Point(what, float(size), float(took), float(peak) if peak else None) for what, size, took, peak in rows
    ]


def write(about: Sequence[str], points: Sequence[Point]) -> None:
    """Write the points, under what says where they are from."""
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in dict.fromkeys(about))
        table: Any = csv.writer(file, lineterminator="\n")
        table.writerow(Point._fields)
        table.writerows(
            (each.what, f"{each.size:g}", f"{each.seconds:.3f}", each.peak_mib and f"{each.peak_mib:.0f}")
            for each in points
        )


def draw(points: Sequence[Point]) -> None:
    """Draw the log-log plot."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for what, slope in exponents(points).items():
        line = [(each.size, each.seconds) for each in points if each.what == what]
        axes.loglog(*zip(*line, strict=True), marker="o", label=f"{what}: exponent {slope:.2f}")
    axes.set_xlabel("how many")
    axes.set_ylabel("seconds, of processors where not on the clock")
    axes.grid(visible=True, which="both", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    figure.savefig(PLOT, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
