"""What VDSR alone keeps; the contract of every network is in test_models.py."""

import keras
import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.models import vdsr
from srexp.training import numerics
from tests.models.counts import parameters
from tests.networks import built


@pytest.mark.parametrize(("channels", "count"), [(1, 665_921), (3, 668_227)])  # 9*64+64 + 18*(9*64*64+64) + 9*64+1
def test_parameter_counts_are_the_papers(channels: int, count: int) -> None:
    assert parameters("vdsr", channels, 1, 2, 3, 4) == [count] * 4


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_borders_are_no_edges(policy: str) -> None:
    """On a constant image the first filters see nothing, at the border either."""
    network = numerics.built(policy, lambda: built("vdsr", 1, 1, depth=4))
    features = keras.Model(network.input, network.get_layer("hidden_01").output)(
        np.full((1, 9, 12, 1), 0.8, np.float32)
    )
    assert np.abs(features).max() < 1e-4


@pytest.mark.parametrize(
    ("key", "given"), [("depth", {"depth": 1}), ("width", {"width": 7}), ("width", {"width": 0, "start": "paper"})]
)
def test_sizes_too_small_are_refused_by_name(key: str, given: dict[str, int | str]) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        built("vdsr", 2, 1, **given)


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
