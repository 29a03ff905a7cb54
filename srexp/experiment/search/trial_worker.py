"""A worker of a search: trains trials, one after the other, until the study has enough of them."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from srexp.config.builders import build
from srexp.config.frozen_files import Files, frozen
from srexp.config.sections.verbs import SearchConfig
from srexp.errors import SrexpError
from srexp.experiment import network
from srexp.experiment.fitting import fit_network
from srexp.experiment.multirun import job
from srexp.experiment.recorded_config import log_request, run_of
from srexp.experiment.search.search_job import (
    STUDY_TAG,
    TRIAL_TAG,
    base_overrides,
    refused,
    repeating,
    study_folder,
    trial_config,
    trial_folder,
)
from srexp.experiment.task import Task
from srexp.lazy_imports import keras
from srexp.search.ask_and_tell import Pruned, RunningTrial
from srexp.search.study import Search
from srexp.system.files.json_files import DamagedError, read_note
from srexp.system.masking.pseudonyms import Pseudonymous
from srexp.system.signals import interruptible
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.parameters import MAX_KEY, shorten
from srexp.training import numerics
from srexp.training.fit import Fitted
from srexp.types import Network

WEIGHTS, COURSE = "best.weights.h5", "course.json"
STATE_TAG = "srexp.trial_state"

#: What a validation PSNR without any error counts as, for engines and figures take finite numbers alone. One pixel in
#: 10^20 that is one of 65535 levels off leaves 296 dB.
EXACT_DB = 300.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """What a worker is told.

    Args:
        config: Of the search.
        files: What trials are composed from.
        folder: Where the worker leaves the reason why it ended, if it must.
        parent: Run id of the search.
    """

    config: SearchConfig
    files: Files
    folder: Path
    parent: str


def run_worker(note: Note) -> int:
    """Work in this process.

    Args:
        note: What to do.

    Returns:
        The exit code: 0, or that of what went wrong, whose message is in `failure.json` then.
    """
    try:
        with interruptible(), frozen(note.files):  # what fails since it was interrupted is no failure
            work(note)
    except SrexpError as error:
        job.fail(note.folder, error)
        return error.exit_code
    return 0


def work(note: Note) -> None:
    """Train trials until the study has enough.

    Raises:
        RequestError: A value of the space is refused by the network that it is for.
        SrexpError: Too many trials failed.
    """
    config = note.config
    engine: Search = build(config.search, folder=study_folder(config))
    worker = Worker(config, note.parent)
    study = engine.open(seed=config.seed, epochs=config.trainer.epochs)
    numerics.load_quietly()  # side by side in all workers, which takes longer than what one does for the others
    with study.alone():
        if not study.about().get("edges_tried"):
            worker.try_edges(engine)
            study.describe(edges_tried=True)
    study.work(worker.train)


class Worker:
    """Trains trials; the data is decoded once for all of them.

    Args:
        config: Of the search.
        parent: Run id of the search.
    """

    def __init__(self, config: SearchConfig, parent: str) -> None:
        self.config, self.parent = config, parent
        self.base = base_overrides(config)
        self.tracking: Tracking = build(config.tracking, folder=config.paths.root)
        self.task = Task(config)

    def train(self, attempt: RunningTrial) -> list[float]:
        """Train one trial in a run of its own, and keep its best weights with the run.

        Args:
            attempt: The trial.

        Returns:
            The value of each objective.

        Raises:
            Pruned: The engine gave the trial up.
            SrexpError: Training failed.
            Interrupted: The process was asked to end.
        """
        # What code in C makes of an interruption would pass for a failure of the trial.
        with interruptible(), _log_in(self._folder(attempt)) as folder:
            config = trial_config(self.base, attempt.values, attempt.epochs, run_dir=folder)
            task = Task(config, like=self.task)
            pruned: Pruned | None = None
            name = str(self.config.search.name)
            marks = {STUDY_TAG: name, TRIAL_TAG: attempt.number, "overrides": repeating(config)}
            tags = {**self.config.tags, **marks}
            with run_of(task, self.tracking, name=_called(name, attempt), tags=tags, parent=self.parent) as tracked:
                attempt.note(run_id=tracked.id, folder=str(folder))
                try:
                    objectives = self._fit(task, tracked, attempt, folder)
                except Pruned as given_up:
                    # The run did what was asked of it, so it is no failed one.
                    pruned = given_up
                    tracked.set_tags({STATE_TAG: "pruned"})
            _forget_networks()
        if pruned:
            raise pruned
        return objectives

    def try_edges(self, engine: Search) -> None:
        """Build everything that a trial builds, for the values at the edges of the space.

        Args:
            engine: Has the space.

        Raises:
            RequestError: Something refuses a value.
        """
        for values in engine.parsed.extremes():
            config = trial_config(self.base, values)
            try:
                build(config.model, scale=config.scale, channels=self.task.channels)
                for section in (config.loss, config.optimizer, config.schedule):
                    build(section)
            except SrexpError as error:
                raise refused(values, error, "is refused", fix="narrow search.space") from error
            _forget_networks()

    def _folder(self, attempt: RunningTrial) -> Path:
        folder = trial_folder(self.config, attempt.number)
        folder.mkdir(parents=True)
        return folder

    def _fit(self, task: Task, tracked: Run, attempt: RunningTrial, folder: Path) -> list[float]:
        log_request(tracked, task)
        model, fitted = fit_network(
            task, tracked, on_epoch=lambda epoch, numbers: attempt.report(epoch, min(numbers["val_psnr"], EXACT_DB))
        )
        best = fitted.history[fitted.best_epoch - 1]
        attempt.note(steps=fitted.steps, bicubic_val_psnr=fitted.bicubic_psnr, best_epoch=fitted.best_epoch)
        keep_network(tracked, model, fitted, folder)
        objectives = self.config.search.objectives
        reached = {"val_psnr": lambda: min(best["val_psnr"], EXACT_DB), "seconds": lambda: _seconds(model, task)}
        found = {name: reached[name]() for name in objectives}
        tracked.log_metrics({f"objective/{name}": value for name, value in found.items()}, step=fitted.best_epoch)
        tracked.set_tags({STATE_TAG: "finished"})
        return list(found.values())


def _called(study: str, attempt: RunningTrial) -> str:
    """Name a trial by what it tries."""
    values = " ".join(f"{key.rpartition('.')[2]}={_short(value)}" for key, value in attempt.values.items())
    return shorten(f"{study} {attempt.number}: {values}", MAX_KEY)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def keep_network(tracked: Run, model: Network, fitted: Fitted, folder: Path) -> None:
    """Keep the best weights of a trial, and the course of its training, in its folder and with its run."""
    model.save_weights(folder / WEIGHTS)
    (folder / COURSE).write_text(json.dumps(asdict(fitted)), encoding="utf-8")
    for name in (WEIGHTS, COURSE):
        tracked.log_file(folder / name, "network")


def kept_network(folder: Path, task: Task) -> tuple[Network, Fitted]:
    """Build the network of a trial with its best weights.

    Args:
        folder: Where `keep_network` left them, or a copy of it.
        task: With the configuration of the trial.

    Returns:
        The network, and the course of its training.

    Raises:
        DamagedError: One of the files is none, or no longer as it was.
    """
    fix = "search.retrain=true, which trains the best configuration once more"
    course = read_note(folder / COURSE, keys=[each.name for each in fields(Fitted)], fix=fix) or {}
    numerics.load_quietly()
    model = network.float32_network(task.config, task.channels)
    try:
        model.load_weights(folder / WEIGHTS)
    except (OSError, ValueError, LookupError) as error:  # h5py and Keras
        raise DamagedError(f"{folder / WEIGHTS} can't be read: {error}", fix=fix) from error
    return model, Fitted(**course)


def _seconds(model: Network, task: Task) -> float:
    """Time the network on one image of the size that validation has; the median of several calls."""
    from srexp.evaluation.timing import time_inference

    image = network.timed_image(task.config, task.channels)
    return time_inference(network.predictor(model, task.config), image).median


def _forget_networks() -> None:
    """Let go of what a network left in TensorFlow, so that many trials take no more memory than one."""
    keras.backend.clear_session()
    gc.collect()


@contextmanager
def _log_in(folder: Path) -> Iterator[Path]:
    """Write what is logged meanwhile into a file of the trial's own; an exception with its traceback, too."""
    handler = logging.FileHandler(folder / "srexp.log", delay=True, encoding="utf-8")
    handler.setFormatter(Pseudonymous("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield folder
    except (Pruned, KeyboardInterrupt):
        raise
    except BaseException:
        logger.exception("the trial failed")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()
