"""The contract that every network keeps: sizes, dtypes, built-in layers, determinism, and a first step."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.models import bicubic
from srexp.network_graph import image_readers, steps
from srexp.training import numerics
from tests.networks import MODELS, built, cases, options, thin

#: Forms that a YAML file doesn't say by default; the contract holds for them, too.
VARIANTS = {
    "srcnn-915": ("srcnn", {"kernels": [9, 1, 5]}),
    "srcnn-paper": ("srcnn", {"start": "paper"}),
    "vdsr-paper": ("vdsr", {"start": "paper", "border": "zeros"}),
}
NETWORKS = [*MODELS, *VARIANTS]
TRAINED = [name for name in NETWORKS if name != "bicubic"]
#: Stepped by their graphs, as in `fit`; to make that of a deep one's gradients takes many seconds.
STEPPED = ("srcnn", "vdsr")
#: Seeded in the fast lane, too: each way of srexp's own to begin weights.
STARTED = (*VARIANTS, "srcnn", "vdsr", "hybrid", "ecbsr", "fsrcnn", "minisub", "multiskip", "espcn")


def build(name: str, scale: int, channels: int) -> keras.Model:
    """Build a network of few features and layers."""
    model, changed = VARIANTS.get(name, (name, {}))
    return built(model, scale, channels, **thin(model), **changed)


def adds_to_bicubic(network: keras.Model) -> bool:
    """Whether the last step adds what the network found to the bicubic image."""
    *_, last = steps(network)
    return len(last.inputs) > 1 and "bicubic" in [tensor._keras_history.operation.name for tensor in last.inputs]


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(7)


def image(height: int, width: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, height, width, channels), dtype=np.float32)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("scale", "channels"),  # (2, 1): most tests below
    [(4, 1), *(pytest.param(*each, marks=pytest.mark.slow) for each in [(1, 3), (2, 3), (3, 1)])],
)
@pytest.mark.parametrize("model", NETWORKS)
def test_restores_any_size_at_any_scale(model: str, scale: int, channels: int) -> None:
    network = build(model, scale, channels)
    assert network.input_shape == (None, None, None, channels)
    assert network.output_shape == (None, None, None, channels)
    for height, width in [(1, 1), (7, 12), (16, 5)]:
        restored = network(image(height, width, channels))
        assert restored.shape == (1, height * scale, width * scale, channels)
        assert np.isfinite(restored).all()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("model", NETWORKS)
def test_only_built_in_layers_and_images_stay_float32_in_mixed_precision(model: str) -> None:
    network = numerics.built("mixed_bfloat16", lambda: build(model, 2, 1))
    assert {layer.compute_dtype for layer in image_readers(network)} <= {"float32"}
    for operation in network.operations:
        assert type(operation).__module__.startswith("keras."), operation
    low = image(6, 8)
    restored = network(low)
    assert network.inputs[0].dtype == network.outputs[0].dtype == restored.dtype == "float32"
    if model in MODELS and adds_to_bicubic(network):  # nothing at first, and the image never passed through bfloat16
        np.testing.assert_array_equal(restored, bicubic.build(2, 1)(low))


@pytest.mark.parametrize(("model", "setting"), cases((2, 3), (1, 1), (3, 1)))
def test_what_is_given_the_bicubic_image_begins_with_it(model: str, setting: tuple[int, int]) -> None:
    scale, channels = setting
    network = build(model, scale, channels)
    if "bicubic" not in [layer.name for layer in network.layers]:  # as `begin` calls it
        return
    low = 0.2 + 0.6 * image(9, 11, channels)  # bicubic overshoots, but not below zero, which ReLU would cut
    np.testing.assert_allclose(network(low), bicubic.build(scale, channels)(low), rtol=0, atol=1e-6)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "model", [pytest.param(each, marks=[] if each in STARTED else pytest.mark.slow) for each in TRAINED]
)
def test_initial_weights_follow_the_seed(model: str) -> None:
    def weights(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return [np.asarray(weight) for weight in build(model, 2, 1).get_weights()]

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("model", TRAINED)
def test_steps_in_mixed_precision_move_every_weight_and_nothing_breaks(model: str) -> None:
    """After two steps every layer has a gradient, although the last one may begin with zeros."""
    network = numerics.built("mixed_bfloat16", lambda: build(model, 2, 1))
    low, high = image(28, 28), image(56, 56, seed=1)  # attention at a sixth of it still has some pixels
    eager = model not in STEPPED
    network.compile(optimizer=keras.optimizers.Adam(1e-4), loss="mse", jit_compile=False, run_eagerly=eager)
    network.fit(low, high, epochs=2, verbose=0)
    before = [np.array(weight) for weight in network.trainable_weights]
    history = network.fit(low, high, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    for old, new in zip(before, network.trainable_weights, strict=True):
        assert not np.array_equal(old, new), new.path
        assert np.isfinite(new).all(), new.path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
def test_saved_networks_load_where_srexp_is_not_installed(tmp_path) -> None:
    low = image(16, 19)
    np.save(tmp_path / "low.npy", low)
    for name in MODELS:
        network = build(name, 2, 1)
        network.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", network(low))
    program = """
import pathlib, sys
sys.modules["srexp"] = None  # any import of it fails
import keras, numpy as np
low = np.load("low.npy")
for path in pathlib.Path().glob("*.keras"):
    loaded = keras.saving.load_model(path)
    np.testing.assert_allclose(loaded(low), np.load(path.with_suffix(".npy")), rtol=0, atol=1e-6)
    assert loaded(np.zeros((2, 15, 17, 1), "float32")).shape == (2, 30, 34, 1)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_models_imports_no_keras() -> None:
    imports = ", ".join(options(model)["_target_"].rpartition(".")[0] for model in MODELS)
    program = f"import {imports}, sys; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("model", MODELS)
def test_no_scale_and_no_channels_are_refused_by_name(model: str) -> None:
    for scale, channels, named in [(0, 1, "scale"), (2, 0, "channels")]:
        with pytest.raises(RequestError, match=f"^{named} is too small"):
            build(model, scale, channels)
