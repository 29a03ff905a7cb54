"""What is learnt of a model when it is loaded."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import pytest

from srexp.errors import RequestError
from srexp.experiment.trained.loaded_model import awaited, require_fit, scale_of
from srexp.models import vdsr
from srexp.system.kernels import choice
from srexp.tracking.store.store import resolve


def pooled(scale):
    image = keras.Input((None, None, 1))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(image)
    return keras.Model(image, keras.layers.UpSampling2D(scale)(keras.layers.Subtract()([image, mean])))


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_scale_is_known_from_the_layers_or_from_an_image(scale):
    assert scale_of(vdsr.build(scale, 1, depth=2, width=2), "net.keras") == scale
    assert scale_of(pooled(scale), "net.keras") == scale


def test_a_model_that_shrinks_is_refused():
    image = keras.Input((None, None, 1))
    with pytest.raises(RequestError, match=r"net\.keras doesn't enlarge by a whole number"):
        scale_of(keras.Model(image, keras.layers.MaxPooling2D()(image)), "net.keras")


def task(scale, channels=1):
    return SimpleNamespace(config=SimpleNamespace(scale=scale), channels=channels, channel="grey")


def test_a_model_fits_the_scale_and_the_channels_of_a_task():
    require_fit(pooled(3), task(3), "mine")
    with pytest.raises(RequestError, match="mine enlarges 3 times"):
        require_fit(pooled(3), task(2), "mine")
    with pytest.raises(RequestError, match=r"mine takes images of 1 channel\b"):
        require_fit(pooled(3), task(3, channels=3), "mine")
    fixed = keras.Sequential([keras.Input((8, None, 1)), keras.layers.UpSampling2D(3)])
    with pytest.raises(RequestError, match="mine doesn't take images of any size"):
        require_fit(fixed, task(3), "mine")


def test_the_network_that_comes_decides_which_kernels_are_taken(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(choice, "settle", lambda *given: told.append(given))
    store = resolve(None, tmp_path, environ={})
    found = awaited(store, "zoo/hybrid-cxr-x2")
    assert found.shipped
    file = tmp_path / "nobody-knows.keras"
    file.touch()
    assert awaited(store, str(file)).path == file
    assert told == [("hybrid", "restoring"), (None, "restoring")]
