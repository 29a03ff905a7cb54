"""SGD with VDSR's adjustable gradient clipping; imports Keras, so it is imported only when it is built."""

from collections.abc import Sequence

import keras
from keras import ops


class ClippedSGD(keras.optimizers.SGD):  # type: ignore[misc]  # keras carries no types
    """Gradient descent whose gradients are clipped to [-theta / lr, theta / lr] (Kim et al. 2016, section 3.2).

    A step is the learning rate times the gradient, so no weight moves by more than `theta` in one step (before
    momentum) at any learning rate: large rates stay stable and small ones aren't slowed down. The bound follows the
    rate as it is at the step, whoever changes it.

    Args:
        theta: Largest movement of a weight in one step; above 0.
        **options: Those of `keras.optimizers.SGD`.
    """

    def __init__(self, *, theta: float, **options: object) -> None:
        super().__init__(**options)
        self.theta = theta

    def apply(
        self, grads: "Sequence[keras.KerasTensor | None]", trainable_variables: "Sequence[keras.Variable] | None" = None
    ) -> None:
        """Clip the gradients to what the current learning rate allows, then apply them.

        Args:
            grads: One gradient per variable, or None where a variable has none.
            trainable_variables: The variables; None for those the optimizer was built with.
        """
        # At lr 0, the end of a schedule, nothing moves; the floor only keeps the bound finite.
        bound = self.theta / ops.maximum(ops.cast(self.learning_rate, "float32"), 1e-12)
        clipped = [None if grad is None else ops.clip(grad, -bound, bound) for grad in grads]
        super().apply(clipped, trainable_variables)
