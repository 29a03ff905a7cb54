"""Optimizers: what they are given arrives; the clipping of VDSR is in test_clipped_sgd.py."""

import keras
import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.training import optimizers


def test_adam_takes_every_option() -> None:
    adam = optimizers.adam(3e-4, beta_1=0.8, beta_2=0.99, epsilon=1e-6, clip_norm=2.0)
    assert isinstance(adam, keras.optimizers.Adam)
    assert float(adam.learning_rate) == pytest.approx(3e-4)
    assert (adam.beta_1, adam.beta_2, adam.epsilon, adam.global_clipnorm) == (0.8, 0.99, 1e-6, 2.0)


def test_adamw_decays_weights_without_gradient() -> None:
    adamw = optimizers.adamw(0.1, weight_decay=0.5)
    weight = keras.Variable([2.0])
    adamw.apply([np.zeros(1, np.float32)], [weight])
    assert np.asarray(weight) == pytest.approx([2.0 * (1 - 0.1 * 0.5)])


def test_sgd_without_theta_is_plain_sgd() -> None:
    sgd = optimizers.sgd(0.5, momentum=0.0, weight_decay=None)
    assert type(sgd) is keras.optimizers.SGD
    weight = keras.Variable([0.0])
    sgd.apply([np.array([3.0], np.float32)], [weight])
    assert np.asarray(weight) == pytest.approx([-1.5])


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (lambda: optimizers.adam(0.0), "optimizer.lr"),
        (lambda: optimizers.adamw(-1e-3), "optimizer.lr"),
        (lambda: optimizers.adam(1e-3, clip_norm=0.0), "optimizer.clip_norm"),
        (lambda: optimizers.sgd(0.1, theta=-1.0), "optimizer.theta"),
    ],
)
def test_what_learns_nothing_is_refused_by_name(build, names: str) -> None:
    with pytest.raises(RequestError, match=names):
        build()
