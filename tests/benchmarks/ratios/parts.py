"""What is measured, and beside what: whole commands here, what happens within a process in `inside`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from srexp.system.kernels.choice import environment_for

from .table import Cost, Pairs

CHECKOUT = Path(__file__).parents[3]
PLAIN = Path(__file__).parent / "plain"

#: One epoch of SRCNN, scored on a small crop; `plain/training.py` takes the same steps.
EPOCH = ["model=srcnn", "trainer.precision=float32", "trainer.epochs=1", "trainer.steps_per_epoch=20"]
EPOCH += ["trainer.validation_images=1", "trainer.validation_size=64", "trainer.test_size=128"]
SPACE = "search.space={optimizer.lr:{type:float,low:1e-6,high:1e-4,log:true}}"


def spent() -> Cost:
    """Give what this process and its children that have ended have spent so far."""
    return Cost(sum(os.times()[:4]), time.perf_counter())


def since(start: Cost) -> Cost:
    """Give what was spent since."""
    now = spent()
    return Cost(now.processor - start.processor, now.clock - start.clock)


@dataclass(frozen=True)
class Bench:
    """A folder for what is measured.

    Args:
        scratch: The folder.
        rounds: Pairs of each part that is cheap.
    """

    scratch: Path
    rounds: int

    def command(self, *words: str, kernels: bool = False, **variables: str) -> Cost:
        """Run Python with some words, and more variables of the environment; give what it took."""
        own = {**os.environ, **variables, "PYTHONPATH": str(CHECKOUT), "SREXP_ROOT": str(self.scratch)}
        own["TF_CPP_MIN_LOG_LEVEL"] = "3"
        own |= environment_for("srcnn", "training") if kernels else {}
        own.pop("MLFLOW_TRACKING_URI", None)
        start = spent()
        done = subprocess.run(
            [sys.executable, *words], cwd=self.scratch, env=own, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{words} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return since(start)

    def empty(self) -> None:
        """Forget all runs."""
        shutil.rmtree(self.scratch / "mlruns", ignore_errors=True)


def start(bench: Bench, verb: str) -> Pairs:
    """A verb or an option beside a bare Hydra application that composes the same files and checks nothing."""
    ours = ["-m", "srexp", verb]
    theirs = [str(PLAIN / "application.py"), *([verb] if verb.startswith("-") else [])]
    pairs = [(bench.command(*ours), bench.command(*theirs)) for _ in range(2 * bench.rounds + 1)]
    return pairs[1:]


def completion(bench: Bench) -> Pairs:
    """What a shell asks behind each TAB, here for a key, beside the completion that Hydra offers every application."""

    def asked(*program: str) -> Cost:
        return bench.command(*program, "--shell-completion", "query=bash", COMP_LINE="srexp optimizer.l")

    application = str(PLAIN / "application.py")
    return [(asked("-m", "srexp"), asked(application)) for _ in range(2 * bench.rounds + 1)][1:]


def command(bench: Bench) -> Pairs:
    """A whole command that trains, scores and registers, beside a script of plain Keras that trains and saves."""
    pairs = []
    for _ in range(bench.rounds):
        bench.empty()
        pairs.append((bench.command("-m", "srexp", *EPOCH), bench.command(str(PLAIN / "training.py"), kernels=True)))
    return pairs


def job(bench: Bench) -> Pairs:
    """One more job of a multirun, beside the same script."""

    def multirun(seeds: str) -> Cost:
        bench.empty()
        return bench.command("-m", "srexp", "-m", *EPOCH, f"seed={seeds}")

    return _one_more(bench, lambda: multirun("1"), lambda: multirun("1,2"), more=1)


def trial(bench: Bench) -> Pairs:
    """One more trial of a search, in the worker that is there, beside the same script."""

    def search(trials: int) -> Cost:
        bench.empty()
        how = ["search.name=bench", "search.pruner=none", f"search.trials={trials}"]
        return bench.command("-m", "srexp", "search", SPACE, *how, *EPOCH)

    return _one_more(bench, lambda: search(1), lambda: search(3), more=2)


def _one_more(bench: Bench, one: Callable[[], Cost], many: Callable[[], Cost], *, more: int) -> Pairs:
    pairs = []
    for _ in range(max(1, bench.rounds // 2)):
        few, plain, all_of_them = one(), bench.command(str(PLAIN / "training.py"), kernels=True), many()
        pairs.append((Cost(*((each - less) / more for each, less in zip(all_of_them, few, strict=True))), plain))
    return pairs


def inside(bench: Bench, name: str, about: str) -> Pairs:
    """Measure in a process that does nothing else."""
    answer = bench.scratch / "pairs.json"
    bench.empty()
    bench.command("-m", "tests.benchmarks.ratios.inside", name, about, str(bench.rounds), str(answer))
    return [(Cost(*ours), Cost(*theirs)) for ours, theirs in json.loads(answer.read_text())]


def parts() -> Iterator[tuple[str, str, Callable[[Bench], Pairs]]]:
    """List what is measured: its name, its peer, and how."""

    def within(name: str, about: str) -> Callable[[Bench], Pairs]:
        return lambda bench: inside(bench, name, about)

    yield "start --help", "a bare Hydra application", lambda bench: start(bench, "--help")
    yield "start check", "a bare Hydra application", lambda bench: start(bench, "check")
    yield "start completion", "completion of a bare Hydra application", completion
    for network in ("srcnn", "hybrid", "vdsr"):
        yield f"train {network}", "plain Keras `fit` on arrays in memory", within("train", network)
    yield "first step", "plain Keras: build, compile, one step", within("first", "srcnn")
    yield "enhance a folder", "Pillow and ONNX Runtime by hand", within("enhance", "zoo/hybrid-cxr-x2")
    for network in ("srcnn", "hybrid", "vdsr"):
        yield f"score {network}", "its forward passes", within("score", network)
    script = "a script of plain Keras that trains the same and saves"
    yield "command of one epoch", script, command
    yield "one more job", script, job
    yield "one more trial", script, trial
