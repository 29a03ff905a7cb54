"""The beginning of networks, their input and its enlargement, and the end that adds to it."""

import keras
import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.models import bicubic
from srexp.models.layers.pixel_shuffle import pixel_shuffle
from srexp.models.layers.upsampling import begin, finish


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_enlargement_is_float32_under_every_policy(policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        low, enlarged = begin(3, 1)
    finally:
        keras.config.set_dtype_policy(before)
    assert (low.name, low.dtype, low.shape) == ("low", "float32", (None, None, None, 1))
    assert enlarged.dtype == "float32"


def test_scale_one_enlarges_nothing() -> None:
    low, enlarged = begin(1, 3)
    assert enlarged is low


@pytest.mark.parametrize(("scale", "channels", "named"), [(0, 1, "scale"), (2, 0, "channels")])
def test_what_can_not_be_built_is_refused(scale: int, channels: int, named: str) -> None:
    with pytest.raises(RequestError, match=f"{named} is too small"):
        begin(scale, channels)


def test_networks_of_users_find_it_where_it_first_was() -> None:
    assert bicubic.begin is begin


@pytest.mark.parametrize(("scale", "kernel", "count"), [(2, None, 6 * 6 * 5 * 3 + 3), (3, 9, 9 * 9 * 5 * 3 + 3)])
def test_the_end_adds_nothing_at_first(scale: int, kernel: int | None, count: int) -> None:
    low, enlarged = begin(scale, 3)
    features = keras.layers.Conv2D(5, 1)(low)
    model = keras.Model(low, finish(enlarged, features, scale, kernel=kernel))
    image = np.random.default_rng(4).random((1, 3, 4, 3), dtype=np.float32)
    np.testing.assert_array_equal(model(image), bicubic.build(scale, 3)(image))
    assert model.get_layer("residual").count_params() == count


def test_the_end_is_a_convolution_and_a_pixel_shuffle() -> None:
    """Each of its 3 x 3 kernels, one for each place of an output pixel, is found again in the large kernel."""
    scale, features, rng = 3, 2, np.random.default_rng(0)
    tensor = keras.Input((None, None, features))
    enlarged = keras.layers.UpSampling2D(scale)(keras.layers.Conv2D(1, 1, kernel_initializer="zeros")(tensor))
    model = keras.Model(tensor, finish(enlarged, tensor, scale))
    plain = rng.normal(size=(3, 3, features, scale**2)).astype(np.float32)
    # Output (dy, dx) reads the pixel at (-1, 0, 1) by the large kernel's tap s * (2 - t) + d.
    squares = plain[::-1, ::-1].reshape(3, 3, features, scale, scale)
    large = squares.transpose(0, 3, 1, 4, 2).reshape(3 * scale, 3 * scale, 1, features)
    model.get_layer("residual").set_weights([large, np.zeros(1, np.float32)])
    shuffled = keras.Model(
        tensor,
        pixel_shuffle(
            keras.layers.Conv2D(scale**2, 3, padding="same", use_bias=False, name="plain")(tensor), scale, 1, name="out"
        ),
    )
    shuffled.get_layer("plain").set_weights([plain])
    image = rng.random((1, 4, 5, features), dtype=np.float32)
    np.testing.assert_allclose(model(image), shuffled(image), rtol=0, atol=1e-5)
