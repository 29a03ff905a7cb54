"""LiteRT where it lacks something; what all runtimes keep is in test_runtime.py."""

import keras
import numpy as np
import pytest

from srexp.enhance.runtimes.litert_runtime import LiteRt
from srexp.errors import RequestError
from srexp.models import bicubic


@pytest.mark.parametrize("scale", [2, 3])
def test_bicubic_is_made_of_what_it_has(scale):
    low = np.random.default_rng(4).random((1, 7, 9, 1), dtype=np.float32)
    model = bicubic.build(scale, 1)
    np.testing.assert_allclose(LiteRt().start(model)(low), model(low), rtol=0, atol=5e-6)


def test_an_operation_that_it_lacks_is_said():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.ops.erfinv(image))
    with pytest.raises(RequestError, match="LiteRT lacks"):
        LiteRt().start(model)
