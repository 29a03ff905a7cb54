"""The course of a run: from a task to a scored, tracked and registered network.

What comes before, composing, preparing and auditing, is in `task`; the stages are in `fitting`, `scoring` and
`run_pictures`, and here they follow each other. A training, one that goes on, the other scales of a network and the end
of a search differ in their `Plan`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from srexp.evaluation.run_description import beginning
from srexp.evaluation.score import Scores
from srexp.experiment import start
from srexp.experiment.fitting import OnBegin, fit_network, require_fits, validation
from srexp.experiment.recorded_config import log_request, run_name, run_of, task_tags
from srexp.experiment.run_pictures import describe, score_and_draw
from srexp.experiment.scoring import figures_of, require_scorable, result_of, warnings_of
from srexp.experiment.task import Task
from srexp.metrics.table import counted
from srexp.models.layers.folding import folded
from srexp.system.memory import peak_rss_mb
from srexp.system.profiling import Stopwatch, profiled
from srexp.system.stdio import stage
from srexp.tracking.names import CHECKPOINTS_TAG, DEBUG_TAG
from srexp.tracking.registry import registry
from srexp.tracking.runs.run import NOTHING_KEPT, Kept, Run
from srexp.tracking.runs.tracking import Tracking
from srexp.training.checkpoint import Checkpoints
from srexp.training.fit import Fitted
from srexp.types import Network

#: Tags of a run and a version whose network was taught to invent detail.
INVENTED = {"detail": "invented"}
#: How often a run was resumed.
COUNT_TAG = "srexp.resumed"


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A run that was interrupted and goes on.

    Args:
        run_id: Its id.
        folder: Folder of its checkpoints.
        logged: Whether its configuration and data are in the store.
        times: How often it was resumed, this time included.
        warnings: What differs from when it began.
    """

    run_id: str
    folder: Path
    logged: bool
    times: int
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What a run led to.

    Args:
        result: Its `result.json`.
        model_name: What the network is called.
        summary: Score summaries of `model` and `bicubic` on the test images; empty for a run of an earlier process.
        others: What the same network led to at other scales.
        kept: Where what it logged is to be looked at; not known of a run of an earlier process.
    """

    result: dict[str, Any]
    model_name: str
    summary: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    others: Sequence[Outcome] = ()
    kept: Kept = NOTHING_KEPT


Obtain: TypeAlias = "Callable[[Task, Run], tuple[Network, Fitted]]"
Then: TypeAlias = "Callable[[Run, Network, Fitted], Sequence[Outcome]]"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What differs between runs of one course.

    Args:
        parent: Run that this one belongs to.
        tags: Tags of the run besides those of the task.
        origin: Tags of the run and of the registered version, of a network that was trained elsewhere.
        unused: Sections of the configuration that play no part.
        obtain: Gives the network, in the open run; None to train it, in a way that can go on when interrupted.
        then: What else the network is for, done before the run ends; its outcomes are told beside the run's own.
        earlier: The run to go on with; None for a new one.
        on_open: Receives the id of the open run.
        on_begin: Told of the training before its first step.
    """

    parent: str | None = None
    tags: Mapping[str, object] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    unused: Collection[str] = ()
    obtain: Obtain | None = None
    then: Then | None = None
    earlier: Earlier | None = None
    on_open: Callable[[str], object] = lambda _: None
    on_begin: OnBegin = lambda _: None


