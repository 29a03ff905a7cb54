"""Weights in PyTorch's shapes and names, against convolutions written out."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy.signal import correlate

from srexp.errors import RequestError
from srexp.models.foreign_weights import set_arrays
from tests.networks import built


def network() -> keras.Model:
    low = keras.Input((None, None, 2), name="low")
    features = layers.Conv2D(3, 3, padding="same", name="head.0")(low)
    features = layers.PReLU(shared_axes=[1, 2], name="head.1")(features)
    features = layers.DepthwiseConv2D(3, padding="same", name="body_dw")(features)
    return keras.Model(low, features, name="mine")


def arrays() -> dict[str, np.ndarray]:
    shapes = {
        "head.0.weight": (3, 2, 3, 3), "head.0.bias": (3,), "head.1.weight": (3,),
        "body.dw.weight": (3, 1, 3, 3), "body.dw.bias": (3,),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_layers_compute_what_pytorch_defines() -> None:
    model, given = network(), arrays()
    set_arrays(model, given, "mine.npz")
    low = np.random.default_rng(1).random((5, 6, 2))
    head = [
        sum(correlate(low[..., i], kernel[i], mode="same") for i in range(2)) + bias
        for kernel, bias in zip(given["head.0.weight"], given["head.0.bias"], strict=True)
    ]
    sloped = [np.where(plane > 0, plane, a * plane) for plane, a in zip(head, given["head.1.weight"], strict=True)]
    expected = [
        correlate(plane, kernel[0], mode="same") + bias
        for plane, kernel, bias in zip(sloped, given["body.dw.weight"], given["body.dw.bias"], strict=True)
    ]
    restored = np.asarray(model(low[np.newaxis].astype(np.float32)))[0]
    np.testing.assert_allclose(np.moveaxis(restored, -1, 0), expected, rtol=0, atol=1e-5)


def test_what_does_not_fit_is_named_and_nothing_is_set() -> None:
    model, given = network(), arrays()
    before = model.get_weights()
    given["head.2.weight"] = given.pop("head.1.weight")
    given["head.0.bias"] = np.ones(4, np.float32)
    with pytest.raises(RequestError, match=r"^mine\.npz doesn't fit model=mine") as refusal:
        set_arrays(model, given, "mine.npz")
    said = str(refusal.value)
    assert "missing: head.1.weight" in said
    assert "superfluous: head.2.weight" in said
    assert "of another shape: head.0.bias (4,) for (3,)" in said
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))


def test_branches_take_no_weights() -> None:
    with pytest.raises(RequestError, match="folded form only"):
        set_arrays(built("ecbsr", 2, 1), {}, "mine.npz")
