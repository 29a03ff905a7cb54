"""Convolutions of the literature's networks: what they begin with, and the image that they end with."""

import keras
import numpy as np

from srexp.models.layers.convolution import convolve, convolve_each, sub_pixel


def test_weights_begin_within_what_pytorch_allows() -> None:
    low = keras.Input((None, None, 16))
    network = keras.Model(low, convolve_each(convolve(low, 32, name="B1.c1"), 5, dilation=3, name="B1.dw"))
    (dense, bias), (each, _) = (network.get_layer(name).get_weights() for name in ("B1.c1", "B1.dw"))
    assert (dense.shape, each.shape) == ((3, 3, 16, 32), (5, 5, 32, 1))
    for kernel, limit in ((dense, (9 * 16) ** -0.5), (each, 1 / 5)):
        assert 0.9 * limit < np.abs(kernel).max() <= limit
    assert not bias.any()


def test_the_image_is_what_the_convolution_gives_shuffled() -> None:
    low = keras.Input((None, None, 2))
    network = keras.Model(low, sub_pixel(low, 2, 1, name="upsampler.0"))
    kernel, bias = network.get_layer("upsampler.0").get_weights()
    bias[:] = [1, 2, 3, 4]
    network.get_layer("upsampler.0").set_weights([kernel * 0, bias])
    np.testing.assert_array_equal(np.asarray(network(np.ones((1, 1, 1, 2))))[0, ..., 0], [[1, 2], [3, 4]])
