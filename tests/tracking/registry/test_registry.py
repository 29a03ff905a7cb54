"""A small network of Keras's own layers, logged, checked, registered, and loaded where srexp isn't."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import numpy as np
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.registry import registry
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect

PROBE = np.random.default_rng(0).random((1, 21, 34, 1), dtype=np.float32)

STRANGER = """
import json, sys
sys.modules["srexp"] = None  # whoever imports it fails
import mlflow, numpy as np

mlflow.set_tracking_uri(sys.argv[1])
keras_model = mlflow.keras.load_model(sys.argv[2])
pyfunc = mlflow.pyfunc.load_model(sys.argv[2])
images = [np.full((n, h, w, 1), 0.5, np.float32) for n, h, w in ((1, 48, 40), (2, 7, 64), (1, 33, 33))]
shapes = [pyfunc.predict(image).shape for image in images]
probe = np.load(sys.argv[3])
same = np.abs(pyfunc.predict(probe) - np.asarray(keras_model(probe))).max()
np.save(sys.argv[4], pyfunc.predict(probe))
print(json.dumps({"shapes": shapes, "same": float(same)}))
"""


@pytest.fixture(scope="module")
def network():
    import keras

    image = keras.Input((None, None, 1))
    enlarged = keras.layers.UpSampling2D(2)(image)
    residual = keras.layers.Conv2D(1, 3, padding="same")(keras.layers.Conv2D(4, 3, padding="same")(enlarged))
    return keras.Model(image, keras.layers.Add()([enlarged, residual]))


@pytest.fixture
def logged(tracking: Tracking, network):
    with tracking.run("samples-bicubic-x2") as run:
        run.log_config({"model": {"name": "small"}}, "")
        figures = {"best_val_psnr": 33.5, "test_psnr": 33.0}
        yield run, registry.log_best(run, network, channels=1, step=7, metrics=figures)


def test_the_model_is_linked_to_its_run_and_its_figures(tracking, logged):
    run, uri = logged
    client = connect(tracking.store)
    model = client.get_logged_model(uri.removeprefix("models:/"))
    assert str(model.status) == "READY"
    assert model.source_run_id == run.id
    assert model.params == {"model.name": "small"}
    assert {metric.key: (metric.value, metric.step) for metric in model.metrics} == {
        "val/best_psnr": (33.5, 7),
        "test/psnr": (33.0, 7),
    }
    kept = client.get_run(run.id)
    assert kept.data.metrics == {"val/best_psnr": 33.5, "test/psnr": 33.0}
    (output,) = kept.outputs.model_outputs
    assert (output.model_id, output.step) == (model.model_id, 7)
    (found,) = client.search_logged_models(
        [run.experiment], "metrics.`test/psnr` > 32", order_by=[{"field_name": "metrics.test/psnr", "ascending": False}]
    )
    assert found.model_id == model.model_id


def test_the_signature_takes_any_size_and_the_requirements_are_exact(tracking, logged):
    import keras
    from mlflow.models import get_model_info

    from srexp.tracking.store.store import selected

    with selected(tracking.store.uri):
        info = get_model_info(logged[1])
    (tensor,) = info.signature.inputs.inputs
    assert (tensor.shape, tensor.type) == ((-1, -1, -1, 1), np.dtype(np.float32))
    needed = registry.requirements()
    assert all("==" in requirement for requirement in needed)
    assert f"keras=={keras.__version__}" in needed
    assert needed[0].startswith("tensorflow")


def test_a_network_that_was_logged_before_an_interruption_only_gets_its_figures():
    noted = []
    run = SimpleNamespace(
        already=SimpleNamespace(model_uri="models:/m-1"), log_metrics=lambda *of, **options: noted.append((of, options))
    )
    assert registry.log_best(run, None, channels=1, step=7, metrics={"test_psnr": 33.0}) == "models:/m-1"
    assert noted == [(({"test_psnr": 33.0},), {"step": 7})]


@pytest.mark.parametrize("tensorflow", ["tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly", None])
def test_tensorflow_is_required_by_the_name_that_it_is_installed_by(monkeypatch, tensorflow):
    there = {"keras": "1", "numpy": "2", "h5py": "3", tensorflow: "4"}

    def version(name):
        if name not in there:
            raise PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(registry.importlib.metadata, "version", version)
    if tensorflow:
        assert registry.requirements() == [f"{tensorflow}==4", "keras==1", "numpy==2", "h5py==3"]
    else:
        with pytest.raises(SrexpError, match="no package provides TensorFlow"):
            registry.requirements()


def test_how_far_a_network_that_comes_back_may_differ():
    logged = np.array([[0.25, 0.5]])
    for shift in (0.0, 1e-5, -1e-5):
        assert registry._difference("it", np.array([[0.0, shift]]), np.zeros((1, 2))) == abs(shift)
    for shift in (1.1e-5, -1.1e-5, np.nan, np.inf):
        with pytest.raises(SrexpError, match="it came back different"):
            registry._difference("it", logged + np.array([0, shift]), logged)
    with pytest.raises(SrexpError, match="it came back with another shape"):
        registry._difference("it", logged, logged[:, :1])


def test_while_the_store_is_away_there_is_no_version():
    run = SimpleNamespace(register=lambda *_, **__: None)
    assert registry.register(run, "models:/m-1", "task", tags={}) is None


def test_what_comes_back_is_compared_with_what_was_logged(logged, network):
    run, uri = logged
    assert registry.verify(run, uri, network, PROBE) <= 1e-5
    weights = network.get_weights()
    try:
        network.set_weights([weight + 0.1 for weight in weights])
        with pytest.raises(SrexpError, match="came back different"):
            registry.verify(run, uri, network, PROBE)
    finally:
        network.set_weights(weights)


@pytest.mark.parametrize("away", [True, False])
def test_a_store_that_goes_away_after_it_took_the_model_leaves_what_was_packed(
    logged, network, monkeypatch, away: bool
):
    """One that answers, and hasn't got the model, is no reason to look elsewhere."""
    from mlflow import pyfunc
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import OperationalError

    run, uri = logged
    load, asked = pyfunc.load_model, []

    def load_model(address):
        asked.append(address)
        if address == uri:
            raise OperationalError("", {}, OSError()) if away else MlflowException("no such model", 1004)
        return load(address)

    monkeypatch.setattr(pyfunc, "load_model", load_model)
    if away:
        assert registry.verify(run, uri, network, PROBE) <= 1e-5
        assert asked == [uri, str(run.journal.folder / "model")]
    else:
        with pytest.raises(SrexpError, match=f"{uri} can't be loaded back"):
            registry.verify(run, uri, network, PROBE)
        assert asked == [uri]


