"""How soon VDSR passes the end of SRCNN's training, on chest radiographs at x2, each by its preset.

    python tests/benchmarks/bench_recipe.py --root FOLDER [--write]                      # 7 minutes and 3
    python tests/benchmarks/bench_recipe.py --root FOLDER --srcnn 30                     # as long as the preset has it
    python tests/benchmarks/bench_recipe.py --root FOLDER --instructions avx2 --write    # without what is beyond AVX2

SRCNN is trained under `+experiment=cxr_x2`, VDSR under `+experiment=cxr_x2_vdsr`, in a process each. They take turns of
an epoch, and the clock of one stands while the other one works. Minutes are those of training with its validations;
from the start of a command to the first step it takes some seconds more. What VDSR has to pass is the best validation
PSNR of SRCNN's whole training. No test image is looked at. `--write` puts the points of both curves into
docs/results/recipe.csv, in the place of those with the same instructions and precision. Do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2]))

from srexp.system.kernels import choice
from tests.benchmarks.bench_training import CAPS, available
from tests.benchmarks.ratios.table import conditions

TABLE = Path(__file__).parents[2] / "docs" / "results" / "recipe.csv"
PRESETS = {"srcnn": ["+experiment=cxr_x2", "model=srcnn"], "vdsr": ["+experiment=cxr_x2_vdsr"]}


class Point(NamedTuple):
    """What a network had learnt when so much of its training was over."""

    instructions: str
    precision: str
    network: str
    minutes: float
    step: int
    val_psnr: float


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="folder of chest radiographs, named as NIH names them")
    parser.add_argument("--srcnn", type=float, default=7.0, metavar="MINUTES")
    parser.add_argument("--vdsr", type=float, metavar="MINUTES", help="those of the preset, where it isn't given")
    parser.add_argument("--instructions", choices=list(CAPS), help="the widest that the processor has, if not given")
    parser.add_argument(
        "--precision", choices=["auto", "float32"], default="auto", help="of VDSR; AVX2 has float32 alone"
    )
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    about = conditions(shlex.join(["python", *sys.argv]).replace(asked.root, "FOLDER"))
    instructions = asked.instructions or available()[0]
    precision = asked.precision if instructions == "avx512" else "float32"
    points = trained(asked, instructions, precision)
    print(told(points))
    if asked.write:
        write(points, about)


def trained(asked: argparse.Namespace, instructions: str, precision: str) -> list[Point]:
    """Let both train, the one next that has the smaller share of its minutes behind it; give their curves."""
    spawn = multiprocessing.get_context("spawn")
    at_home = Path(asked.root).absolute()
    turns: dict[str, Connection] = {}
    shares = dict.fromkeys(PRESETS, 0.0)
    points: list[Point] = []
    for name, preset in PRESETS.items():
        words = [*preset, f"dataset.root={at_home}"]
        minutes = getattr(asked, name)
        words += [f"trainer.max_minutes={minutes}"] if minutes else []
        words += [f"trainer.precision={precision}"] if name == "vdsr" else []
        turns[name], other = spawn.Pipe()
        spawn.Process(target=train, args=(other, words, instructions), daemon=True).start()
        other.close()
    while turns:
        name = min(turns, key=lambda each: shares[each])
        turns[name].send(None)
        answer = turns[name].recv()
        if isinstance(answer, int):  # the last epoch may be a shorter one
            last = max(number for number, each in enumerate(points) if each.network == name)
            points[last] = points[last]._replace(step=answer)
            turns.pop(name)
            continue
        shares[name], *numbers = answer
        points.append(Point(instructions, precision, name, *numbers))
        print("{2:6} {3:6.2f} minutes, step {4:6}, {5:.3f} dB".format(*points[-1]), flush=True)
    return points


def train(turn: Connection, words: Sequence[str], instructions: str) -> None:
    """Train in this process; wait for a turn before the first step and after each epoch."""
    os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", **CAPS[instructions]}
    mock.patch.object(choice, "instruction_set", return_value=instructions).start()
    import srexp
    from srexp.experiment.fitting import fit_network
    from srexp.experiment.task import Task

    config = srexp.compose(words)
    choice.settle(config.model.name, "training", precision=config.trainer.precision)
    most = config.trainer.max_minutes or 1.0  # shares need an end, which both presets have
    turn.recv()
    task = Task(config)
    from srexp.training import callbacks

    waited = 0.0

    def tell(epoch: int, numbers: Mapping[str, float]) -> None:
        nonlocal waited
        minutes = numbers["training_seconds"] / 60
        step = epoch * config.trainer.steps_per_epoch
        turn.send((minutes / most, minutes, step, numbers["val_psnr"]))
        began = time.monotonic()
        turn.recv()
        waited += time.monotonic() - began

    own_time = SimpleNamespace(**vars(time) | {"monotonic": lambda: time.monotonic() - waited})
    unrecorded: Any = SimpleNamespace(set_tags=lambda _: None, log_metrics=lambda *_, **__: None)
    with mock.patch.object(callbacks, "time", own_time):
        _, fitted = fit_network(task, unrecorded, tell)
    turn.send(fitted.steps)


def passed(points: Sequence[Point]) -> tuple[float, Point | None]:
    """Give what has to be passed, SRCNN's best validation PSNR, and the first point of VDSR that is above it.

    Example:
        >>> srcnn = Point("avx2", "float32", "srcnn", 7.0, 9000, 47.9)
        >>> vdsr = srcnn._replace(network="vdsr", minutes=3.0)
        >>> passed([srcnn, vdsr, vdsr._replace(minutes=4.0, val_psnr=48.0)])[1].minutes
        4.0
    """
    end = max(each.val_psnr for each in points if each.network == "srcnn")
    return end, next((each for each in points if each.network == "vdsr" and each.val_psnr > end), None)


def told(points: Sequence[Point]) -> str:
    """Say when VDSR passed the end of SRCNN, or how far it came."""
    end, at = passed(points)
    spent = {name: max(each.minutes for each in points if each.network == name) for name in PRESETS}
    best = max(each.val_psnr for each in points if each.network == "vdsr")
    when = f"passed it after {at.minutes:.2f} minutes" if at else "did not pass it"
    return (
        f"SRCNN came to {end:.3f} dB in {spent['srcnn']:.1f} minutes; VDSR {when}, "
        f"and came to {best:.3f} dB in {spent['vdsr']:.1f} minutes"
    )


def read(path: Path = TABLE) -> tuple[list[str], list[Point]]:
    """Read what is committed: where it is from, and the points; nothing where nothing was written yet."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    next(rows, None)
    about = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return about, [
        Point(how, precision, name, float(at), int(step), float(psnr)) for how, precision, name, at, step, psnr in rows
    ]


def write(points: Sequence[Point], about: str, path: Path = TABLE) -> None:
    """Put points in the place of those with the same instructions and precision, under what says where all are from."""
    earlier, before = read(path)
    kept = [each for each in before if each[:2] != points[0][:2]]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in dict.fromkeys([*(earlier if kept else []), about]))
        table: Any = csv.writer(file, lineterminator="\n")
        table.writerow(Point._fields)
        table.writerows(
            (*each[:3], f"{each.minutes:.3f}", each.step, f"{each.val_psnr:.3f}") for each in [*kept, *points]
        )


if __name__ == "__main__":
    main()
