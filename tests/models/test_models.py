"""The contract that every network keeps: sizes, dtypes, built-in layers, determinism, and a first step."""

import subprocess
import sys
from collections.abc import Iterator

import keras
import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.models import bicubic, hybrid, srcnn, vdsr

BUILDERS = {
    "bicubic": bicubic.build,
    "srcnn": lambda scale, channels: srcnn.build(scale, channels, kernels=[9, 5, 5], filters=[64, 32]),
    "srcnn-915": lambda scale, channels: srcnn.build(scale, channels, kernels=[9, 1, 5], filters=[64, 32]),
    "srcnn-paper": lambda scale, channels: srcnn.build(
        scale, channels, kernels=[9, 5, 5], filters=[64, 32], start="paper"
    ),
    "vdsr": vdsr.build,
    "vdsr-small": lambda scale, channels: vdsr.build(scale, channels, depth=4, width=8),
    "vdsr-paper": lambda scale, channels: vdsr.build(scale, channels, depth=4, width=8, start="paper", border="zeros"),
    "hybrid": hybrid.build,
    "hybrid-small": lambda scale, channels: hybrid.build(scale, channels, wide=8, width=6, blocks=2),
}
BEGIN_AS_BICUBIC = ["srcnn", "srcnn-915", "vdsr", "vdsr-small", "hybrid"]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_dtype_policy("float32")


def image(height: int, width: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, height, width, channels), dtype=np.float32)


@pytest.mark.parametrize(
    ("model", "channels", "count"),
    [
        ("bicubic", 1, 0),
        ("srcnn", 1, 57_281),  # 9*9*64+64 + 5*5*64*32+32 + 5*5*32+1
        ("srcnn", 3, 69_251),
        ("srcnn-915", 1, 8_129),
        ("vdsr", 1, 665_921),  # 9*64+64 + 18*(9*64*64+64) + 9*64+1
        ("vdsr", 3, 668_227),
    ],
)
@pytest.mark.parametrize("scale", [1, 2])
def test_parameter_counts_are_the_papers(model: str, channels: int, count: int, scale: int) -> None:
    assert BUILDERS[model](scale, channels).count_params() == count


@pytest.mark.parametrize(("scale", "channels"), [(1, 3), (2, 1), (2, 3), (3, 1), (4, 1)])
@pytest.mark.parametrize(
    "model", ["bicubic", "srcnn", "srcnn-915", "srcnn-paper", "vdsr-small", "vdsr-paper", "hybrid"]
)
def test_restores_any_size_at_any_scale(model: str, scale: int, channels: int) -> None:
    network = BUILDERS[model](scale, channels)
    assert network.input_shape == (None, None, None, channels)
    assert network.output_shape == (None, None, None, channels)
    for height, width in [(1, 1), (7, 12), (16, 5)]:
        restored = network(image(height, width, channels))
        assert restored.shape == (1, height * scale, width * scale, channels)
        assert np.isfinite(restored).all()


@pytest.mark.parametrize("model", BUILDERS)
def test_only_built_in_layers(model: str) -> None:
    for operation in BUILDERS[model](2, 1).operations:
        assert type(operation).__module__.startswith("keras."), operation


@pytest.mark.parametrize("model", BUILDERS)
def test_images_stay_float32_in_mixed_precision(model: str) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = BUILDERS[model](2, 1)
    low = image(6, 8)
    restored = network(low)
    assert network.inputs[0].dtype == network.outputs[0].dtype == restored.dtype == "float32"
    if model in ("vdsr", "hybrid"):  # the residual is zero, and the image never passed through bfloat16
        np.testing.assert_array_equal(restored, bicubic.build(2, 1)(low))


