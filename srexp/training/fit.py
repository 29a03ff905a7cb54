"""Fit a model to batches, keep the weights of the best validation epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from srexp.lazy_imports import keras
from srexp.training import replicas, state
from srexp.training.best_epoch import Arrays
from srexp.training.checkpoint import Checkpoint, Checkpoints
from srexp.training.cluster.team import Team
from srexp.training.courses.supervised import Supervised
from srexp.training.plan import Plan

Scores: TypeAlias = Mapping[str, float]
Batches: TypeAlias = Callable[[int], AbstractContextManager[Any]]
OnEpoch: TypeAlias = Callable[[int, Scores, int], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is minimised, and how weights move.

    Args:
        loss: Keras loss.
        optimizer: Keras optimizer; its learning rate is what the schedule multiplies.
        schedule: Multiplier of the learning rate at (step, total steps).
    """

    loss: Any
    optimizer: Any
    schedule: Callable[[int, int], float]


def prepared(model: keras.Model, recipe: Recipe, team: Team | None) -> None:
    """Compile what takes the steps, and build its optimizer.

    Args:
        model: Built in the scope of its devices.
        recipe: What is minimised, and how.
        team: The processes that take a part of every batch each; None for one alone.
    """
    loss = team.averaged(recipe.loss) if team else recipe.loss
    # XLA has no kernel for bicubic resizing.
    model.compile(optimizer=recipe.optimizer, loss=loss, jit_compile=False)
    recipe.optimizer.build(model.trainable_variables)
    replicas.bound_whole_gradient(recipe.optimizer)
    if team:
        team.average(recipe.optimizer)


@dataclass(frozen=True, slots=True)
class Validation:
    """By what the epochs are compared.

    Args:
        score: Gives `val_psnr` and `val_ssim` of the model as it is.
        bicubic_psnr: PSNR of bicubic on the same images, in dB, to call out a network that does nothing.
    """

    score: Callable[[], Scores]
    bicubic_psnr: float


@dataclass
class Fitted:
    """What training led to.

    Args:
        best_epoch: Epoch with the best validation PSNR, from 1; 0 when nothing was trained.
        history: Numbers of every epoch, in order.
        seconds: Wall time of training, validation included.
        train_seconds: The same without validation.
        steps: Optimizer steps taken.
        warnings: What the user should know of the training.
        bicubic_psnr: Validation PSNR of bicubic, in dB; None when nothing was trained.
        earlier_seconds: The part of `seconds` before an interruption, spent in another process.
        validation: Scores of the network as it ended, where it isn't that of an epoch.
        invented: Whether it was taught to invent detail.
    """

    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    train_seconds: float = 0.0
    steps: int = 0
    warnings: list[str] = field(default_factory=list)
    bicubic_psnr: float | None = None
    earlier_seconds: float = 0.0
    validation: Scores | None = None
    invented: bool = False


