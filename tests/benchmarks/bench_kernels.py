"""Which convolution kernels are the faster ones, oneDNN's or Eigen's: measured, and written where srexp looks it up.

    python tests/benchmarks/bench_kernels.py --write                        # every network; replaces the table
    python tests/benchmarks/bench_kernels.py --models srcnn vdsr hybrid     # a look only
    python tests/benchmarks/bench_kernels.py --models mine --write          # replaces the rows of this network

A process for each kind of kernels and each set of instructions takes its turn, all others wait: a training step of
`trainer.batch_size=8` as the network is trained by default, in float32, then a batch of one image. A ratio is oneDNN's
time by Eigen's, the median of several rounds: below 1 oneDNN is faster. It is of the processor's time, which other work
on the machine disturbs less than the time on the clock; that is printed, too.

A set of instructions that the processor has beyond the measured ones is kept from oneDNN by ONEDNN_MAX_CPU_ISA.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import functools
import importlib.metadata
import os
import shlex
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from srexp.system.kernels.choice import JOBS, MEASURED, instruction_set, measured
from srexp.system.processor import cores, model_name
from tests.benchmarks.taking_turns import Cost, Worker, serve

CHECKOUT = Path(__file__).parents[2]
#: Sets of instructions, the widest first, as srexp and as oneDNN call them.
CAPS = {"avx512": "AVX512_CORE", "avx2": "AVX2"}
SWITCHES = {"onednn": "1", "eigen": "0"}
FIELDS = ("network", "job", "instructions", "ratio")
REQUEST = ["trainer.precision=float32", "trainer.batch_size=8", "scale=2"]
SIDE = 96
TURN_SECONDS = 0.4


def worker(kind: str, instructions: str) -> Worker:
    """Start a process with one kind of kernels."""
    switches = {"TF_ENABLE_ONEDNN_OPTS": SWITCHES[kind], "ONEDNN_MAX_CPU_ISA": CAPS[instructions]}
    hidden = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    return Worker(["nice", "-n", "19", sys.executable, __file__, "--serve"], switches | hidden)


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"write {MEASURED.relative_to(CHECKOUT)}")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(prepared, TURN_SECONDS)
        return
    known = list(CAPS)
    here = known[known.index(instruction_set() or sys.exit("no instructions that srexp has a choice for")) :]
    if asked.write and not asked.models:
        MEASURED.unlink(missing_ok=True)
    workers = {(each, kind): worker(kind, each) for each in here for kind in SWITCHES}
    for name in asked.models or trained():
        for job in JOBS:
            rows = compared(workers, here, name, job, asked.rounds)
            if asked.write:
                write(rows)
    for each in workers.values():
        each.end()


def trained() -> list[str]:
    """Name the networks of `conf/model` that learn, those that are used most first."""
    first = ["srcnn", "vdsr", "hybrid"]
    names = sorted(path.stem for path in (CHECKOUT / "conf" / "model").glob("*.yaml"))
    return [*first, *(name for name in names if name not in (*first, "bicubic"))]


def compared(
    workers: dict[tuple[str, str], Worker], instructions: list[str], name: str, job: str, rounds: int
) -> list[dict[str, Any]]:
    """Let the kinds take turns; print and give a row for each set of instructions."""
    for (with_these, _kind), each in workers.items():
        each.ask(name, job, with_these)
    costs: dict[tuple[str, str], list[Cost]] = {key: [] for key in workers}
    for _ in range(rounds):
        for key, asked in workers.items():
            costs[key].append(asked.ask())
    rows = []
    for each in instructions:
        pairs = list(zip(costs[each, "onednn"], costs[each, "eigen"], strict=True))
        ratio, on_the_clock = (
            statistics.median(one[what] / other[what] for one, other in pairs) for what in range(len(Cost._fields))
        )
        rows.append({"network": name, "job": job, "instructions": each, "ratio": f"{ratio:.2f}"})
        print(*rows[-1].values(), f"(on the clock {on_the_clock:.2f})", sep="\t", flush=True)
    return rows


def write(rows: list[dict[str, Any]]) -> None:
    """Put rows in the place of those of the same networks, under what says where all of them are from."""
    about, before = measured() if MEASURED.is_file() else ([], [])
    kept = {tuple(row[field] for field in FIELDS[:3]): row for row in (*before, *rows)}
    with MEASURED.open("w", encoding="utf-8", newline="") as file:
        for line in dict.fromkeys([*about, conditions()]):
            file.write(f"# {line}\n")
        table = csv.DictWriter(file, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(kept.values())


@functools.cache
def conditions() -> str:
    """Say by which command, on what, beside how much other work, with which versions and when it is measured."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras"))
    machine = f"{model_name()}, {cores()} cores, load average {os.getloadavg()[2]:.0f}"
    return f"{shlex.join(['python', *sys.argv])}: {machine}; {versions}; {dt.date.today().isoformat()}"


def prepared(name: str, job: str, instructions: str) -> Callable[[], object]:
    """Build a network, and give a training step of it, or the restoration of an image."""
    import keras
    import numpy as np

    import srexp
    from srexp.config.builders import build
    from srexp.enhance.predict import batch_predictor
    from srexp.experiment import network
    from srexp.system.kernels import choice

    choice.instruction_set = lambda: instructions
    keras.backend.clear_session()
    config = srexp.compose([f"model={name}", *REQUEST])
    network.prepare(config)
    draw = np.random.default_rng(0).random
    if job == "restoring":
        restore, low = batch_predictor(network.float32_network(config, 1)), draw((1, SIDE, SIDE, 1), np.float32)
        return lambda: restore(low)
    trainer = config.trainer
    with network.trained_network(config, 1, precision="float32") as model:
        model.compile(optimizer=build(config.optimizer), loss=build(config.loss), jit_compile=False)
    shape = (trainer.patches, trainer.patch_size // config.inner_scale)
    low = draw((shape[0], shape[1], shape[1], 1), np.float32)
    high = draw((shape[0], trainer.patch_size, trainer.patch_size, 1), np.float32)
    return lambda: model.train_on_batch(low, high)


if __name__ == "__main__":
    main()
