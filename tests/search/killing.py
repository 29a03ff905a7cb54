"""Kills the workers of a study ten times at random moments, lets the last ones end, and prints the trials as JSON.

Workers are forked from a process that has imported the engine once: ten imports of TensorFlow would take a minute.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)


def build(engine: str, folder: Path, trials: int, **options):
    from srexp.search.keras_tuner.engine import KerasTuner
    from srexp.search.optuna.engine import Optuna

    space = {
        "model": {"type": "categorical", "choices": ["srcnn", "vdsr"]},
        "model.depth": {"type": "int", "low": 8, "high": 20, "step": 4, "when": {"model": "vdsr"}},
        "optimizer.lr": {"type": "float", "low": 1e-5, "high": 1e-2, "log": True},
    }
    made = Optuna if engine == "optuna" else KerasTuner
    return made(folder=folder, name="killed", space=space, trials=trials, **options)


def train_slowly(attempt):
    folder = Path(sys.argv[2]) / "outputs" / str(attempt.number)
    folder.mkdir(parents=True)  # a number that is used twice fails here
    for epoch in range(1, 4):
        time.sleep(random.uniform(0, 0.06))
        attempt.report(epoch, attempt.number % 7 + epoch)
    return [float(attempt.number % 7)]


def start(search) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        random.seed(os.getpid())
        search.open(seed=0, epochs=3).work(train_slowly)
        code = 0
    finally:
        os._exit(code)


def main(engine: str, folder: Path, trials: int, workers: int, options: dict) -> None:
    if engine == "keras_tuner":
        import keras_tuner  # noqa: F401 - for the workers
    else:
        import optuna  # noqa: F401
    search = build(engine, folder, trials, **options)
    chance = random.Random(1)
    for _ in range(10):
        pids = [start(search) for _ in range(workers)]
        time.sleep(chance.uniform(0.02, 0.6))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
    pids = [start(search) for _ in range(workers)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    study = search.open(seed=0, epochs=3)
    found = [[trial.number, trial.state, dict(trial.values), dict(trial.facts)] for trial in study.trials()]
    print(json.dumps({"codes": codes, "trials": found}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), json.loads(sys.argv[5]))
