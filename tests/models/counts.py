"""How many weights a network of `conf/model` has, as its authors count them."""

from typing import Any

import keras

from srexp.evaluation import cost
from tests.networks import built


def parameters(model: str, channels: int, *scales: int, **changed: Any) -> list[int]:
    """Count the trained weights at each scale, which have shapes only: drawing the numbers takes longer."""
    keras.random.uniform(())  # what all draw from begins out here, and stays
    with keras.StatelessScope(initialize_variables=False):
        return [cost.parameters(built(model, scale, channels, **changed)) for scale in scales]
