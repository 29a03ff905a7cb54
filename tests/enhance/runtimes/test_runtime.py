"""The contract of all runtimes: each computes what Keras does, in memory and from its file, from any thread."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from srexp.enhance.predict import batch_predictor
from srexp.enhance.runtimes.choice import RUNTIMES
from srexp.enhance.runtimes.keras_runtime import in_precision
from srexp.models import hybrid, vdsr

NAMES = ["keras", "onnxruntime", "openvino", "litert"]
SIZES = [(1, 19, 30), (3, 8, 8), (1, 1, 1), (1, 19, 30)]


def runtime(name):
    return RUNTIMES[name]


def images(size, channels=1):
    return np.random.default_rng(3).random((*size, channels), dtype=np.float32)


@pytest.fixture(scope="module")
def network(randomised):
    return randomised(vdsr.build(2, 1, depth=4, width=8))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", ["colour", pytest.param("transposed convolution", marks=pytest.mark.slow)])
def test_from_file(randomised, made, name, tmp_path):
    in_colour = made == "colour"
    network = randomised(
        vdsr.build(3, 3, depth=4, width=8) if in_colour else hybrid.build(3, 1, wide=8, width=6, blocks=2)
    )
    path = tmp_path / runtime(name).FILE
    runtime(name).write(network, path)
    restore, reference = runtime(name).read(path), batch_predictor(network)
    for size in SIZES:
        low = images(size, network.input_shape[-1])
        assert restore(low) == pytest.approx(reference(low), abs=5e-6)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", NAMES)
def test_from_several_threads(network, name):
    restore, reference = runtime(name).start(network, "float32"), batch_predictor(network)
    lows = [images((1, 12 + number % 3, 9 + number), network.input_shape[-1]) for number in range(10)]
    with ThreadPoolExecutor(10) as threads:
        for low, restored in zip(lows, threads.map(restore, lows), strict=True):
            assert restored == pytest.approx(reference(low), abs=5e-6)


@pytest.mark.parametrize(("name", "precision"), [("keras", "bfloat16"), ("onnxruntime", "int8"), ("litert", "int8")])
def test_lower_precision_is_near_and_not_the_same(randomised, name, precision):
    model, low = randomised(vdsr.build(2, 1, depth=4, width=32)), images((1, 24, 24))
    restored = runtime(name).start(model, precision, [low])(low)
    gap = np.abs(restored - batch_predictor(model)(low)).max()
    assert restored.dtype == np.float32
    assert 1e-5 < gap < 0.2


def test_a_model_trained_in_bfloat16_is_exported_in_float32(randomised):
    model = randomised(vdsr.build(2, 1, depth=3, width=8))
    narrow, low = in_precision(model, "bfloat16"), images((1, 9, 9))
    expected = batch_predictor(model)(low)
    for name in NAMES:
        assert runtime(name).start(narrow, "float32")(low) == pytest.approx(expected, abs=5e-6)


def test_names_are_those_that_a_user_types():
    assert list(RUNTIMES) == NAMES
    assert [each.FILE for each in RUNTIMES.values()] == ["savedmodel", "model.onnx", "model.xml", "model.tflite"]
    assert all("float32" in each.PRECISIONS for each in RUNTIMES.values())
    assert all(each.missing == [] for each in RUNTIMES.values())
