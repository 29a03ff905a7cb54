import importlib.util
import json
import math

import numpy as np
import pytest

from srexp.enhance.predict import batch_predictor
from srexp.enhance.runtimes import choice
from srexp.enhance.runtimes.choice import choose, loss_db
from srexp.enhance.runtimes.race import Cost
from srexp.errors import RequestError
from srexp.models import srcnn


@pytest.fixture(scope="module")
def network(randomised):
    return randomised(srcnn.build(2, 1, kernels=[9, 5, 5], filters=[8, 6]))


@pytest.fixture(scope="module")
def probes():
    high = np.random.default_rng(0).random((48, 48, 1), dtype=np.float32)
    return [(high[::2, ::2], high), (high[1::2, ::2], high)]


def test_loss_is_the_difference_of_psnr(probes):
    from skimage.metrics import peak_signal_noise_ratio as psnr

    rng = np.random.default_rng(1)
    images = {low.tobytes(): rng.random((2, 48, 48, 1), dtype=np.float32) for low, _ in probes}
    ours, float32 = (lambda batch, which=which: images[batch.tobytes()][which][np.newaxis] for which in (0, 1))
    expected = np.mean(
        [psnr(high, images[low.tobytes()][1], data_range=1) - psnr(high, images[low.tobytes()][0], data_range=1)
         for low, high in probes]
    )  # fmt: skip
    assert loss_db(ours, float32, probes) == pytest.approx(expected, abs=1e-4)


def test_loss_without_error_or_without_number(probes):
    _, high = probes[0]
    perfect, wrong, nothing = (lambda _, value=value: value[np.newaxis] for value in (high, high * 0, high * np.nan))
    assert loss_db(perfect, perfect, probes[:1]) == 0
    assert loss_db(wrong, perfect, probes[:1]) == math.inf
    assert math.isnan(loss_db(nothing, wrong, probes[:1]))


@pytest.mark.parametrize("off", [0.0, 1e-8])
def test_the_last_bit_of_a_float_is_no_loss_on_a_blank_image(off):
    blank = np.zeros((8, 8, 1), np.float32)
    exact, nearly, wrong = (lambda _, by=by: (blank + np.float32(by))[np.newaxis] for by in (off, 1e-7, 1e-3))
    assert loss_db(nearly, exact, [(blank, blank)]) == 0
    assert loss_db(wrong, exact, [(blank, blank)]) > 40


def test_auto_measures_once_and_remembers(network, probes, tmp_path):
    first = choose(network, probes=probes, shape=(40, 56), cache=tmp_path)
    assert first.runtime in choice.RUNTIMES
    assert first.loss_db == pytest.approx(0, abs=0.01)
    assert "keras/float32" in first.seconds or len(first.seconds) > 1
    [kept] = (tmp_path / "runtimes").iterdir()
    assert json.loads(kept.read_text())["runtime"] == first.runtime

    again = choose(network, probes=probes, shape=(40, 56), cache=tmp_path)
    assert (again.runtime, again.precision, again.seconds) == (first.runtime, first.precision, {})
    low = probes[0][0][np.newaxis]
    assert again.restore(low) == pytest.approx(batch_predictor(network)(low), abs=5e-6)


@pytest.mark.parametrize(
    "content", [b"", b'{"runtime": "ker', b"\xff\xfe", b"[]", b'{"runtime": "gone", "precision": 1}']
)
def test_a_damaged_note_of_what_was_fastest_counts_as_none(network, probes, tmp_path, monkeypatch, content):
    fastest = choice.Chosen(None, "keras", "float32", 0.0, {"keras/float32": 1.0})
    monkeypatch.setattr(choice, "_measured", lambda *_: fastest)
    place = tmp_path / "runtimes" / f"{choice._key(network, 'float32', (40, 56), probes)}.json"
    place.parent.mkdir()
    place.write_bytes(content)
    assert choose(network, probes=probes, shape=(40, 56), cache=tmp_path) is fastest
    assert json.loads(place.read_text())["runtime"] == "keras"


