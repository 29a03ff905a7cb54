"""Keras Tuner's oracles, made to survive a kill; imports Keras Tuner, so it is imported only by a worker."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine import hyperparameters
from keras_tuner.engine.oracle import Oracle
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.engine import conditions  # conditional_scope knows no key with two parents
from threadpoolctl import threadpool_limits

from srexp.search.parameter import Parameter
from srexp.search.space import Space
from srexp.system.files.atomic_files import write_whole

OBJECTIVE = "val_psnr"


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what Keras Tuner does in an outdated way, and its process's notes on its own fit."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(currentThread|getName)\(\) is deprecated", DeprecationWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class DurableOracle(Oracle):  # type: ignore[misc]  # keras_tuner carries no types
    """What all our oracles do otherwise than Keras Tuner's, which hold one process's trials.

    They are called under the lock of the study, and read what other processes did before they act. Files are replaced,
    not overwritten. `oracle.json` decides which trials there are: one whose worker was killed before it was named there
    never ran. The values of a trial that was given back wait in `queued` for a new one.

    Args:
        space: What is searched.
        project: Folder of its files.
        seed: Of its draws.
        **options: Of Keras Tuner's oracle.
    """

    trials: dict[str, Any]
    ongoing_trials: dict[str, Any]
    queued: list[dict[str, Any]]
    _retry_queue: list[str]
    _taken: dict[str, Any]

    def __init__(self, space: Space, project: Path, seed: int, **options: Any) -> None:
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            hyperparameters=build_hyperparameters(space),
            seed=seed % 2**31 + 1,  # 0 would mean any
            max_consecutive_failed_trials=None,  # search.max_failures counts them
            **options,
        )
        self._set_project_dir(str(project.parent), project.name)
        self.verbose, self.space = 0, space
        self._begin: Callable[[str, Mapping[str, Any]], None] | None = None

    def start(self, tuner_id: str, begin: Callable[[str, Mapping[str, Any]], None]) -> Trial | None:
        """Begin a trial.

        Args:
            tuner_id: Who trains it, and nothing else now.
            begin: Called with the name of the trial, and the facts that its values were queued with, before the trial
                is there for others.

        Returns:
            None where there are no values now.
        """
        with quiet():
            self._refresh()
            self._begin = begin
            trial = self.create_trial(tuner_id)
            self._begin = None  # there may have been nothing to begin
        return trial if trial.status == TrialStatus.RUNNING else None

    def finish(self, trial_id: str, score: float) -> None:
        """End a trial with its score."""
        with quiet():
            self._refresh()
            trial = self.update_trial(trial_id, {OBJECTIVE: score})
            trial.status = TrialStatus.COMPLETED
            self.end_trial(trial)
            self.save()  # again, since Keras Tuner takes the trial from the running ones after its own save

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Give the values for a trial: those given back first."""
        self._taken = {}
        if not self.queued:
            return super().populate_space(trial_id)  # type: ignore[no-any-return]
        self._taken = self.queued.pop(0)
        values = self._taken.pop("values")
        self._replace(self.start_order[self._taken["retry_of"]], trial_id)
        return {"status": "RUNNING", "values": dict(values)}

    def _replace(self, old: str, new: str) -> None:
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
        write_whole(Path(self._get_oracle_fname()), json.dumps(self.get_state()))

    def _save_trial(self, trial: Any) -> None:
        folder = Path(self._get_trial_dir(trial.trial_id))
        if self._begin is not None:  # before oracle.json names the trial, so that none is there without its record
            self._begin(trial.trial_id, self._taken)
            self._begin = None
        write_whole(folder / "trial.json", json.dumps(trial.get_state()))

    def _refresh(self) -> None:
        """Read what other processes did since."""
        self.trials = {}
        if not Path(self._get_oracle_fname()).exists():
            self.queued = []
            self.save()
        self.reload()
        # Reloading means to Keras Tuner that all workers are gone, and their trials run again under their old numbers.
        self._retry_queue, self.ongoing_trials = [], self._running
        self.trials = {identifier: self.trials[identifier] for identifier in self.start_order}


class RandomOracle(DurableOracle, keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
    """Draws at random."""


class BayesianOracle(DurableOracle, keras_tuner.oracles.BayesianOptimizationOracle):  # type: ignore[misc]
    """Fits a Gaussian process to what came of the trials."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Give the values for a trial.

        Keras Tuner guesses what becomes of running trials by the process as it was fitted last; here that was in
        another process, so it is fitted to the finished trials first. The starts of the search for its optimum are
        drawn by the number of the trial, not from the same place in every process.
        """
        self._random_state = np.random.RandomState(self.seed + int(trial_id))
        trials, running = self.trials, self.ongoing_trials
        finished = {name: trial for name, trial in trials.items() if trial.status == "COMPLETED"}
        if running and len(finished) >= (self.num_initial_points or 3 * len(self.hyperparameters.space)):
            self.trials, self.ongoing_trials = finished, {}
            self.gpr.fit(*self._vectorize_trials())
            self.trials, self.ongoing_trials = trials, running
        with threadpool_limits(1):  # thousands of products of tiny matrices
            return super().populate_space(trial_id)


class HyperbandOracle(DurableOracle, keras_tuner.oracles.HyperbandOracle):  # type: ignore[misc]
    """Trains many for a short time and the best for longer, bracket after bracket until the number is reached."""

    def _replace(self, old: str, new: str) -> None:
        for bracket in self._brackets:
            for entry in (entry for rung in bracket["rounds"] for entry in rung):
                if entry["id"] == old:
                    entry["id"] = new


class GridOracle(DurableOracle):
    """Each combination once. Keras Tuner's own forgets on resuming where it was."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Give the next combination that was not tried."""
        if self.queued:
            return super().populate_space(trial_id)
        self._taken = {}
        fresh = self.space.next_untried(
            self.space.decode(trial.hyperparameters.values) for trial in self.trials.values()
        )
        return {"status": "STOPPED"} if fresh is None else {"status": "RUNNING", "values": self.space.encode(fresh)}


def build_hyperparameters(space: Space) -> Any:
    """Say the space in Keras Tuner's words."""
    said = keras_tuner.HyperParameters()
    by_name = {each.name: each for each in space.parameters}
    for parameter in space.parameters:
        when = [
            conditions.Parent(parent, [by_name[parent].encode(value) for value in values])
            for parent, values in parameter.when.items()
        ]
        said.merge([_hyperparameter(parameter, when)])
    return said


def _hyperparameter(parameter: Parameter, when: list[Any]) -> Any:
    name, low, high = parameter.name, parameter.low, parameter.high
    if parameter.kind == "categorical" or low == high:
        values = list(parameter.encoded) if parameter.kind == "categorical" else [low]
        return hyperparameters.Choice(name, values, conditions=when)
    build = hyperparameters.Int if parameter.kind == "int" else hyperparameters.Float
    if parameter.kind == "float" and parameter.step is not None:
        high += parameter.step / 2  # Keras Tuner rounds the number of steps down, and 0.3 - 0.1 is below 0.2
    sampling = "log" if parameter.log else "linear"
    return build(name, low, high, step=parameter.step, sampling=sampling, conditions=when)
