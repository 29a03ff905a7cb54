"""What a search costs and saves: two workers beside one, the driver's share, pruning beside none.

    python tests/benchmarks/bench_search.py workers [--trials 8]
    python tests/benchmarks/bench_search.py pruning --root FOLDER [--trials 20] [--pruners halving hyperband none]

`workers`: trials per hour of two workers of one thread each, and of one worker of one thread, from the first trial's
begin to the last one's end; and the processor time of the driver beside that of the trials. `pruning`: the best
validation PSNR and the training steps of the same search with each pruner and without one, on a folder of radiographs.
Searches run in a scratch folder, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from srexp.types import Trial

SPACE = (
    "search.space={optimizer.lr:{type:float,low:1e-6,high:1e-3,log:true},"
    "optimizer.clip_norm:{type:categorical,choices:[0.03,0.1,0.3]},loss:{type:categorical,choices:[mse,l1]}}"
)
QUICK = ["trainer.batch_size=8", "trainer.patch_size=32", "trainer.validation_images=4", "trainer.validation_size=128"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["workers", "pruning"])
    parser.add_argument("--trials", type=int)
    parser.add_argument("--root", type=Path, help="radiographs whose names begin with eight digits of a patient")
    parser.add_argument("--pruners", nargs="+", default=["halving", "hyperband", "none"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.what == "workers":
            workers(Path(scratch), options.trials or 8)
        else:
            pruning(Path(scratch), options.root, options.trials or 20, options.pruners)


def workers(scratch: Path, count: int) -> None:
    """Compare one worker with two, of one thread each."""
    request = [*QUICK, "trainer.epochs=3", "trainer.steps_per_epoch=60", "trainer.test_size=256", "search.pruner=none"]
    rates = {}
    for number in (1, 2):
        name = f"workers{number}"
        user, trials = search(scratch, name, count, [*request, f"search.workers={number}", "search.threads=1"])
        begun = min(trial.started.timestamp() for trial in trials if trial.started)
        ended = max(trial.ended.timestamp() for trial in trials if trial.ended)
        rates[number] = 3600 * len(trials) / (ended - begun)
        spent = sum((t.ended - t.started).total_seconds() for t in trials if t.started and t.ended)
        print(
            f"{number} worker: {rates[number]:5.0f} trials per hour, driver {user:4.1f} s of processor "
            f"beside {spent:5.0f} s of trials ({100 * user / spent:.1f} %)",
            flush=True,
        )
    print(f"two workers make {rates[2] / rates[1]:.2f} times as many trials per hour")


def pruning(scratch: Path, root: Path, count: int, pruners: list[str]) -> None:
    """Compare pruners with none."""
    data = ["dataset=folder", f"dataset.root={root}", r"dataset.patients='^(\d{8})'", "trainer.test_size=256"]
    request = [*data, *QUICK, "trainer.epochs=9", "trainer.steps_per_epoch=30"]
    found = {}
    for pruner in pruners:
        start = time.perf_counter()
        _, trials = search(scratch, pruner, count, [*request, f"search.pruner={pruner}"])
        best = max(max(trial.curve.values()) for trial in trials if trial.state == "finished")
        steps = sum(30 * max(trial.curve, default=0) for trial in trials)
        found[pruner] = best, steps
        states = [trial.state for trial in trials]
        print(
            f"{pruner:10} best {best:.3f} dB, {steps} steps, {states.count('finished')} finished, "
            f"{states.count('pruned')} pruned, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    if "none" in found:
        without, all_steps = found.pop("none")
        for pruner, (best, steps) in found.items():
            print(f"{pruner}: {best - without:+.3f} dB at {100 * steps / all_steps:.0f} % of the steps")


def search(scratch: Path, name: str, count: int, request: list[str]) -> tuple[float, list[Trial]]:
    """Run a search; give the driver's own processor time while trials ran, and the trials."""
    arguments = [SPACE, f"search.name={name}", f"search.trials={count}", f"paths.root={scratch}", "seed=1", *request]
    out = scratch / f"{name}-out"
    command = [sys.executable, "-m", "srexp", "search", *arguments, f"hydra.run.dir={out}"]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    user = driven(driver, scratch / "studies" / name, count)
    if driver.wait():
        sys.exit(f"{name} ended with {driver.returncode}")
    return user, trials_of(arguments, scratch / "studies" / name)


def driven(driver: subprocess.Popen[bytes], folder: Path, count: int) -> float:
    """Wait for the last trial; give the driver's processor time from the first trial on, without its children's."""
    import psutil

    process, before = psutil.Process(driver.pid), None
    while driver.poll() is None:
        begun = len(list((folder / "trials").glob("*/course.json"))) if folder.is_dir() else 0
        times = process.cpu_times()
        used = times.user + times.system
        if before is None and (folder / "trials").is_dir():
            before = used
        if begun >= count:
            return used - (before or used)
        time.sleep(0.2)
    return float("nan")


def trials_of(arguments: list[str], folder: Path) -> list[Trial]:
    """Read the trials of a study."""
    import srexp
    from srexp.config.builders import build

    config = srexp.compose(arguments, verb="search")
    study = build(config.search, folder=folder).open(seed=config.seed, epochs=config.trainer.epochs)
    return [trial for trial in study.trials() if trial.state in ("finished", "pruned")]


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(json.dumps({"processors": os.cpu_count()}))
    main()
