"""Both engines behind one name for what both have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srexp.search.keras_tuner.engine import KerasTuner
from srexp.search.optuna.engine import Optuna
from srexp.search.study import Search

LR = {"type": "float", "low": 1e-5, "high": 1e-1}
SMALL = {
    "optimizer.lr": {"type": "categorical", "choices": [1e-3, 1e-4]},
    "model.depth": {"type": "int", "low": 8, "high": 12, "step": 4},
}


@dataclass(frozen=True)
class Engine:
    """An engine, and what it calls the things that both have."""

    kind: type[Search]
    conf: str
    chooser: str
    plain: dict[str, Any]  # no pruning, nothing learned
    learning: dict[str, Any]
    space: dict[str, Any]
    folder: Path

    def __call__(self, **options) -> Search:
        return self.kind(**{"folder": self.folder, "name": "tried", "space": self.space, **self.plain, **options})

    def opened(self, *, seed=0, epochs=2, **options):
        return self(**options).open(seed=seed, epochs=epochs)

    @property
    def grid(self):
        return {self.chooser: "grid", "space": SMALL}


WORDS = {
    "optuna": (Optuna, "optuna", "sampler", {"pruner": "none", "sampler": "random"}, {"sampler": "tpe"}),
    "keras_tuner": (KerasTuner, "keras_tuner", "tuner", {"tuner": "random"}, {"tuner": "bayesian"}),
}


def states(study):
    return [trial.state for trial in study.trials()]


def different(trials):
    return len({str(trial.values) for trial in trials})
