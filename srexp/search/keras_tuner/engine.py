"""Search with Keras Tuner: its oracles choose the values; the space, the records and the resume are those of Optuna."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from srexp.errors import RequestError
from srexp.search.keras_tuner.distributed import ChiefStudy, WorkerStudy
from srexp.search.keras_tuner.study import PROJECT, TunerStudy
from srexp.search.study import Search, Study

if TYPE_CHECKING:
    from srexp.search.keras_tuner.oracles import DurableOracle

Tuner: TypeAlias = Literal["bayesian", "random", "hyperband", "grid"]
Role: TypeAlias = Literal["alone", "chief", "worker"]


@dataclass(frozen=True, kw_only=True)
class KerasTuner(Search):
    """The section `search` with Keras Tuner as its engine: the keys of `Search`, and those of its tuners.

    The workers of one machine share the files of the study under a lock; any of them may die. Several machines work in
    Keras Tuner's own chief-worker mode: the same command on each, with `KERASTUNER_ORACLE_IP` and
    `KERASTUNER_ORACLE_PORT` of the chief and `KERASTUNER_TUNER_ID`, which is `chief` on one and its own on each other.
    The chief keeps the study and trains nothing; a worker that falls silent for two minutes loses its trial to the
    next one.

    Args:
        tuner: How values are chosen: `bayesian` (Gaussian process), `random`, `hyperband` (Li et al. 2018: many short
            trials, of which the best are trained again for longer), or `grid` (each combination once).
        startup_trials: Of bayesian: finished trials before the process is fitted; None: three for each key.
        beta: Of bayesian: how much more an uncertain value is worth than a known one.
        reduction: Of hyperband: one in so many trials goes on to so many times the epochs.

    Example:
        >>> from pathlib import Path
        >>> space = {"optimizer.lr": {"type": "float", "low": 1e-5, "high": 1e-2, "log": True}}
        >>> KerasTuner(folder=Path("study"), name="lr", space=space).role
        'alone'
    """

    tuner: Tuner = "bayesian"
    startup_trials: Annotated[int, Field(ge=1)] | None = None
    beta: Annotated[float, Field(ge=0)] = 2.6
    reduction: Annotated[int, Field(ge=2)] = 3

    def __post_init__(self) -> None:
        """Refuse what Keras Tuner can't do."""
        super().__post_init__()
        if self.objectives != ["val_psnr"]:
            raise RequestError(
                "search.objectives: Keras Tuner seeks val_psnr alone", got=self.objectives, fix="search=optuna"
            )
        if self.storage is not None:
            raise RequestError(
                "search.storage: Keras Tuner keeps its studies in files",
                fix="search=optuna, or for several machines KERASTUNER_ORACLE_IP, as docs/howto/many-machines.md shows",
            )
        if "KERASTUNER_ORACLE_IP" in os.environ:
            missing = [name for name in ("KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID") if name not in os.environ]
            if missing:
                raise RequestError(f"KERASTUNER_ORACLE_IP is set, but not {' and '.join(missing)}")

    @property
    def role(self) -> Role:
        """What this process is in Keras Tuner's chief-worker mode, by its environment."""
        if "KERASTUNER_ORACLE_IP" not in os.environ:
            return "alone"
        return "chief" if "chief" in os.environ["KERASTUNER_TUNER_ID"] else "worker"

    @property
    def is_grid(self) -> bool:
        """Whether each combination of values is tried once, in order."""
        return self.tuner == "grid"

    def open(self, *, seed: int, epochs: int) -> Study:
        """Open the study in `folder`, or begin it."""
        own = seed if self.seed is None else self.seed
        kinds = {"alone": TunerStudy, "chief": ChiefStudy, "worker": WorkerStudy}
        return kinds[self.role](self, lambda: self.build_oracle(own, epochs))

    def build_oracle(self, seed: int, epochs: int) -> DurableOracle:
        """Build what chooses the values.

        Args:
            seed: Of the search.
            epochs: The most that a trial is trained for.
        """
        from srexp.search.keras_tuner import oracles

        where = self.parsed, self.folder / PROJECT, seed
        if self.tuner == "bayesian":
            first = self.startup_trials
            return oracles.BayesianOracle(*where, max_trials=None, num_initial_points=first, beta=self.beta)
        if self.tuner == "hyperband":
            factor = self.reduction
            return oracles.HyperbandOracle(*where, max_epochs=epochs, factor=factor, hyperband_iterations=None)
        if self.tuner == "random":
            return oracles.RandomOracle(*where, max_trials=None)
        return oracles.GridOracle(*where, max_trials=None)