@pytest.mark.parametrize("model", BEGIN_AS_BICUBIC)
@pytest.mark.parametrize(("scale", "channels"), [(1, 1), (2, 3), (3, 1)])
def test_copy_begins_as_bicubic(model: str, scale: int, channels: int) -> None:
    low = 0.2 + 0.6 * image(9, 11, channels)  # bicubic overshoots, but not below zero, which ReLU would cut
    np.testing.assert_allclose(
        BUILDERS[model](scale, channels)(low), bicubic.build(scale, channels)(low), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("model", ["srcnn", "srcnn-paper", "vdsr-small", "vdsr-paper", "hybrid-small"])
def test_initial_weights_follow_the_seed(model: str) -> None:
    def weights(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return [np.asarray(weight) for weight in BUILDERS[model](2, 1).get_weights()]

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("model", ["srcnn", "vdsr-small", "hybrid-small"])
def test_borders_are_no_edges(model: str) -> None:
    """On a constant image the random filters see nothing, at the border either."""
    network = BUILDERS[model](1, 1)
    first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    features = np.asarray(keras.Model(network.input, first.output)(np.full((1, 9, 12, 1), 0.8, np.float32)))
    details = features[..., 1:] if model == "srcnn" else features
    assert np.abs(details).max() < 1e-4


@pytest.mark.parametrize("model", ["srcnn", "srcnn-paper", "vdsr-small", "hybrid-small"])
def test_one_step_of_fit_in_mixed_precision_moves_the_weights_and_nothing_breaks(model: str) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = BUILDERS[model](2, 1)
    before = [np.array(weight) for weight in network.get_weights()]
    network.compile(optimizer=keras.optimizers.Adam(1e-4), loss="mse", jit_compile=False)  # as in `fit`
    history = network.fit(image(8, 8), image(16, 16, seed=1), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert any(not np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


@pytest.mark.parametrize("model", ["srcnn", "vdsr-small", "hybrid-small"])
def test_copy_is_not_dead(model: str) -> None:
    """After two steps every layer has a gradient, although the last one begins with zeros, and no number is broken."""
    network = BUILDERS[model](2, 1)
    low, high = image(8, 8), image(16, 16, seed=1)
    network.compile(optimizer=keras.optimizers.Adam(1e-4), loss="mse", jit_compile=False)  # as in `fit`
    network.fit(low, high, epochs=2, verbose=0)
    before = [np.array(weight) for weight in network.get_weights()]
    network.fit(low, high, epochs=1, verbose=0)  # by the graph of the two before
    for old, new, weight in zip(before, network.get_weights(), network.weights, strict=True):
        assert not np.array_equal(old, new), weight.path
        assert np.isfinite(new).all(), weight.path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
def test_saved_networks_load_where_srexp_is_not_installed(tmp_path) -> None:
    low = image(6, 9)
    np.save(tmp_path / "low.npy", low)
    for name in ("bicubic", "srcnn", "vdsr-small", "hybrid-small"):
        network = BUILDERS[name](2, 1)
        network.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", network(low))
    program = """
import sys
sys.modules["srexp"] = None  # any import of it fails
import keras, numpy as np
low = np.load("low.npy")
for name in ("bicubic", "srcnn", "vdsr-small", "hybrid-small"):
    restored = keras.saving.load_model(f"{name}.keras")(low)
    np.testing.assert_allclose(restored, np.load(f"{name}.npy"), rtol=0, atol=1e-6)
    assert keras.saving.load_model(f"{name}.keras")(np.zeros((2, 5, 3, 1), "float32")).shape == (2, 10, 6, 1)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("model", ["srcnn", "vdsr", "bicubic", "hybrid"])
def test_importing_a_model_imports_no_keras(model: str) -> None:
    program = f"import srexp.models.{model}, sys; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (lambda: bicubic.build(0, 1), "scale"),
        (lambda: bicubic.build(2, 0), "channels"),
        (lambda: srcnn.build(2, 1, kernels=[9, 4, 5], filters=[64, 32]), "model.kernels"),
        (lambda: srcnn.build(2, 1, kernels=[9, 5], filters=[64, 32]), "model.kernels"),
        (lambda: srcnn.build(2, 1, kernels=[9, 5, 5], filters=[64]), "model.filters"),
        (lambda: srcnn.build(2, 3, kernels=[9, 5, 5], filters=[64, 2]), "model.filters"),
        (lambda: vdsr.build(2, 1, depth=1), "model.depth"),
        (lambda: vdsr.build(2, 1, width=7), "model.width"),
        (lambda: vdsr.build(2, 1, width=0, start="paper"), "model.width"),
        (lambda: hybrid.build(2, 1, wide=5), "model.wide"),
        (lambda: hybrid.build(2, 1, width=0), "model.width"),
        (lambda: hybrid.build(2, 1, blocks=0), "model.blocks"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(build, names: str) -> None:
    with pytest.raises(RequestError, match=names):
        build()
