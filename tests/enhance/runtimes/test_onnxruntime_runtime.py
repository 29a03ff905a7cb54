"""ONNX Runtime in int8; what all runtimes keep is in test_runtime.py."""

import numpy as np
import pytest

from srexp.enhance.runtimes.onnxruntime_runtime import OnnxRuntime
from srexp.errors import RequestError
from srexp.models import srcnn, vdsr


@pytest.mark.parametrize(
    ("kernels", "images"), [([9, 5, 5], []), (None, [np.zeros((1, 8, 8, 1), np.float32)])], ids=["image", "layer"]
)
def test_int8_needs_an_image_and_an_inner_convolution(randomised, kernels, images):
    network = srcnn.build(2, 1, kernels=kernels, filters=[8, 6]) if kernels else vdsr.build(2, 1, depth=2, width=2)
    model = randomised(network)
    with pytest.raises(RequestError, match="int8"):
        OnnxRuntime().start(model, "int8", images)
