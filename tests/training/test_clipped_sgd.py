"""VDSR's clipping follows the learning rate."""

import keras
import numpy as np
import pytest

from srexp.training import optimizers


@pytest.mark.parametrize("lr", [1e-4, 0.1, 10.0])
def test_theta_bounds_the_step_at_every_learning_rate(lr: float) -> None:
    sgd = optimizers.sgd(lr, momentum=0.0, weight_decay=None, theta=0.01)
    weight = keras.Variable([0.0, 0.0, 0.0])
    sgd.apply([np.array([1e6, -1e6, 0.001 / lr], np.float32)], [weight])
    np.testing.assert_allclose(weight, [-0.01, 0.01, -0.001], rtol=1e-5)


def test_a_weight_without_a_gradient_stays() -> None:
    sgd = optimizers.sgd(0.1, momentum=0.0, weight_decay=None, theta=0.01)
    weights = [keras.Variable([0.0]), keras.Variable([1.0])]
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        sgd.apply([np.array([1e6], np.float32), None], weights)
    np.testing.assert_allclose(weights, [[-0.01], [1.0]], rtol=1e-5)


def test_theta_follows_a_learning_rate_that_changes_inside_a_compiled_step() -> None:
    import tensorflow as tf

    sgd = optimizers.sgd(0.1, momentum=0.0, weight_decay=None, theta=0.01)
    weight = keras.Variable([0.0])
    sgd.build([weight])
    step = tf.function(lambda gradient: sgd.apply([gradient], [weight]))
    steps = []
    for lr in (0.1, 1e-3, 0.0):
        sgd.learning_rate = lr
        before = float(weight[0])
        step(tf.constant([5.0]))
        steps.append(before - float(weight[0]))
    # theta binds at 0.1 (0.1 * 5 > 0.01), not at 1e-3; nothing moves at 0.
    np.testing.assert_allclose(steps, [0.01, 0.005, 0.0], rtol=1e-5, atol=1e-9)


def test_sgd_with_theta_trains_through_fit() -> None:
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    network.compile(optimizer=optimizers.sgd(0.1, momentum=0.0, weight_decay=None, theta=0.01), loss="mse")
    network.fit(np.ones((4, 1)), np.full((4, 1), 100.0), batch_size=4, epochs=3, verbose=0)
    np.testing.assert_allclose(network.get_weights()[0], [[0.03]], rtol=1e-5)
