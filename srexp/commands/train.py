"""`train`: from a configuration to a tracked, scored and registered model."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from srexp.commands.printing import console
from srexp.config.builders import build
from srexp.config.identity import IDENTITY_TAG, identity
from srexp.config.sections.base import Config
from srexp.config.sections.verbs import TrainConfig
from srexp.experiment import fitting, multiscale, network, pipeline, resume, start
from srexp.experiment.batch_size import sized
from srexp.experiment.multirun import driver, job
from srexp.experiment.pipeline import Plan
from srexp.experiment.scoring import require_scorable
from srexp.experiment.task import Task
from srexp.system.kernels import choice
from srexp.system.profiling import Stopwatch
from srexp.system.stdio import say
from srexp.tracking.runs.tracking import Tracking
from srexp.training.cluster.team import LostError

#: In the result of a process that trained along with a chief: its number, from 0.
FOLLOWED = "process"


def run(config: Config) -> dict[str, Any]:
    """Train a model, score it against bicubic, track it, and register it as a candidate.

    Args:
        config: Checked configuration; with `resume`, an interrupted training goes on in its own run and folder.

    Returns:
        `result.json`, as the design fixes it.

    Raises:
        RequestError: The configuration or the data set is wrong; nothing was trained.
        SrexpError: Training failed; the run is FAILED.
    """
    watch = Stopwatch()
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    if isinstance(config, TrainConfig) and config.resume:
        with resume.interrupted_training(config, tracking, watch) as (task, going_on, plan):
            result = _conducted(task, going_on, watch, plan)
            if FOLLOWED not in result:
                job.finish(task.config.run_dir, result)
        return result
    choice.settle(config.model.name, "training", precision=config.trainer.precision)
    config = start.settled(config)
    with watch("data"):
        task = Task(config)
        for split in ("validation", "test"):
            require_scorable(task, split)
        task.require_choice()
    same = identity(config, task.prepared.fingerprint)
    if earlier := driver.finished_before(tracking, config, same):
        console.skipped(config, earlier)
        return earlier
    with watch("data"):
        task = sized(task)
    if config.trainer.batch_size == "auto":
        say(f"batch size  {task.config.trainer.batch_size}, found by trying")
    if known := resume.resumable(tracking, config, same):
        say(f"srexp: {known}", stderr=True)
    plan = Plan(parent=driver.parent(tracking, config), tags={IDENTITY_TAG: same})
    return _conducted(task, tracking, watch, plan)


def _conducted(task: Task, tracking: Tracking, watch: Stopwatch, plan: Plan) -> dict[str, Any]:
    """Fit, score, draw, track and register, at each of the network's scales; say how to go on when interrupted."""
    team = network.joined(task.config)
    if team and not team.leads:
        fitting.follow(task, team)
        say(f"{team}: process 1, the chief, has the network and the run")
        return {FOLLOWED: team.index, "processes": team.size}
    opened: list[str] = []
    others = multiscale.other_tasks(task)
    begin = partial(console.beginning, task)
    then = partial(multiscale.score_others, others, tracking)
    try:
        outcome = pipeline.run(task, tracking, watch, replace(plan, then=then, on_open=opened.append, on_begin=begin))
    except (KeyboardInterrupt, LostError):
        for run_id in opened:
            say(f"srexp: {resume.offer(task.config, run_id)}", stderr=True)
        raise
    for each in (*outcome.others, outcome):
        console.training(each)
    return outcome.result
