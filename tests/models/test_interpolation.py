"""Interpolation against Pillow and NumPy."""

import keras
import numpy as np
import pytest
from PIL import Image

from srexp.models import bicubic
from srexp.models.interpolation import METHODS, build

LOW = np.random.default_rng(5).random((17, 23), dtype=np.float32)


def enlarged(method, scale):
    return np.asarray(build(scale, 1, method=method)(LOW[None, ..., None]))[0, ..., 0]


@pytest.mark.parametrize(("scale", "tolerance"), [(2, 1e-5), (3, 1e-2), (4, 1e-5)])
def test_lanczos_is_pillows(scale, tolerance):
    # TensorFlow looks the kernel up in a table of 1,024 entries, which has no exact thirds.
    size = LOW.shape[1] * scale, LOW.shape[0] * scale
    expected = np.asarray(Image.fromarray(LOW).resize(size, Image.Resampling.LANCZOS))
    np.testing.assert_allclose(enlarged("lanczos", scale), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_nearest_repeats_pixels(scale):
    np.testing.assert_array_equal(enlarged("nearest", scale), LOW.repeat(scale, 0).repeat(scale, 1))


def test_bicubic_is_the_baseline():
    low = LOW[None, ..., None]
    np.testing.assert_array_equal(build(3, 1, method="bicubic")(low), bicubic.build(3, 1)(low))


@pytest.mark.parametrize("method", METHODS)
def test_is_named_and_has_no_weights(method):
    model = build(2, 3, method=method)
    assert (model.name, model.count_params(), model.input_shape[-1]) == (method, 0, 3)


@pytest.mark.parametrize("method", METHODS)
def test_it_computes_in_float32_whatever_networks_do_and_its_layers_have_names(method):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(2, 1, method=method)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in model.layers[1:]} == {"float32"}
    named = "bicubic" if method == "bicubic" else "enlarged"
    assert [layer.name for layer in model.layers] == ["low", named, "restored"]
    assert model.output.dtype == "float32"


def test_it_serves_the_scale_that_it_is_built_for():
    assert build(2, 1, method="nearest")(LOW[None, ..., None]).shape == (1, 34, 46, 1)