def test_another_model_shape_or_precision_is_measured_anew(network, probes, tmp_path, randomised):
    keys = {
        choice._key(model, precision, shape, probes)
        for model in (network, randomised(srcnn.build(2, 1, kernels=[9, 5, 5], filters=[8, 6]), seed=9))
        for precision in ("float32", "bfloat16")
        for shape in ((8, 8), (8, 9))
    }
    assert len(keys) == 8


def test_auto_refuses_what_loses_too_much(monkeypatch):
    # A network that hands the image through in 8 bits, on images that it restores well: tenths of a decibel are lost.
    model = srcnn.build(1, 1, kernels=[9, 5, 5], filters=[8, 6])
    high = np.random.default_rng(0).random((48, 48, 1), dtype=np.float32)
    near = [(np.clip(high + 0.005, 0, 1), high)]
    assert choose(model, runtime="onnxruntime", precision="int8", probes=near).loss_db > 0.1

    costs = {True: Cost(1.0, 1.0), False: Cost(2.0, 2.0)}
    monkeypatch.setattr(choice, "race", lambda candidates, *_: {name: costs["int8" in name] for name in candidates})
    chosen = choose(model, precision="int8", probes=near, shape=(16, 16))
    assert (chosen.runtime, chosen.precision) != ("onnxruntime", "int8")
    assert chosen.loss_db <= 0.01


def test_auto_goes_on_without_what_cannot_compute_the_model():
    import keras

    image = keras.Input((None, None, 1))
    highest = keras.layers.GlobalMaxPooling2D(keepdims=True)(image)
    model = keras.Model(image, keras.layers.Subtract()([image, highest]))
    chosen = choose(model, shape=(16, 16))
    assert chosen.runtime == "keras"
    with pytest.raises(RequestError, match="no translation"):
        choose(model, runtime="openvino")


def test_auto_takes_the_fastest(network, monkeypatch):
    times = {"keras/float32": 3.0, "onnxruntime/float32": 2.0, "openvino/float32": 50.0}
    raced = []

    def measured(candidates, batch, rounds=3):
        raced.append((set(candidates), batch.shape))
        return {name: Cost(times[name], 2 * times[name]) for name in candidates}

    monkeypatch.setattr(choice, "race", measured)
    assert choose(network, shape=(300, 700)).runtime == "onnxruntime"
    assert raced == [(set(times), (1, 96, 96, 1)), (set(times) - {"openvino/float32"}, (1, 300, 512, 1))]


@pytest.mark.parametrize(("name", "extra"), [("onnxruntime", "onnx"), ("openvino", "openvino"), ("litert", "litert")])
def test_a_missing_package_is_named_with_its_extra(network, monkeypatch, name, extra):
    find = importlib.util.find_spec
    gone = next(reversed(choice.RUNTIMES[name].PACKAGES))
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None if module == gone else find(module))
    with pytest.raises(RequestError, match=rf'pip install "srexp\[{extra}\]"'):
        choose(network, runtime=name)
    assert choose(network, shape=(16, 16)).runtime != name


def test_a_precision_that_a_runtime_has_not(network):
    with pytest.raises(RequestError, match="runtime=keras"):
        choose(network, runtime="onnxruntime", precision="bfloat16")
    with pytest.raises(RequestError, match="runtime=onnxruntime"):
        choose(network, runtime="keras", precision="int8")


def test_the_loss_is_told(network, probes):
    told = choose(network, runtime="keras", precision="bfloat16", probes=probes).told()
    assert told.startswith("keras in bfloat16, ")
    assert told.endswith("dB lost against Keras in float32")


def test_a_loss_that_rounds_to_nothing_has_no_sign():
    same = choice.Chosen(restore=lambda low: low, runtime="openvino", precision="float32", loss_db=-1e-5, seconds={})
    assert same.told() == "openvino in float32, 0.000 dB lost against Keras in float32"
