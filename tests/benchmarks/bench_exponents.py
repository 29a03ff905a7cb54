"""How time grows with images, with pixels and with runs, as the slope of a log-log plot: 1 is in proportion.

    python tests/benchmarks/bench_exponents.py [--only images pixels runs] [--write]
    python tests/benchmarks/bench_exponents.py --images 100 10000 100000 --megapixels 1 4 16 64 --runs 10 1000 10000

Images are different PNG files of 48 x 48 pixels. They are listed, decoded, split and audited, once from an empty index
and once more; batches out of so many images are measured, too. Pixels are those of one restored image, by the network
that comes along. Runs are what `srexp runs` lists. What is measured is time on the processors, that of child processes
included. `--write` puts the rows of what was measured into docs/results/growth.csv and draws docs/pictures/growth.png
of all that it has.
"""

from __future__ import annotations

import argparse
import csv
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

import srexp
from srexp.system import confinement
from tests.benchmarks.ratios.parts import since, spent
from tests.benchmarks.ratios.table import conditions

DOCS = Path(__file__).parents[2] / "docs"
TABLE, PLOT = DOCS / "results" / "growth.csv", DOCS / "pictures" / "growth.png"
SIDE, BATCHES = 48, 100

#: What was measured, how large it was, and the seconds that it took.
Point = tuple[str, float, float]


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["images", "pixels", "runs"])
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 4, 16])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000, 3000])
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    about = conditions(shlex.join(["python", *sys.argv]))
    found: list[Point] = []
    measured = {"images": images(asked.images), "pixels": pixels(asked.megapixels), "runs": runs(asked.runs)}
    for name in asked.only:
        for what, size, seconds in measured[name]:
            print(f"{what:28} {size:10g} {seconds:9.2f} s", flush=True)
            found.append((what, size, seconds))
    for what, slope in exponents(found).items():
        print(f"{what:28} exponent {slope:.2f}")
    if asked.write:
        lines, before = read()
        kept = [each for each in before if each[0] not in exponents(found)]
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
                yield f"images: {which}", count, taken(lambda tasks=tasks, config=config: tasks.append(Task(config)))
            batches = partial(draw_batches, tasks[0].sampler())
            yield f"images: {BATCHES} batches", count, taken(batches)


def draw_batches(sampler: Any) -> None:
    """Draw batches as a training does."""
    for step in range(BATCHES):
        sampler.batch(0, step)


def pixels(megapixels: Sequence[float]) -> Iterator[Point]:
    """Restore an image of so many pixels by the network that comes along."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as scratch:
        for number, size in enumerate([0.1, *megapixels]):
            side = round(np.sqrt(size * 1e6) / 2)
            drawn = np.random.default_rng(number).integers(0, 256, (side, side), np.uint8)
            path = Path(scratch, f"{number}.png")
            Image.fromarray(drawn).save(path)
            words = ["model_uri=zoo/hybrid-cxr-x2", f"input={path}", f"output={scratch}/out"]
            seconds = taken(lambda words=words: srexp.run("enhance", [*words, f"paths.root={scratch}/mlruns"]))
            if number:  # the first loads TensorFlow
                yield "pixels: enhance, megapixels", size, seconds


def runs(counts: Sequence[int]) -> Iterator[Point]:
    """List so many runs."""
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    from srexp.config.builders import build

    with tempfile.TemporaryDirectory() as scratch:
        root = f"paths.root={scratch}/mlruns"
        config = srexp.compose([root])
        tracking = build(config.tracking, folder=config.paths.root)
        with tracking.run("growth"):
            pass
        client = MlflowClient(tracking.store.uri)
        experiment = client.get_experiment_by_name("growth").experiment_id
        there = 1
        for count in counts:
            for number in range(there, count):
                run = client.create_run(experiment, run_name=str(number), tags={"srexp.verb": "train"})
                metrics = [Metric(f"m{each}", 1.0, 0, 0) for each in range(12)]
                client.log_batch(run.info.run_id, metrics, [Param(f"p{each}", "1") for each in range(40)])
                client.set_terminated(run.info.run_id)
            there = max(there, count)
            yield "runs: list", count, taken(lambda: srexp.run("runs", [root]))


def taken(work: Callable[[], object]) -> float:
    """Give the seconds of processors that some work takes."""
    begun = spent()
    work()
    confinement.release()  # a child's time counts when it has ended
    return since(begun).processor


def exponents(points: Sequence[Point]) -> dict[str, float]:
    """Give the slope of each line in the log-log plot, by least squares.

    Example:
        >>> exponents([("a", 1, 3.0), ("a", 10, 300.0)])
        {'a': 2.0}
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    for what, size, seconds in points:
        lines.setdefault(what, []).append((np.log(size), np.log(max(seconds, 1e-3))))
    return {
        what: round(float(np.polyfit(*zip(*of, strict=True), 1)[0]), 2) for what, of in lines.items() if len(of) > 1
    }


def read() -> tuple[list[str], list[Point]]:
    """Read what is committed: where it is from, and the points."""
    lines = TABLE.read_text(encoding="utf-8").splitlines() if TABLE.is_file() else []
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))[1:]
    about = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return about, [(what, float(size), float(seconds)) for what, size, seconds in rows]


def write(about: Sequence[str], points: Sequence[Point]) -> None:
    """Write the points, under what says where they are from."""
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in dict.fromkeys(about))
        table: Any = csv.writer(file, lineterminator="\n")
        table.writerow(["what", "size", "seconds"])
        table.writerows((what, f"{size:g}", f"{seconds:.3f}") for what, size, seconds in points)


def draw(points: Sequence[Point]) -> None:
    """Draw the log-log plot."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for what, slope in exponents(points).items():
        line = [(size, seconds) for each, size, seconds in points if each == what]
        axes.loglog(*zip(*line, strict=True), marker="o", label=f"{what}: exponent {slope:.2f}")
    axes.set_xlabel("how many")
    axes.set_ylabel("seconds of processor")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(PLOT, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