def run(task: Task, tracking: Tracking, watch: Stopwatch, plan: Plan) -> Outcome:
    """Fit a network, or take it as it is, score it on the test images, once, draw, track and register it.

    Args:
        task: Data and configuration.
        tracking: Where the run is kept.
        watch: Times the stages; `data` is over.
        plan: What else there is to know.

    Returns:
        What came out, to be told.

    Raises:
        SrexpError: Training failed, or the store refused; the run is FAILED.
    """
    config, earlier = task.config, plan.earlier
    require_scorable(task, "test")
    if not plan.obtain:
        require_fits(task)
    # Another run into the same folder has another folder of checkpoints.
    fresh = config.run_dir.absolute() / "checkpoints" / uuid.uuid4().hex[:12]
    checkpoints = Checkpoints(earlier.folder if earlier else fresh)
    with (
        profiled(config.run_dir) if config.trainer.profile else nullcontext(),
        run_of(
            task,
            tracking,
            name=run_name(config),
            tags={**plan.tags, **plan.origin, CHECKPOINTS_TAG: str(checkpoints.folder)},
            parent=plan.parent,
            resume=earlier.run_id if earlier else None,
        ) as tracked,
    ):
        plan.on_open(tracked.id)
        with watch("track"):
            _begin(tracked, task, plan)
        with watch("train"):
            obtained = plan.obtain(task, tracked) if plan.obtain else None
            model, fitted = obtained or fit_network(task, tracked, on_begin=plan.on_begin, checkpoints=checkpoints)
            model = folded(model)
            invented = INVENTED if fitted.invented or start.invents(config) else {}
            tracked.set_tags(invented)
        watch.add("train", fitted.earlier_seconds)
        with watch("evaluate"):
            stage(f"scoring {counted(len(task.prepared.entries['test']), 'test image')}")
            chosen = _validation(model, task, fitted)
            scores = score_and_draw(model, task, tracked, fitted, model_name=config.model.name)
        with watch("track"):
            stage("storing the model")
            model_uri = registry.log_best(
                tracked, model, channels=task.channels, step=fitted.best_epoch, metrics=_figures(scores, chosen)
            )
            known = {**plan.origin, **invented, **_figures(scores, chosen)}
            registered = _register(model, model_uri, task, tracked, known)
        result = _result(task, tracked, fitted, scores, watch)
        result["warnings"] += earlier.warnings if earlier else []
        result |= {"validation": chosen, "model_uri": model_uri, "registered": registered}
        others = plan.then(tracked, model, fitted) if plan.then else []
        if others:
            result["other_scales"] = [each.result for each in others]
        describe(tracked, task, result, fitted)
        tracked.log_result(result)
    checkpoints.remove()
    summary = {"model": scores.summary("model"), "bicubic": scores.summary("baseline")}
    return Outcome(tracked.answered(result), config.model.name, summary, others, tracked.kept(config.overrides))


def _begin(tracked: Run, task: Task, plan: Plan) -> None:
    """Log what was asked for, as far as the store doesn't know it from before an interruption."""
    earlier = plan.earlier
    if earlier:
        tracked.reopen()
        tracked.set_tags({COUNT_TAG: earlier.times})
    if earlier is None or not earlier.logged:
        log_request(tracked, task, without=plan.unused)
        start.record(tracked, task.config)
    tracked.describe(beginning(task.name, task.config.model.name, task.config.typed))


def _validation(model: Network, task: Task, fitted: Fitted) -> dict[str, float | None]:
    """Give the validation figures of the best epoch; of a network that wasn't trained they are measured now."""
    best = fitted.validation or (
        fitted.history[fitted.best_epoch - 1] if fitted.history else validation(model, task)[0]()
    )
    figures = {name: best[f"val_{name}"] for name in ("psnr", "ssim")}
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _figures(scores: Scores, chosen: Mapping[str, float | None]) -> dict[str, float]:
    return {f"best_val_{name}": value for name, value in chosen.items() if value is not None} | figures_of(scores)


def _register(
    model: Network, model_uri: str, task: Task, tracked: Run, known: Mapping[str, object]
) -> registry.Registered | None:
    """Register a logged network with what is known of it, when it came back from the store unchanged."""
    if not model.trainable_weights:
        return None
    probe = next(task.samples("test")).low[np.newaxis, :70, :54]
    registry.verify(tracked, model_uri, model, probe)
    tags = {**task_tags(task), **known, "data.fingerprint": task.prepared.fingerprint}
    tags |= {"test_images": len(task.prepared.entries["test"])}
    tags |= {key: value for key, value in task.config.tags.items() if key == DEBUG_TAG}
    return registry.register(tracked, model_uri, task.name, tags=tags)


def _result(task: Task, tracked: Run, fitted: Fitted, scores: Scores, watch: Stopwatch) -> dict[str, Any]:
    patches = fitted.steps * task.config.trainer.patches
    return {
        "run_id": tracked.id,
        "best_epoch": fitted.best_epoch,
        **result_of(scores, task),
        "warnings": [*task.findings(), *warnings_of(scores), *fitted.warnings],
        "train_patches_per_second": patches / fitted.train_seconds if patches else None,
        "seconds": watch.seconds(),
        "peak_rss_mb": peak_rss_mb(),
    }
