"""Optimizers: what they are given arrives; the clipping of VDSR is in test_clipped_sgd.py."""

import math

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


UNBOUND = {"global_clipnorm": None, "clipnorm": None, "clipvalue": None, "use_ema": False}
ADAM = {**UNBOUND, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
SGD = {**UNBOUND, "momentum": 0.9, "nesterov": False}
MEAN = {"use_ema": True, "ema_momentum": 0.75, "ema_overwrite_frequency": None}


@pytest.mark.parametrize(
    ("built", "options"),
    [
        (optimizers.adam(1e-3), {**ADAM, "weight_decay": None}),
        (optimizers.adamw(1e-3), {**ADAM, "weight_decay": 0.004}),
        (
            optimizers.adamw(1e-3, weight_decay=0.5, beta_1=0.8, beta_2=0.99, epsilon=1e-6, clip_norm=2.0),
            {"weight_decay": 0.5, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6, "global_clipnorm": 2.0},
        ),
        (optimizers.sgd(1e-3), {**SGD, "weight_decay": 1e-4}),
        (optimizers.sgd(1e-3, momentum=0.5, weight_decay=0.25), {**SGD, "momentum": 0.5, "weight_decay": 0.25}),
        (optimizers.sgd(1e-3, theta=0.01), {**SGD, "weight_decay": 1e-4}),
        (optimizers.sgd(1e-3, momentum=0.5, weight_decay=0.25, theta=0.01), {"momentum": 0.5, "weight_decay": 0.25}),
        (optimizers.adam(1e-3, ema=0.75), MEAN),
        (optimizers.adamw(1e-3, ema=0.75), MEAN),
        (optimizers.sgd(1e-3, ema=0.75), MEAN),
        (optimizers.sgd(1e-3, ema=0.75, theta=0.01), MEAN),
    ],
    ids=lambda value: value.name if isinstance(value, keras.Optimizer) else "",
)
def test_every_option_arrives_and_left_out_is_what_the_signature_says(built: keras.Optimizer, options: dict) -> None:
    config = built.get_config()
    assert {name: config[name] for name in options} == options
    assert config["learning_rate"] == pytest.approx(1e-3)


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
    ("build", "key", "fit", "unfit", "usual"),
    [
        (optimizers.adam, "lr", [1e-9, 2.0], [0.0, -1e-3, math.inf, math.nan], "1e-3"),
        (optimizers.adam, "clip_norm", [1e-9, None], [0.0, math.inf], "1e-3"),
        (optimizers.adam, "epsilon", [1e-9], [0.0], "1e-7"),
        (optimizers.adam, "beta_1", [0.0, 0.99], [-1e-9, 1.0], "0.9"),
        (optimizers.adam, "beta_2", [0.0, 0.99], [-1e-9, 1.0], "0.999"),
        (optimizers.adamw, "weight_decay", [0.0, 1.0], [-1e-9, math.inf], "1e-4"),
        (optimizers.adam, "ema", [0.0, 0.99, None], [-1e-9, 1.0], "0.999"),
        (optimizers.sgd, "momentum", [0.0, 0.99], [-1e-9, 1.0], "0.9"),
        (optimizers.sgd, "theta", [1e-9, None], [0.0], "1e-3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_learns_nothing_is_refused_with_a_usual_value(build, key: str, fit, unfit, usual: str) -> None:
    for value in fit:
        build(**{"lr": 0.1, key: value})
    for value in unfit:
        with pytest.raises(RequestError, match=rf"optimizer\.{key} is out of range") as refused:
            build(**{"lr": 0.1, key: value})
        assert refused.value.fix == f"optimizer.{key}={usual}"
