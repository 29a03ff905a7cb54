"""How many weights a network of `conf/model` has, as its authors count them."""

from typing import Any

from srexp.evaluation.cost import cost
from tests.networks import built


def parameters(model: str, channels: int, *scales: int, **changed: Any) -> list[int]:
    """Count the trained weights at each scale."""
    return [cost(built(model, scale, channels, **changed)).parameters for scale in scales]
