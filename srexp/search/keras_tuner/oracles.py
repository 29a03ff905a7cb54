"""Keras Tuner's oracles, made to survive a kill; imports Keras Tuner, so it is imported only by a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras_tuner
import numpy as np
from keras_tuner.engine import hyperparameters
from keras_tuner.engine.oracle import Oracle
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle
from keras_tuner.src.engine import conditions  # conditional_scope knows no key with two parents
from threadpoolctl import threadpool_limits

from srexp.search.keras_tuner.study import TunerStudy, write_json
from srexp.search.key import Key, identity

if TYPE_CHECKING:
    from srexp.search.space import Space

OBJECTIVE = "val_psnr"


class Durable(Oracle):  # type: ignore[misc]  # keras_tuner carries no types
    """What all our oracles do otherwise than Keras Tuner's.

    Files are replaced, not overwritten. `oracle.json` decides which trials there are: one whose worker was killed
    before it was named there never ran. The values of a trial that was given back wait in `queued` for a new one.
    """

    queued: list[dict[str, Any]]
    taken: dict[str, Any]
    begin: Callable[[str], None] | None = None
    trials: dict[str, Any]
    ongoing_trials: dict[str, Any]
    _retry_queue: list[str]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Give the values for a trial: those given back first."""
        self.taken = {}
        if not self.queued:
            return super().populate_space(trial_id)  # type: ignore[no-any-return]
        self.taken = self.queued.pop(0)
        self.replace(self.start_order[self.taken["retry_of"]], trial_id)
        return {"status": "RUNNING", "values": dict(self.taken["values"])}

    def replace(self, old: str, new: str) -> None:
        """Let a new trial stand where a given back one stood."""

    def get_state(self) -> dict[str, Any]:
        """Give what `oracle.json` keeps."""
        return {**super().get_state(), "queued": self.queued}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take what `oracle.json` kept."""
        super().set_state(state)
        self.queued = state["queued"]
        self._running = dict(self.ongoing_trials)

    def save(self) -> None:
        """Write `oracle.json`."""
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Any) -> None:
        folder = Path(self._get_trial_dir(trial.trial_id))
        if self.begin is not None:  # before oracle.json names the trial, so that none is there without its record
            self.begin(trial.trial_id)
            self.begin = None
        write_json(folder / "trial.json", trial.get_state())

    def refresh(self) -> None:
        """Read what other processes did since."""
        self.trials = {}
        if not Path(self._get_oracle_fname()).exists():
            self.queued = []
            self.save()
        self.reload()
        # Reloading means to Keras Tuner that all workers are gone, and their trials run again under their old numbers.
        self._retry_queue, self.ongoing_trials = [], self._running
        self.trials = {identifier: self.trials[identifier] for identifier in self.start_order}


class Random(Durable, RandomSearchOracle):  # type: ignore[misc]
    """Draws at random."""


class Bayesian(Durable, BayesianOptimizationOracle):  # type: ignore[misc]
    """Fits a Gaussian process to what came of the trials."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Give the values for a trial.

        Keras Tuner guesses what becomes of running trials by the process as it was fitted last; here that was in
        another process, so it is fitted to the finished trials first. The starts of the search for its optimum are
        drawn by the number of the trial, not from the same place in every process.
        """
        self._random_state = np.random.RandomState((self.seed + int(trial_id)) % 2**32)
        trials, running = self.trials, self.ongoing_trials
        finished = {name: trial for name, trial in trials.items() if trial.status == "COMPLETED"}
        if running and len(finished) >= (self.num_initial_points or 3 * len(self.hyperparameters.space)):
            self.trials, self.ongoing_trials = finished, {}
            self.gpr.fit(*self._vectorize_trials())
            self.trials, self.ongoing_trials = trials, running
        with threadpool_limits(1):  # thousands of products of tiny matrices
            return super().populate_space(trial_id)


class Hyperband(Durable, HyperbandOracle):  # type: ignore[misc]
    """Trains many for a short time and the best for longer, bracket after bracket until the number is reached."""

    def replace(self, old: str, new: str) -> None:
        """Let a new trial stand in the bracket where a given back one stood."""
        for bracket in self._brackets:
            for entry in (entry for rung in bracket["rounds"] for entry in rung):
                if entry["id"] == old:
                    entry["id"] = new


class Grid(Durable):
    """Each combination once. Keras Tuner's own forgets on resuming where it was."""

    space: Space

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Give the next combination that was not tried."""
        if self.queued:
            return super().populate_space(trial_id)
        self.taken = {}
        tried = {identity(self.space.decode(trial.hyperparameters.values)) for trial in self.trials.values()}
        fresh = next((values for values in self.space.grid() if identity(values) not in tried), None)
        return {"status": "STOPPED"} if fresh is None else {"status": "RUNNING", "values": self.space.encode(fresh)}


def build_oracle(study: TunerStudy) -> Durable:
    """Build the oracle that the section `search` asks for."""
    search = study.search
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": build_hyperparameters(study.space),
        "seed": study.seed % 2**31 + 1,  # 0 would mean any
        "max_consecutive_failed_trials": None,  # search.max_failures counts them
    }
    oracle: Durable
    if search.tuner == "bayesian":
        oracle = Bayesian(max_trials=None, num_initial_points=search.startup_trials, beta=search.beta, **common)
    elif search.tuner == "hyperband":
        oracle = Hyperband(max_epochs=study.epochs, factor=search.reduction, hyperband_iterations=None, **common)
    elif search.tuner == "random":
        oracle = Random(max_trials=None, **common)
    else:
        oracle = Grid(max_trials=None, **common)
        oracle.space = study.space
    oracle.verbose = 0
    oracle.queued, oracle.taken = [], {}
    return oracle


def build_hyperparameters(space: Space) -> Any:
    """Say the space in Keras Tuner's words."""
    said = keras_tuner.HyperParameters()
    by_name = {key.name: key for key in space.keys}
    for key in space.keys:
        when = [
            conditions.Parent(parent, [by_name[parent].encode(value) for value in values])
            for parent, values in key.when.items()
        ]
        said.merge([_hyperparameter(key, when)])
    return said


def _hyperparameter(key: Key, when: list[Any]) -> Any:
    if key.kind == "categorical" or key.low == key.high:
        values = list(key.encoded) if key.kind == "categorical" else [key.low]
        return hyperparameters.Choice(key.name, values, conditions=when)
    build = hyperparameters.Int if key.kind == "int" else hyperparameters.Float
    sampling = "log" if key.log else "linear"
    return build(key.name, key.low, key.high, step=key.step, sampling=sampling, conditions=when)
