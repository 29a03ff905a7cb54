"""What grows over many jobs in one process: open files, threads and resident memory.

python tests/benchmarks/bench_growth.py driver [JOBS]      # a multirun that only drives: each job has its own process
python tests/benchmarks/bench_growth.py checks [JOBS]      # a multirun of `check`, whose jobs run in the driver
python tests/benchmarks/bench_growth.py trainings [JOBS]   # srexp.run("train") again and again, as in a notebook
"""

import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

import srexp
from srexp.cli import run

TINY = ["+debug=fast", "model.kernels=[3,1,3]", "model.filters=[4,4]"]
AT_ONCE = {"driver": 5, "checks": 20, "trainings": 1}


def multirun(verb: list[str], folder: Path) -> Callable[[range], None]:
    """Run jobs with these seeds as one multirun."""

    def work(seeds: range) -> None:
        listed = ",".join(map(str, seeds))
        if run(["-m", *verb, f"seed={listed}", f"hydra.sweep.dir={folder / str(seeds.start)}"]):
            raise SystemExit("a job failed")

    return work


def trainings(folder: Path) -> Callable[[range], None]:
    """Train within this process."""

    def work(seeds: range) -> None:
        for seed in seeds:
            srexp.run("train", [*TINY, f"seed={seed}", f"hydra.run.dir={folder / str(seed)}"])

    return work


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep tables and progress to themselves."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def main(kind: str, jobs: int) -> None:
    """Print what is held as the jobs go by."""
    process, start = psutil.Process(), time.perf_counter()
    print(f"{'jobs':>5} {'files':>6} {'threads':>8} {'RSS MiB':>8} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SREXP_ROOT"] = name
        work = {
            "driver": multirun(["model=bicubic", "+debug=fast"], folder),
            "checks": multirun(["check"], folder),
            "trainings": trainings(folder),
        }[kind]
        for first in range(1, jobs + 1, AT_ONCE[kind]):
            with quiet():
                work(range(first, first + AT_ONCE[kind]))
            done, rss = first + AT_ONCE[kind] - 1, process.memory_info().rss / 2**20
            seconds = time.perf_counter() - start
            print(f"{done:5} {process.num_fds():6} {process.num_threads():8} {rss:8.0f} {seconds:8.0f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "driver", int(sys.argv[2]) if sys.argv[2:] else 200)
