"""What is learnt of a model when it is loaded."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from srexp.errors import RequestError
from srexp.experiment.loaded_model import scale_of
from srexp.models import vdsr
from srexp.tracking.registry.models import Loaded
from srexp.tracking.store.addresses import Found


def loaded(model):
    return Loaded(model, Found("net.keras", path=Path("net.keras")), sha256="0")


def pooled(scale):
    image = keras.Input((None, None, 1))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(image)
    return keras.Model(image, keras.layers.UpSampling2D(scale)(keras.layers.Subtract()([image, mean])))


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_scale_is_known_from_the_layers_or_from_an_image(scale):
    assert scale_of(loaded(vdsr.build(scale, 1, depth=2, width=2))) == scale
    assert scale_of(loaded(pooled(scale))) == scale


def test_a_model_that_shrinks_is_refused():
    image = keras.Input((None, None, 1))
    with pytest.raises(RequestError, match="no whole multiple"):
        scale_of(loaded(keras.Model(image, keras.layers.MaxPooling2D()(image))))
