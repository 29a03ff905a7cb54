"""Steps of a network and of a discriminator in turn, inside Keras's own loop; imported only where training happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf
from keras import ops

Objective: TypeAlias = Literal["relativistic", "plain"]


@dataclass(frozen=True)
class Opponent:
    """A discriminator and what it learns with; nothing of Keras, so that its weights aren't taken for the network's.

    Args:
        network: From `discriminator`.
        optimizer: Its own.
        objective: How real and restored are told apart.
    """

    network: keras.Model
    optimizer: keras.Optimizer
    objective: Objective

    def judge(self, low: Any, high: Any, restored: Any, *, training: bool) -> tuple[Any, Any]:
        """Judge real patches and restored ones in one batch.

        Returns:
            Logits of real and of restored; relativistic ones say how much more real a patch is than the others' mean.
        """
        both = ops.concatenate([high, ops.cast(restored, "float32")], axis=0)
        judged = self.network([both, ops.concatenate([low, low], axis=0)], training=training)
        real, fake = ops.split(judged, 2, axis=0)
        return (real - ops.mean(fake), fake - ops.mean(real)) if self.objective == "relativistic" else (real, fake)

    def own_loss(self, real: Any, fake: Any) -> Any:
        """Give what the discriminator minimises; ln 2 is guessing."""
        return (_mean_cost(real, real=True) + _mean_cost(fake, real=False)) / 2

    def charge(self, real: Any, fake: Any) -> Any:
        """Give what it costs the network that its patches are recognised; ln 2 where they aren't."""
        if self.objective == "plain":
            return _mean_cost(fake, real=True)
        return (_mean_cost(fake, real=True) + _mean_cost(real, real=False)) / 2


def _mean_cost(logits: Any, *, real: bool) -> Any:
    """Give the mean cross-entropy of logits that should say `real`, or not."""
    return ops.mean(ops.softplus(-logits if real else logits))


class Duel(keras.Model):  # type: ignore[misc]
    """Takes steps of a network; once `fighting`, with an adversarial term, and a step of the discriminator after each.

    Args:
        network: To be trained; all of this model's weights are its.
        opponent: The discriminator.
        weight: Of the adversarial term beside the loss, in the loss's unit; 0: the network doesn't hear of it.
    """

    def __init__(self, network: keras.Model, opponent: Opponent, weight: float) -> None:
        super().__init__(name=network.name)
        self.network, self.opponent, self.weight = network, opponent, weight
        self.fighting = False
        self.adversarial_loss = keras.metrics.Mean("adversarial_loss")
        self.discriminator_loss = keras.metrics.Mean("discriminator_loss")
        self.discriminator_accuracy = keras.metrics.Mean("discriminator_accuracy")

    def call(self, low: Any, training: bool = False) -> Any:
        """Restore images."""
        return self.network(low, training=training)

    def fight(self, fighting: bool) -> None:
        """Change the kind of step; the graph of the other one is left."""
        if fighting != self.fighting:
            self.fighting = fighting
            self.make_train_function(force=True)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step of the network, and in the second phase one of the discriminator.

        Args:
            data: Images `low` and `high`.

        Returns:
            Running means.
        """
        if not self.fighting:
            return super().train_step(data)  # type: ignore[no-any-return]
        low, high = data
        if self.weight:
            restored = self._adversarial_step(low, high)
        else:
            super().train_step(data)
            restored = self(low, training=False)
        self._teach(low, high, tf.stop_gradient(restored))
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Give the running means of the phase under way."""
        found: Mapping[str, Any] = super().get_metrics_result()
        return dict(found) if self.fighting else {"loss": found["loss"]}

    def _adversarial_step(self, low: Any, high: Any) -> Any:
        with tf.GradientTape() as tape:
            restored = self(low, training=True)
            loss = self.compute_loss(x=low, y=high, y_pred=restored)
            charge = self.opponent.charge(*self.opponent.judge(low, high, restored, training=False))
            whole = loss + self.weight * charge
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(whole, weights), weights, strict=True))
        # The loss alone, so that its curve goes on from the first phase.
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(low)[0])
        self.adversarial_loss.update_state(charge)
        return restored

    def _teach(self, low: Any, high: Any, restored: Any) -> None:
        opponent = self.opponent
        with tf.GradientTape() as tape:
            real, fake = opponent.judge(low, high, restored, training=True)
            loss = opponent.own_loss(real, fake)
        weights = opponent.network.trainable_weights
        opponent.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.discriminator_loss.update_state(loss)
        self.discriminator_accuracy.update_state((1 + ops.mean(ops.sign(ops.concatenate([real, -fake])))) / 2)
        if not self.weight:
            self.adversarial_loss.update_state(opponent.charge(real, fake))


class Phases(keras.callbacks.Callback):  # type: ignore[misc]
    """Begins the second phase with the first epoch after its time, and lets both learning rates follow one schedule.

    Args:
        duel: What takes the steps, compiled.
        began: Variable that says whether it has begun, which a checkpoint holds.
        is_time: Tells whether enough of the training is over.
        steps_per_epoch: Steps of an epoch.
    """

    def __init__(self, duel: Duel, began: keras.Variable, is_time: Callable[[], bool], steps_per_epoch: int) -> None:
        super().__init__()
        self.duel, self.began, self.is_time, self.steps_per_epoch = duel, began, is_time, steps_per_epoch
        self.lr, self.opponent_lr = (float(each.learning_rate) for each in (duel.optimizer, duel.opponent.optimizer))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the time where an epoch begins; the rest of an interrupted one is of the kind of its beginning."""
        whole = int(self.duel.optimizer.iterations) % self.steps_per_epoch == 0
        if whole and not int(self.began) and self.is_time():
            self.began.assign(1)
        self.duel.fight(bool(int(self.began)))

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Set the discriminator's learning rate of this step, after the network's was set."""
        factor = float(self.model.optimizer.learning_rate) / self.lr
        self.duel.opponent.optimizer.learning_rate = self.opponent_lr * factor
