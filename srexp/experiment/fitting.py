"""How a command trains: a network fitted to the data of a task, and scored on its validation images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from srexp.config.builders import build
from srexp.config.identity import identity
from srexp.config.sections.base import Config
from srexp.evaluation.cost import parameters
from srexp.evaluation.score import score
from srexp.experiment import network, start
from srexp.experiment.preflight import course_of, one_scale_only
from srexp.experiment.task import Task
from srexp.metrics.ranking import ranking_mean
from srexp.metrics.table import counted
from srexp.system.stdio import stage
from srexp.tracking.runs.run import Run
from srexp.training import fit, memory, numerics, replicas
from srexp.training.checkpoint import Checkpoints
from srexp.training.cluster.team import Team, lost
from srexp.training.fit import Fitted, Fitting, Recipe, Validation
from srexp.training.plan import Plan
from srexp.types import Network

#: Receives the number of an epoch, from 1, and its numbers; an exception of it ends training.
OnEpoch = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """What is known of a training before its first step.

    Args:
        weights: How many the network has.
        precision: Keras dtype policy in which it is trained.
        devices: What it is trained on.
        bicubic_psnr: Of the validation images, in dB.
        loss_unit: In what the loss is said.
        steps_done: Steps before an interruption.
    """

    weights: int
    precision: str
    devices: str
    bicubic_psnr: float
    loss_unit: str
    steps_done: int


OnBegin = Callable[[Beginning], object]


def require_fits(task: Task) -> None:
    """Refuse a batch for which this machine has no memory or no equal parts, before a run would fail by it.

    Args:
        task: Data and configuration.

    Raises:
        RequestError: The devices can't have equal parts of it.
        SrexpError: A training step takes more memory than there is.
    """
    config, trainer = task.config, task.config.trainer
    network.prepare(config)
    if not course_of(config, task.channels).one_device:
        replicas.require_even(trainer.strategy, trainer.patches)
    trained = network.float32_network(config, task.channels, scale=config.inner_scale)
    if trained.trainable_weights:
        needed = memory.least_bytes(trained, *_shapes(task, network.joined(config)))
        halved = network.precision_of(config, trained) != "float32"
        memory.require(needed // (1 + halved), batch_size=trainer.patches, patch_size=trainer.patch_size)


def fit_network(
    task: Task,
    tracked: Run,
    on_epoch: OnEpoch = lambda _epoch, _numbers: None,
    *,
    on_begin: OnBegin = lambda _: None,
    checkpoints: Checkpoints | None = None,
) -> tuple[Network, Fitted]:
    """Train the network of a task.

    Args:
        task: Data and configuration.
        tracked: The open run, which gets every epoch's numbers.
        on_epoch: Told of every epoch, too.
        on_begin: Told of the training before its first step.
        checkpoints: Of this run, where training goes on when there are any; None to keep none.

    Returns:
        A float32 model with the best weights, whatever precision it was trained in, and the course of its training.

    Raises:
        SrexpError: The loss was no number or exploded, or memory is exhausted.
    """
    config, trainer = task.config, task.config.trainer
    network.prepare(config)
    team = network.joined(config)
    restorer = network.float32_network(config, task.channels)
    _require_shared(restorer, task)
    start.begin(restorer, config)
    precision = network.precision_of(config, restorer)
    tracked.set_tags({"precision": precision})
    if not restorer.trainable_weights:
        return restorer, Fitted()
    validate, bicubic_psnr = validation(restorer, task)

    def record(epoch: int, numbers: Mapping[str, float], milliseconds: int) -> None:
        tracked.log_metrics(numbers, step=epoch, milliseconds=milliseconds)
        on_epoch(epoch, numbers)

    sizes = {"batch_size": trainer.patches, "patch_size": trainer.patch_size}
    course = course_of(config, task.channels)
    whole = network.trained_network(config, task.channels, precision=precision, one_device=course.one_device)
    with memory.explained(**sizes), _together(task, precision, team), whole as trained:
        trained.set_weights(restorer.get_weights())
        memory.require(memory.least_bytes(trained, *_shapes(task, team)), **sizes)

        def score_network() -> Mapping[str, float]:
            restorer.set_weights(trained.get_weights())
            return validate()

        recipe = _recipe(config)
        fitting = Fitting(
            trained,
            recipe,
            _plan(config),
            Validation(score_network, bicubic_psnr),
            on_epoch=record,
            checkpoints=checkpoints,
            course=course,
            team=team,
        )
        on_begin(
            Beginning(
                weights=parameters(restorer),
                precision=precision,
                devices=numerics.devices() + replicas.told() + (f", {team}" if team else ""),
                bicubic_psnr=bicubic_psnr,
                loss_unit=getattr(recipe.loss, "unit", "its own unit"),
                steps_done=fitting.start.step,
            )
        )
        fitted = fitting.run(lambda step: _batches(task, step, team))
    restorer.set_weights(trained.get_weights())
    if math.isfinite(bicubic_psnr):
        # After the curves, for a run's page lists metrics in the order in which they came.
        tracked.log_metrics({"bicubic_val_psnr": bicubic_psnr}, step=0)
    return restorer, fitted


def _require_shared(restorer: Network, task: Task) -> None:
    """Refuse several scales for a network whose weights depend on the scale."""
    config = task.config
    if not config.trainer.scales:
        return
    shapes = [weights.shape for weights in restorer.get_weights()]
    for scale in (config.inner_scale, *config.trainer.scales):
        other = network.float32_network(config, task.channels, scale=scale)
        if not shapes or [weights.shape for weights in other.get_weights()] != shapes:
            raise one_scale_only(config)


def follow(task: Task, team: Team) -> None:
    """Train along with the chief, which does all else.

    Args:
        task: That of the chief.
        team: The processes that train together.

    Raises:
        RequestError: The chief has another task.
        SrexpError: A process is gone, or memory is exhausted.
    """
    config, trainer = task.config, task.config.trainer
    design = network.float32_network(config, task.channels)
    if not design.trainable_weights:
        return
    precision = network.precision_of(config, design)
    sizes = {"batch_size": trainer.patches, "patch_size": trainer.patch_size}
    whole = network.trained_network(config, task.channels, precision=precision)
    with memory.explained(**sizes), _together(task, precision, team), whole as trained:
        memory.require(memory.least_bytes(trained, *_shapes(task, team)), **sizes)
        stage(f"training along, as {team}")
        fit.follow(trained, _recipe(config), _plan(config), team, lambda step: _batches(task, step, team))


def _recipe(config: Config) -> Recipe:
    return Recipe(build(config.loss), build(config.optimizer), build(config.schedule))


def _plan(config: Config) -> Plan:
    trainer = config.trainer
    return Plan(
        epochs=trainer.epochs,
        steps_per_epoch=trainer.steps_per_epoch,
        patches=trainer.patches,
        max_minutes=trainer.max_minutes,
        patience=trainer.patience,
        checkpoint_minutes=config.checkpoint.minutes,
    )


@contextmanager
def _together(task: Task, precision: str, team: Team | None) -> Iterator[None]:
    """Hold that all processes train the same, and say so where one is lost; nothing where there is but one."""
    if team is None:
        yield
        return
    with lost():
        team.require_same(f"{identity(task.config, task.prepared.fingerprint)} {precision}")
        yield


def _shapes(task: Task, team: Team | None) -> list[tuple[int, ...]]:
    """Give the shapes of what this process takes of a batch."""
    return [(whole[0] // (team.size if team else 1), *whole[1:]) for whole in task.sampler().shapes()]


@contextmanager
def _batches(task: Task, step: int, team: Team | None) -> Iterator[Any]:
    """Prepare the batches from a step of the training on, or this process's part of them."""
    from srexp.data.batches.tf_dataset import training_batches

    trainer = task.config.trainer
    few, steps = trainer.overfit_batches, trainer.epochs * trainer.steps_per_epoch
    with training_batches(
        task.sampler(), start_step=0 if few else step, total_steps=steps, workers=trainer.workers
    ) as batches:
        whole = batches.take(few).cache().repeat().skip(step % few) if few else batches
        yield team.part(whole) if team else whole


def validation(model: Network, task: Task) -> tuple[Callable[[], Mapping[str, float]], float]:
    """Prepare scoring on the validation crops.

    Args:
        model: Scored as it is at each call.
        task: Whose crops.

    Returns:
        A function that gives `val_psnr`, the mean by which epochs and trials are put in order, and `val_ssim`; and
        bicubic's PSNR on the same crops, in dB.
    """
    samples = list(task.validation_samples())
    stage(f"scoring bicubic interpolation on {counted(len(samples), 'validation image')}")
    protocol, scale = task.parts.protocol, task.config.scale
    predict = network.predictor(model, task.config)
    bicubic = score(network.bicubic_predictor(task.config, task.channels), samples, protocol, scale).values("psnr")

    def validate() -> Mapping[str, float]:
        found = score(predict, samples, protocol, scale)
        psnr, ssim = ranking_mean(found.values("psnr"), bicubic), found.means()["ssim"]
        return {"val_psnr": psnr, "val_ssim": math.nan if ssim is None else ssim}

    return validate, ranking_mean(bicubic, bicubic)
