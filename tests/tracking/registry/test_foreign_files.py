"""Files that bring more along than a network are refused, and files without a store are loaded without one."""

import json
import pickle
import zipfile

import keras
import numpy as np
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.registry.models import load
from tests.tracking.registry.keras_files import Bomb


@pytest.fixture(scope="module")
def network():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(keras.layers.UpSampling2D(2)(image)))


@pytest.fixture
def saved(network, tmp_path):
    path = tmp_path / "mine.keras"
    network.save(path)
    return path


def same(model, network):
    return all(np.array_equal(*pair) for pair in zip(model.get_weights(), network.get_weights(), strict=True))


def test_files_need_no_store(saved, network, tmp_path):
    class NoStore:
        def __getattr__(self, name):
            raise AssertionError("the store was opened")

    folder = tmp_path / "served" / "data"
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(saved.read_bytes())
    for path in (saved, folder.parent):
        loaded = load(NoStore(), str(path))
        assert same(loaded.model, network)
    assert load(NoStore(), str(saved)).found.label == "mine.keras"


def test_pickles_and_other_files_are_refused(tracking, tmp_path):
    for name in ("model.pkl", "model.keras"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    for name in ("model.pkl", "model.keras", "model.h5", "saved"):
        with pytest.raises(SrexpError, match=r"no Keras model file|no address|may run code"):
            load(tracking.store, str(tmp_path / name))


def test_a_lambda_is_refused(tracking, tmp_path):
    image = keras.Input((None, None, 1))
    keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(image)).save(tmp_path / "lambda.keras")
    with pytest.raises(RequestError, match="more than Keras's own layers"):
        load(tracking.store, str(tmp_path / "lambda.keras"))


def rewritten(saved, change):
    """The same file with another architecture."""
    with zipfile.ZipFile(saved) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = change(parts["config.json"])
    with zipfile.ZipFile(saved, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return str(saved)


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "system", "config": "true"},
        {"module": "evil.layers", "class_name": "Conv2D", "config": {}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "x"}},
        {"module": "keras.layers", "class_name": "Activation", "config": {"fn": {"class_name": "__lambda__"}}},
    ],
)
def test_what_keras_might_import_or_open_is_refused_before_it_does(tracking, saved, layer):
    def change(text):
        config = json.loads(text)
        config["config"]["layers"][1] = layer
        return json.dumps(config)

    with pytest.raises(RequestError, match=r"own layers|reads files"):
        load(tracking.store, rewritten(saved, change))


@pytest.mark.parametrize(
    ("plain", "foreign"),
    [
        (b'"class_name": "Conv2D"', b'"class_name": "Lambda"'),
        (b'"module": "keras.layers"', b'"module": "os"'),
        (b'"module": "keras.layers"', b'"module": "keras_hub.layers"'),
        (b'"linear"', b'{"class_name": "__lambda__", "config": {"value": "x"}}'),
    ],
)
def test_foreign_code_is_refused_before_it_is_imported(tracking, saved, plain, foreign):
    honest = saved.read_bytes()
    other = rewritten(saved, lambda text: text.replace(plain, foreign))
    assert saved.read_bytes() != honest
    with pytest.raises(RequestError, match="more than Keras's own layers"):
        load(tracking.store, other)


def test_damaged_files_are_named(tracking, saved):
    with pytest.raises(SrexpError, match="no Keras model file"):
        load(tracking.store, rewritten(saved, lambda text: text[:50]))


def test_layers_that_this_keras_does_not_know_are_told(tracking, saved):
    with pytest.raises(SrexpError, match="can't be loaded"):
        load(tracking.store, rewritten(saved, lambda text: text.replace(b"UpSampling2D", b"UpSampling9D")))


def test_a_model_of_something_else_is_refused(tracking, tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "table.keras")
    with pytest.raises(RequestError, match="takes no images"):
        load(tracking.store, str(tmp_path / "table.keras"))
