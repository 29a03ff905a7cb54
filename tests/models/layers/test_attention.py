"""Channel attention against NumPy."""

import keras
import numpy as np
import pytest

from srexp.models.layers.attention import mean, mean_and_deviation, mean_detail, weigh

FEATURES = np.random.default_rng(2).normal(3, 2, (2, 5, 7, 4)).astype(np.float32)


def of_features(layer) -> np.ndarray:
    tensor = keras.Input((None, None, 4))
    return np.asarray(keras.Model(tensor, layer(tensor))(FEATURES))


def test_mean_and_deviation_over_the_image() -> None:
    average = FEATURES.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(of_features(lambda x: mean(x, name="mean")), average, atol=1e-5)
    found = of_features(lambda x: mean_and_deviation(x, name="contrast"))
    np.testing.assert_allclose(found, average + FEATURES.std((1, 2), keepdims=True), atol=1e-5)


def test_a_constant_feature_has_a_slope() -> None:
    import tensorflow as tf

    tensor = keras.Input((None, None, 1))
    model = keras.Model(tensor, mean_and_deviation(tensor, name="contrast"))
    image = tf.fill((1, 3, 3, 1), 1000.0)
    with tf.GradientTape() as tape:
        tape.watch(image)
        found = model(image)
    assert float(found[0, 0, 0, 0]) == pytest.approx(1000.001)
    np.testing.assert_allclose(tape.gradient(found, image), 1 / 9, rtol=1e-5)


def test_detail_is_the_difference_from_what_surrounds() -> None:
    padded = np.pad(FEATURES, ((0, 0), (1, 1), (1, 1), (0, 0)))
    inside = np.pad(np.ones((5, 7, 1)), ((1, 1), (1, 1), (0, 0)))
    shifts = [(slice(y, y + 5), slice(x, x + 7)) for y in range(3) for x in range(3)]
    smooth = sum(padded[:, *shift] for shift in shifts) / sum(inside[shift] for shift in shifts)
    expected = np.abs(FEATURES - smooth).mean((1, 2), keepdims=True)
    np.testing.assert_allclose(of_features(lambda x: mean_detail(x, name="detail")), expected, atol=1e-5)


def test_factors_are_those_of_two_layers() -> None:
    tensor, rng = keras.Input((None, None, 4)), np.random.default_rng(0)
    model = keras.Model(tensor, weigh(tensor, mean(tensor, name="mean"), 3, name="weigh"))
    shapes = [(1, 1, 4, 3), (3,), (1, 1, 3, 4), (4,)]
    first, bias, second, other = weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    model.set_weights(weights)
    hidden = np.maximum(FEATURES.mean((1, 2)) @ first[0, 0] + bias, 0)
    factors = 1 / (1 + np.exp(-(hidden @ second[0, 0] + other)))
    np.testing.assert_allclose(model(FEATURES), FEATURES * factors[:, None, None], rtol=0, atol=1e-5)


def test_neutral_factors_begin_at_one() -> None:
    weighed = of_features(lambda x: weigh(x, mean(x, name="mean"), 2, name="weigh", neutral=True))
    np.testing.assert_array_equal(weighed, FEATURES)


@pytest.mark.parametrize("sign", [1, -1])
def test_some_units_see_any_statistic_at_first(sign: int) -> None:
    tensor = keras.Input((None, None, 4))
    model = keras.Model(tensor, weigh(tensor, mean(tensor, name="mean"), 3, name="weigh"))
    squeezed = np.asarray(model.get_layer("weigh_squeeze")(np.full((1, 1, 1, 4), sign, np.float32)))
    assert (squeezed[..., :2] > 0).sum() == 1  # one of each pair