@dataclass
class Fitting:
    """A training that begins, or goes on from its newest checkpoint.

    Args:
        network: A Keras model, which is trained.
        recipe: Loss, optimizer and schedule.
        plan: Length of training.
        validation: Scores the model after each epoch.
        on_epoch: Receives each epoch's number, from 1, its numbers, and when it ended, in milliseconds since 1970; also
            those of epochs before an interruption.
        checkpoints: Of this training; None to keep none.
        course: How steps are taken; of this training alone.
        team: The processes that follow this one; None where it is alone.
    """

    network: keras.Model
    recipe: Recipe
    plan: Plan
    validation: Validation
    on_epoch: OnEpoch
    checkpoints: Checkpoints | None = None
    course: Supervised = field(default_factory=Supervised)
    team: Team | None = None

    def __post_init__(self) -> None:
        from srexp.training import callbacks
        from srexp.training.progress import ShowProgress

        self.model = self.course.stepping(self.network)
        prepared(self.model, self.recipe, self.team)
        plan, checkpoints = self.plan, self.checkpoints
        self.start = start = (checkpoints.latest() if checkpoints else None) or Checkpoint()
        lr = float(self.recipe.optimizer.learning_rate.numpy())
        self.pace = callbacks.FollowSchedule(self.recipe.schedule, lr, plan, start)
        self.explosion = callbacks.StopOnExplosion(start, checkpoints)
        self.validate = callbacks.Validate(self._score, start.validation_seconds)
        bicubic_psnr = self.validation.bicubic_psnr
        self.record = callbacks.RecordHistory(
            start.history, plan, bicubic_psnr, lambda: self.pace.seconds, self.course, weights=self._weights
        )
        self.progress = ShowProgress(plan, start, lambda: self.record.history, bicubic_psnr)
        self.keep = callbacks.KeepCheckpoints(checkpoints, self._capture, plan.checkpoint_minutes, start)
        # Numbers are safe before anyone hears of them: whoever goes on must not tell of an epoch in two ways.
        report = keras.callbacks.LambdaCallback(on_epoch_end=self._tell)
        own = self.course.callbacks(plan, self.pace.share)
        self.callbacks = [self.pace, *own, self.explosion, self.validate, self.record, self.progress, self.keep, report]

    def _tell(self, epoch: int, _: object) -> None:
        history = self.record.history
        self.on_epoch(epoch + 1, history.epochs[-1], history.ended[-1])

    def _score(self) -> Scores:
        with state.averaged(self.model):
            return self.validation.score()

    def _weights(self) -> Arrays:
        with state.averaged(self.model):
            return self.model.get_weights()  # type: ignore[no-any-return]  # keras carries no types

    def _capture(self) -> Checkpoint:
        """Take the state as it is."""
        return state.take(
            self.model,
            self.course.state(),
            history=self.record.history,
            seconds=self.pace.seconds,
            validation_seconds=self.validate.seconds,
            first_loss=self.explosion.first,
        )

    def run(self, batches: Batches) -> Fitted:
        """Train until it is over; the network ends with the weights of its best validation epoch, or its course's.

        Args:
            batches: Opens a `tf.data.Dataset` of (low, high) over all steps from a given one on.

        Returns:
            Best epoch, history and timing.

        Raises:
            SrexpError: The loss was no number or exploded, or the checkpoint is of another network.
        """
        if self.start.model:
            # Also the learning rate of its last step; the recipe's is known by now.
            state.put(self.model, self.start, self.course.state())
            self.course.resumed()
        history = self.start.history
        for epoch, (numbers, at) in enumerate(zip(history.epochs, history.ended, strict=True), 1):
            self.on_epoch(epoch, numbers, at)
        try:
            with closing(self.progress):
                epoch = self._end_begun_epoch(batches)
                if not self.record.history.over:
                    self._fit(batches, epoch, self.plan.epochs, self.plan.steps_per_epoch)
                if self.team:
                    self.team.end()
                self.progress.finish()
        except KeyboardInterrupt:
            if not self.team:  # a step that another process no longer shares may be done in part
                self.keep.save()  # of the last step
            raise
        return self._ended()

    def _end_begun_epoch(self, batches: Batches) -> int:
        """Do what an epoch lacks that was interrupted; give the number of the next one, from 0."""
        epoch, steps = len(self.start.history.epochs), self.plan.steps_per_epoch
        done = self.start.step - epoch * steps
        if self.start.history.over or not done:
            return epoch
        if done < steps:
            restore = keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda *_: state.put_metrics(self.model, self.start)
            )
            self._fit(batches, epoch, epoch + 1, steps - done, restore)
            # Keras ends a fit with the running means of the weights, where the optimizer keeps such.
            state.put(self.model, self.keep.last, self.course.state())
        else:  # but for its validation
            state.put_metrics(self.model, self.start)
            every = keras.callbacks.CallbackList(self.callbacks, model=self.model)
            every.on_epoch_end(epoch, self.model.get_metrics_result())
        return epoch + 1

    def _fit(self, batches: Batches, epoch: int, end: int, steps: int, *first: keras.callbacks.Callback) -> None:
        """Train from an epoch up to another; the first of them may be shorter than the plan has it."""
        last = []
        if team := self.team:  # the others go on, or not, when this process has made up its mind
            tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: team.told([int(self.model.stop_training)]))
            last.append(tell)
            team.begin(epoch, end, steps, [*self.model.variables, *self.recipe.optimizer.variables])
        with batches((epoch + 1) * self.plan.steps_per_epoch - steps) as data:
            self.model.fit(
                data,
                initial_epoch=epoch,
                epochs=end,
                steps_per_epoch=steps,
                callbacks=[*first, *self.callbacks, *last],
                verbose=0,
            )

    def _ended(self) -> Fitted:
        """Give the network the weights that it ends with, and say what it led to."""
        history, seconds, last = self.record.history, self.pace.seconds, len(self.record.history.epochs)
        # Keras has put the running means there, unless nothing was left to train.
        blended = self.course.blend(history.best_weights, self._weights())
        self.network.set_weights(history.best_weights if blended is None else blended)
        return Fitted(
            best_epoch=history.best_epoch if blended is None else last,
            validation=None if blended is None else self.validation.score(),
            invented=blended is not None,
            history=list(history.epochs),
            seconds=seconds,
            train_seconds=seconds - self.validate.seconds,
            steps=self.pace.step,
            warnings=[
                *history.warnings,
                *([self.keep.warning] if self.keep.warning else []),
                *self.course.summary(best=history.best_epoch, last=last),
            ],
            bicubic_psnr=self.validation.bicubic_psnr,
            earlier_seconds=self.start.seconds,
        )


def follow(network: keras.Model, recipe: Recipe, plan: Plan, team: Team, batches: Batches) -> None:
    """Train along with the chief of a team: take the same steps, and decide nothing.

    Args:
        network: A Keras model as that of the chief; its weights become those of the chief.
        recipe: That of the chief.
        plan: That of the chief.
        team: Of which this process isn't the chief.
        batches: Opens this process's part of all batches from a given step on.
    """
    from srexp.training.callbacks import FollowSchedule

    prepared(network, recipe, team)
    lr = float(recipe.optimizer.learning_rate.numpy())

    def hear(*_: object) -> None:
        network.stop_training = bool(team.told([0])[0])

    while begun := team.begun([*network.variables, *recipe.optimizer.variables]):
        step = (begun.epoch + 1) * plan.steps_per_epoch - begun.steps
        pace = FollowSchedule(recipe.schedule, lr, plan, Checkpoint(step=step))
        with batches(step) as data:
            network.fit(
                data,
                initial_epoch=begun.epoch,
                epochs=begun.end,
                steps_per_epoch=begun.steps,
                callbacks=[pace, keras.callbacks.LambdaCallback(on_epoch_end=hear)],
                verbose=0,
            )
