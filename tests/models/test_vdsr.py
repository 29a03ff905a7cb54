"""What VDSR alone keeps; the contract of every network is in test_models.py."""

import keras
import numpy as np
import pytest

from srexp.models import vdsr


def test_layers_of_one_network_differ() -> None:
    kernels = [layer.get_weights()[0] for layer in vdsr.build(2, 1, depth=4, start="paper").layers if layer.weights]
    assert not np.array_equal(kernels[1], kernels[2])


def test_vdsr_copy_keeps_the_energy_of_its_features() -> None:
    """Through all hidden layers the mirrored orthogonal stack neither grows nor shrinks a signal."""
    image = np.random.default_rng(0).random((1, 8, 8, 1), dtype=np.float32)
    first, last = through_vdsr(np.pad(image, ((0, 0), (28, 28), (28, 28), (0, 0))))
    assert np.linalg.norm(last) == pytest.approx(np.linalg.norm(first), rel=1e-4)


def test_vdsr_copy_looks_around_from_the_start() -> None:
    """What the last hidden layer knows of a pixel lies pixels away from it, not in its 3 x 3 neighbours only."""
    point = np.zeros((1, 65, 65, 1), np.float32)
    point[0, 32, 32] = 1
    for features, nearest, farthest in zip(through_vdsr(point), (0, 2), (1.5, 8), strict=True):
        energy = np.asarray(features)[0].sum(axis=-1) ** 2
        rows, columns = np.indices(energy.shape) - 32
        away = np.sqrt((energy * (rows**2 + columns**2)).sum() / energy.sum())
        assert nearest < away < farthest


def through_vdsr(pixels: np.ndarray) -> list[np.ndarray]:
    """Give the features of VDSR's first and last hidden layer before training."""
    keras.utils.set_random_seed(0)
    network = vdsr.build(1, 1)
    features = [network.get_layer(f"hidden_{number:02d}").output for number in (1, 19)]
    return keras.Model(network.input, features)(pixels)
