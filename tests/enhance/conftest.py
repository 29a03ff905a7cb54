"""Small networks with weights that let every layer matter."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def randomised():
    """Give a network random weights of the size that keeps values in range, and some biases."""

    def randomise(model, seed: int = 0):
        rng = np.random.default_rng(seed)
        for weight in model.trainable_weights:  # what is fixed, as in a pixel shuffle, stays as it is
            inputs = np.prod(weight.shape[:-1])  # none for biases and slopes
            spread = (1 / max(1, inputs)) ** 0.5
            weight.assign(rng.normal(0, spread, weight.shape) if inputs > 1 else rng.uniform(0.1, 0.5, weight.shape))
        return model

    return randomise
