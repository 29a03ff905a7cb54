"""Sub-bands: orthonormal, put together again exactly, and what the definitions say."""

import keras
import numpy as np
import pytest
from scipy.fft import dct
from scipy.ndimage import convolve

from srexp.evaluation.cost import cost
from srexp.models.layers.wavelet import analysis, basis, synthesis, undecimated


@pytest.mark.parametrize("side", range(1, 9))
def test_the_basis_is_orthonormal_and_its_first_vector_flat(side: int) -> None:
    np.testing.assert_allclose(basis(side) @ basis(side).T, np.eye(side), atol=1e-6)
    np.testing.assert_allclose(basis(side)[0], side**-0.5, atol=1e-6)


def test_it_is_haars_for_powers_of_two_and_the_cosine_transform_otherwise() -> None:
    haar = [[1, 1, 1, 1], [1, 1, -1, -1], [2**0.5, -(2**0.5), 0, 0], [0, 0, 2**0.5, -(2**0.5)]]
    np.testing.assert_allclose(basis(4), np.array(haar) / 2, atol=1e-6)
    np.testing.assert_allclose(basis(3), dct(np.eye(3), axis=0, norm="ortho"), atol=1e-6)


@pytest.mark.parametrize(("side", "channels"), [(1, 1), (2, 1), (2, 3), (3, 1), (3, 3), (4, 1)])
def test_sub_bands_give_the_image_again(side: int, channels: int) -> None:
    image = keras.Input((None, None, channels))
    split = analysis(image, side, name="band")
    assert [band.shape[-1] for band in split] == [channels, channels * (side**2 - 1)][: len(split)]
    assert len(split) == min(side, 2)
    images = synthesis(split, side, channels, name="image")
    whole = keras.Model(image, keras.layers.Add()(images) if side > 1 else images[0])
    pixels = np.random.default_rng(side).random((2, 5 * side, 3 * side, channels), dtype=np.float32)
    np.testing.assert_allclose(whole(pixels), pixels, rtol=0, atol=1e-6)
    assert cost(whole).parameters == 0


def test_a_constant_image_has_no_detail_and_channels_stay_apart() -> None:
    image = keras.Input((None, None, 2))
    model = keras.Model(image, analysis(image, 2, name="band"))
    flat, detail = (np.asarray(band) for band in model(np.full((1, 4, 4, 2), [0.25, 0.5], np.float32)))
    np.testing.assert_allclose(flat, np.broadcast_to([0.5, 1.0], (1, 2, 2, 2)), atol=1e-6)  # two times the mean
    np.testing.assert_allclose(detail, 0, atol=1e-6)
    one = np.zeros((1, 2, 2, 2), np.float32)
    one[0, 0, 1, 1] = 1
    _, detail = model(one)
    np.testing.assert_allclose(np.reshape(detail, (3, 2)), [[0, -0.5], [0, 0.5], [0, -0.5]], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_undecimated_sub_bands_add_up_to_the_image(channels: int) -> None:
    image = keras.Input((None, None, channels))
    model = keras.Model(image, undecimated(image, 2, name="band"))
    pixels = np.random.default_rng(3).random((1, 7, 9, channels), dtype=np.float32)
    fine, coarse, rest = (np.asarray(band) for band in model(pixels))
    np.testing.assert_allclose(fine + coarse + rest, pixels, rtol=0, atol=1e-6)
    weights = np.outer([1, 2, 1], [1, 2, 1])[..., None, None] / 16
    weights = np.moveaxis(weights, (2, 3), (0, 3))
    once = convolve(pixels, weights, mode="nearest")
    holes = np.zeros((1, 5, 5, 1))
    holes[:, ::2, ::2] = weights
    np.testing.assert_allclose(pixels - fine, once, rtol=0, atol=1e-6)
    np.testing.assert_allclose(rest, convolve(once, holes, mode="nearest"), rtol=0, atol=1e-6)
    assert cost(model).parameters == 0
