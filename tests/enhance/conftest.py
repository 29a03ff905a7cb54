"""Small networks with weights that let every layer matter."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def randomised():
    """Give a network random weights of the size that keeps values in range, and some biases."""

    def randomise(model, seed: int = 0):
        rng = np.random.default_rng(seed)
        for layer in model.layers:
            layer.set_weights(
                [
                    rng.normal(0, (1 / max(1, np.prod(array.shape[:-1]))) ** 0.5, array.shape)
                    if array.ndim > 1
                    else rng.uniform(0.1, 0.5, array.shape)
                    for array in layer.get_weights()
                ]
            )
        return model

    return randomise
