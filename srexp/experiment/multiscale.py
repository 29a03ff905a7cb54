"""One network for several scales: at each scale but the first, a run of that scale's task scores and registers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from srexp.config.sections.base import Config
from srexp.errors import RequestError
from srexp.experiment import pipeline
from srexp.experiment.network import float32_network
from srexp.experiment.pipeline import Outcome, Plan
from srexp.experiment.scoring import require_scorable
from srexp.experiment.task import Task
from srexp.system.profiling import Stopwatch
from srexp.tracking.journal.journal import PENDING
from srexp.tracking.runs import groups, queries
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.training.fit import Fitted
from srexp.types import Network

#: Run whose training the network of another scale comes from.
WEIGHTS_TAG = "srexp.weights_of"


def other_tasks(task: Task) -> list[Task]:
    """Prepare the tasks of the other scales, before anything is trained.

    Args:
        task: That of the training.

    Returns:
        One for each of `trainer.scales` but the task's own.

    Raises:
        RequestError: An image that serves one scale is too small for another, so that the splits differ, and what one
            scale trains on could be what another is tested on.
    """
    tasks = []
    for scale in task.config.trainer.scales or []:
        if scale == task.config.scale:
            continue
        other = Task(_at_scale(task.config, scale))
        if other.prepared.fingerprint != task.prepared.fingerprint:
            raise RequestError(
                "the scales of one network need the same images in the same split",
                got=f"other images can be used at scale={scale} than at scale={task.config.scale}",
                expected="images that hold a patch at every scale",
                fix="a smaller trainer.patch_size, or leave out the smallest images",
            )
        require_scorable(other, "test")
        tasks.append(other)
    return tasks


def _at_scale(config: Config, scale: int) -> Config:
    name = config.experiment_name.removesuffix(f"x{config.scale}") + f"x{scale}"
    run_dir = config.run_dir / f"x{scale}"
    run_dir.mkdir(parents=True, exist_ok=True)
    return config.changed(scale=scale, experiment_name=name, run_dir=run_dir)


def score_others(
    others: Sequence[Task], tracking: Tracking, tracked: Run, model: Network, fitted: Fitted
) -> list[Outcome]:
    """Score a network at other scales and register it there, each time in a run of its own.

    Args:
        others: From `other_tasks`.
        tracking: Where the runs are kept.
        tracked: The open run of the training; one that goes on finds what it has done of this before.
        model: The trained network, at the training's own scale.
        fitted: The course of its training.

    Returns:
        What came out at each scale.
    """
    known = None if tracked.id.startswith(PENDING) else tracked.id

    def obtain(task: Task, _: Run) -> tuple[Network, Fitted]:
        network = float32_network(task.config, task.channels)
        network.set_weights(model.get_weights())
        return network, _course(fitted, tracked.id, task.config)

    plan = Plan(parent=known, tags={WEIGHTS_TAG: tracked.id}, obtain=obtain)
    return [_scored(tracking, each, known) or pipeline.run(each, tracking, Stopwatch(), plan) for each in others]


def _scored(tracking: Tracking, other: Task, trained_by: str | None) -> Outcome | None:
    """Find what an earlier process came to, before the training's run was interrupted."""
    earlier = trained_by and groups.find_finished(tracking.store, other.name, WEIGHTS_TAG, trained_by)
    result = queries.read_json(tracking.store, earlier, "result.json") if earlier else None
    return Outcome(result, other.config.model.name) if result else None


def _course(fitted: Fitted, run_id: str, config: Config) -> Fitted:
    """Give the course of a training as that of another scale: without the numbers of validation, made at the first."""
    *most, last = (f"x{scale}" for scale in config.trainer.scales or [])
    shared = f"one network for {', '.join(most)} and {last}, trained by run {run_id}; validation there chose its epoch"
    return dataclasses.replace(
        fitted, history=[], validation=None, earlier_seconds=fitted.seconds, warnings=[*fitted.warnings, shared]
    )
