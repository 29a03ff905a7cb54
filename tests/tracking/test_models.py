"""Models come back by every address, and what may run code doesn't."""

import json
import pickle
import zipfile

import keras
import numpy as np
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking import registry
from srexp.tracking.models import load

NAME = "samples-bicubic-x2"


@pytest.fixture(scope="module")
def network():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(keras.layers.UpSampling2D(2)(image)))


@pytest.fixture
def run(tracking, network):
    with tracking.run(NAME) as run:
        run.log_config({"dataset": {"intensity": "window"}}, "")
        uri = registry.log_best(run, network, channels=1, step=1, metrics={})
        registry.register(run, uri, NAME, tags={"psnr": 33.5})
        yield run, uri


@pytest.fixture
def saved(network, tmp_path):
    path = tmp_path / "mine.keras"
    network.save(path)
    return path


def same(model, network):
    return all(np.array_equal(*pair) for pair in zip(model.get_weights(), network.get_weights(), strict=True))


def test_every_address_leads_to_the_same_model(tracking, run, network):
    run, logged = run
    by_version = load(tracking.store, f"models:/{NAME}@candidate")
    for uri in (logged, f"models:/{NAME}/1", f"runs:/{run.id}", f"runs:/{run.id}/model"):
        loaded = load(tracking.store, uri)
        assert (loaded.address, loaded.sha256) == (logged, by_version.sha256)
        assert loaded.facts["dataset.intensity"] == "window"
        assert same(loaded.model, network)
    assert (by_version.name, by_version.version, by_version.label) == (NAME, 1, f"{NAME} version 1")
    assert by_version.facts["psnr"] == "33.5"
    assert not by_version.model.compiled


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
    assert load(NoStore(), str(saved)).label == "mine.keras"


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        (f"models:/{NAME}@champion", f"models:/{NAME}@candidate"),
        (f"models:/{NAME}/7", f"models:/{NAME}/1"),
        (f"models:/{NAME}", f"models:/{NAME}@candidate"),
        ("models:/samples-bicubic-x3@candidate", f"did you mean {NAME}?"),
        (NAME, f"models:/{NAME}@candidate"),
        ("bicubc", "did you mean bicubic?"),
        ("models:/m-00000000000000000000000000000000", f"registered: {NAME}"),
        ("runs:/00000000000000000000000000000000", f"registered: {NAME}"),
        ("models:/", "models:/NAME@ALIAS"),
        ("no/such/file.keras", "the path of a .keras file"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(tracking, run, uri, told):
    with pytest.raises(RequestError) as refused:
        load(tracking.store, uri)
    assert told in str(refused.value)
    assert uri in str(refused.value)


def test_a_run_without_a_model_is_told(tracking):
    with tracking.run("other") as run:
        pass
    with pytest.raises(RequestError, match="has no model"):
        load(tracking.store, f"runs:/{run.id}")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def test_pickles_and_other_files_are_refused(tracking, tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    for name in ("model.pkl", "model.h5", "saved"):
        with pytest.raises(RequestError, match="may run code"):
            load(tracking.store, str(tmp_path / name))


def test_a_lambda_is_refused(tracking, tmp_path):
    image = keras.Input((None, None, 1))
    keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(image)).save(tmp_path / "lambda.keras")
    with pytest.raises(RequestError, match="code of its own"):
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

    with pytest.raises(RequestError, match="never run"):
        load(tracking.store, rewritten(saved, change))


def test_damaged_files_are_named(tracking, saved):
    with pytest.raises(RequestError, match="damaged"):
        load(tracking.store, rewritten(saved, lambda text: text[:50]))


def test_layers_that_this_keras_does_not_know_are_told(tracking, saved):
    with pytest.raises(SrexpError, match="can't be loaded"):
        load(tracking.store, rewritten(saved, lambda text: text.replace(b"UpSampling2D", b"UpSampling9D")))


def test_a_model_of_something_else_is_refused(tracking, tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "table.keras")
    with pytest.raises(RequestError, match="takes no images"):
        load(tracking.store, str(tmp_path / "table.keras"))
