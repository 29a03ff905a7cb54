"""The first convolution: detail, and nothing of brightness, at the border either."""

import keras
import numpy as np
import pytest

from srexp.models.layers.head import head
from srexp.training import numerics


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("kernel", [3, 5])
def test_a_constant_image_has_no_features_anywhere(kernel: int, policy: str) -> None:
    low = keras.Input((None, None, 3))
    model = numerics.built(policy, lambda: keras.Model(low, head(low, 7, kernel, name="features")))
    features = np.asarray(model(np.full((1, 4, 6, 3), 0.8, np.float32)))
    assert features.shape == (1, 4, 6, 7)
    assert np.abs(features).max() < 1e-4