def test_a_layer_that_a_stranger_has_not_got_is_found_before_registering(tracking, network):
    import keras

    class OwnLayer(keras.layers.Layer):
        def call(self, images):
            return images * 2

    image = keras.Input((None, None, 1))
    with tracking.run("x") as run:
        uri = registry.log_best(run, keras.Model(image, OwnLayer()(image)), channels=1, step=1, metrics={})
        with pytest.raises(SrexpError, match="can't be used"):
            registry.verify(run, uri, network, PROBE)


def test_a_network_of_one_size_only_is_found_before_registering(tracking):
    import keras

    image = keras.Input((None, None, 1))
    fixed = keras.Model(image, keras.ops.reshape(image, (-1, *PROBE.shape[1:])))
    with tracking.run("x") as run:
        uri = registry.log_best(run, fixed, channels=1, step=1, metrics={})
        with pytest.raises(SrexpError, match="any size"):
            registry.verify(run, uri, fixed, PROBE)


def test_versions_count_and_the_alias_follows_the_newest(tracking, logged):
    run, uri = logged
    name = "samples-bicubic-x2"
    tags = {"psnr": 33.0, "gain_db": 0.4, "protocol": {"shave": 2}, "degenerate": False}
    assert registry.register(run, uri, name, tags=tags) == {"name": name, "version": 1, "alias": "candidate"}
    assert registry.register(run, uri, name, tags=tags)["version"] == 2
    client = connect(tracking.store)
    version = client.get_model_version_by_alias(name, "candidate")
    assert int(version.version) == 2
    assert version.run_id == run.id
    assert re.fullmatch("sha256:[0-9a-f]{64}", version.tags["digest"])
    assert {key: value for key, value in version.tags.items() if key != "digest"} == {
        "run_id": run.id,
        "psnr": "33.0",
        "gain_db": "0.4",
        "protocol": '{"shave": 2}',
        "degenerate": "false",
        "srexp.journal": version.tags["srexp.journal"],
    }
    versions = json.loads(client.get_logged_model(uri.removeprefix("models:/")).tags["mlflow.modelVersions"])
    assert versions == [{"name": name, "version": "1"}, {"name": name, "version": "2"}]


@pytest.mark.parametrize("name", ["a/b", "a:b", " "])
def test_a_name_that_mlflow_refuses_is_refused_first(logged, name):
    run, uri = logged
    with pytest.raises(RequestError, match="name"):
        registry.register(run, uri, name, tags={})


@pytest.mark.slow
@pytest.mark.system
def test_a_stranger_loads_it_without_srexp_and_feeds_it_any_size(tracking, logged, network, tmp_path):
    run, uri = logged
    registry.register(run, uri, "samples-bicubic-x2", tags={})
    np.save(tmp_path / "probe.npy", PROBE)
    stranger = [sys.executable, "-c", STRANGER, tracking.store.uri, "models:/samples-bicubic-x2@candidate"]
    done = subprocess.run(
        [*stranger, tmp_path / "probe.npy", tmp_path / "restored.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "shapes": [[1, 96, 80, 1], [2, 14, 128, 1], [1, 66, 66, 1]],
        "same": 0.0,
    }
    np.testing.assert_allclose(np.load(tmp_path / "restored.npy"), network.predict(PROBE, verbose=0), atol=1e-5)


def test_nothing_is_said_on_the_terminal(logged, network, capfd):
    run, uri = logged
    registry.verify(run, uri, network, PROBE)
    registry.register(run, uri, "quiet", tags={})
    assert capfd.readouterr() == ("", "")
