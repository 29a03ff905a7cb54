"""Models that are more than a network: what they bring along is neither run nor read."""

import io
import json
import pickle
import random
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.registry import registry, safe_keras_file
from srexp.tracking.registry.models import load
from tests.tracking.registry.keras_files import Bomb, packed, weights


@pytest.mark.parametrize("name", ["model.weights.npz", "assets/x.pkl", "../escaped.py", "code/evil.py"])
def test_other_members_are_refused(tracking, tmp_path, parts, name):
    path = packed(tmp_path / "more.keras", {**parts, name: pickle.dumps(Bomb())})
    with pytest.raises(RequestError, match="brings other files along"):
        load(tracking.store, path)


def test_two_configurations_are_refused(tracking, tmp_path, parts):
    path = tmp_path / "twice.keras"
    packed(path, parts)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("config.json", parts["config.json"])
    with pytest.raises(RequestError, match="once each"):
        load(tracking.store, str(path))


def test_weights_in_other_files_are_refused(tracking, tmp_path, parts):
    secret = tmp_path / "secret.raw"
    secret.write_bytes(np.arange(9, dtype=np.float32).tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["0"] = np.zeros((3, 3, 1, 1), np.float32)
    layout = h5py.VirtualLayout((3, 3, 1, 1), np.float32)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "0", (3, 3, 1, 1))
    external = [(str(secret), 0, 36)]
    for change in (
        lambda group: group.create_dataset("0", (3, 3, 1, 1), np.float32, external=external),
        lambda group: group.create_virtual_dataset("0", layout),
        lambda group: group.__setitem__("0", h5py.ExternalLink(str(tmp_path / "other.h5"), "/0")),
        lambda group: group.__setitem__("0", h5py.SoftLink("/elsewhere")),
    ):
        path = packed(tmp_path / "linked.keras", {**parts, "model.weights.h5": weights(change)})
        with pytest.raises(RequestError, match=r"linked\.keras has weights that lie in another file"):
            load(tracking.store, path)


def test_a_link_is_refused_whatever_it_leads_to(tmp_path):
    """In this process: the other's lines are counted by no tool."""
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["0"] = np.zeros(9, np.float32)
    for link in (h5py.SoftLink("0"), h5py.ExternalLink(str(tmp_path / "other.h5"), "/0")):

        def linked(group, link=link):
            group["0"] = np.zeros(9, np.float32)
            group["1"] = link

        with pytest.raises(RequestError, match=r"lie in another file(.|\n)*conv2d/vars/1"):
            safe_keras_file._check_weights(io.BytesIO(weights(linked)), 100, "it")


@pytest.mark.parametrize("name", ["eval", "exec", "breakpoint", "open"])
def test_functions_of_python_are_no_activations(tracking, tmp_path, parts, name):
    config = json.loads(parts["config.json"])
    function = {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    config["config"]["layers"][1]["config"]["activation"] = function
    with pytest.raises(SrexpError, match="can't be loaded"):
        load(tracking.store, packed(tmp_path / "named.keras", {**parts, "config.json": json.dumps(config)}))


def test_a_folder_of_mlflow_is_its_network_and_no_loader(tracking, tmp_path, parts, network):
    """MLflow itself would import the loader that MLmodel names, from the folder's own code."""
    folder = tmp_path / "folder"
    (folder / "data").mkdir(parents=True)
    (folder / "code").mkdir()
    (folder / "code" / "evil_loader.py").write_text("raise SystemExit('the loader was imported')")
    flavour = {"loader_module": "evil_loader", "code": "code", "data": "data", "python_version": "3.12.0"}
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"python_function": flavour}}))
    with pytest.raises(SrexpError):
        load(tracking.store, str(folder))
    packed(folder / "data" / "model.keras", parts)
    assert np.array_equal(load(tracking.store, str(folder)).model.get_weights()[0], network.get_weights()[0])
    assert "evil_loader" not in sys.modules


@pytest.fixture
def logged(tracking, network):
    with tracking.run("task") as run:
        uri = registry.log_best(run, network, channels=1, step=1, metrics={})
    [folder] = tracking.folder.glob("artifacts/models/*/artifacts")
    return uri, folder


@pytest.mark.parametrize("name", ["python_model.pkl", "model.h5", "saved_model.pb"])
def test_a_logged_model_of_another_kind_is_refused(tracking, logged, name):
    uri, folder = logged
    for file in folder.rglob("*.keras"):
        file.unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(SrexpError, match=f"{uri} in {folder} is not one Keras network"):
        load(tracking.store, uri)


def test_what_lies_beside_a_logged_network_is_not_run(tracking, logged):
    uri, folder = logged
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Bomb()))
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: evil_loader, code: code}}")
    assert load(tracking.store, uri).model.count_params() == 10
    (folder / "data" / "model.keras").write_bytes(b"PK no archive")
    with pytest.raises(SrexpError, match=f"{uri} in {folder} is no Keras model file"):
        load(tracking.store, uri)


def test_nothing_of_srexp_asks_keras_or_numpy_for_pickles():
    """What would turn the safeguards off is written nowhere."""
    found = subprocess.run(
        ["git", "grep", "-nE", r"safe_mode=False|enable_unsafe|allow_pickle=True|weights_only=False", "--", "srexp"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


@pytest.mark.parametrize("module", ["keras_evil.layers", "kerasevil", "keras-evil", "builtins_evil", "evil.keras", ""])
def test_a_package_that_begins_like_keras_is_not_keras(tracking, tmp_path, parts, module):
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1]["module"] = module
    with pytest.raises(RequestError, match="holds more than Keras's own layers"):
        load(tracking.store, packed(tmp_path / "named.keras", {**parts, "config.json": json.dumps(config)}))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"], "Keras's own layers"),
        (["StringLookup", "IntegerLookup", "TextVectorization"], "a layer that reads files"),
    ],
)
def test_keras_s_own_layers_that_run_or_read_what_a_file_brings_are_refused(tmp_path, parts, names, said):
    for name in names:
        config = json.loads(parts["config.json"])
        config["config"]["layers"][1]["config"]["inner"] = [{"module": "keras.layers", "class_name": name}]
        path = packed(tmp_path / "named.keras", {**parts, "config.json": json.dumps(config)})
        with pytest.raises(RequestError, match=said):
            safe_keras_file.check(Path(path), "named")


@pytest.mark.parametrize(
    ("module", "name", "config"),
    [
        ("keras", "layers.Lambda", {"function": "relu"}),
        ("keras.layers", "function", "Lambda"),
        ("keras", "function", "layers.TFSMLayer"),
        ("keras", "layers.StringLookup", {}),
        ("keras.src.layers.preprocessing.index_lookup", "IndexLookup", {}),
    ],
)
def test_no_way_of_naming_them_lets_them_in(tmp_path, parts, module, name, config):
    """Keras joins module and name, gives classes for functions, and imports its own modules."""
    network = json.loads(parts["config.json"])
    network["config"]["layers"].append({"module": module, "class_name": name, "config": config})
    path = packed(tmp_path / "named.keras", {**parts, "config.json": json.dumps(network)})
    with pytest.raises(RequestError, match=r"holds more than Keras's own layers|holds a layer that reads files"):
        safe_keras_file.check(Path(path), "named")


@pytest.mark.parametrize(
    ("module", "foreign"),
    [
        *((module, False) for module in (None, "keras", "keras.layers", "keras.src.layers.core", "builtins")),
        *((module, True) for module in ("", "os", "evil.keras", "kerasevil", "keras_evil.layers", "builtins_evil", 7)),
    ],
)
def test_classes_come_from_keras_alone(tmp_path, parts, module, foreign):
    config = json.loads(parts["config.json"])
    config["config"]["inner"] = {"deep": [[{"module": module, "class_name": "Any"}]]}
    path = Path(packed(tmp_path / "named.keras", {**parts, "config.json": json.dumps(config)}))
    if not foreign:
        safe_keras_file.check(path, "named")
        return
    with pytest.raises(RequestError, match="named holds more than Keras's own layers"):
        safe_keras_file.check(path, "named")


def test_every_class_and_every_call_of_a_configuration_is_seen():
    inner = {"class_name": "B", "module": "m", "layers": [{"class_name": "C", "config": {"layers": [1, 2]}}, 3]}
    config = [{"class_name": "A", "config": inner}, {"module": "no class"}, "class_name", None]
    assert list(safe_keras_file._classes(config)) == [(None, "A"), ("m", "B"), (None, "C")]
    assert sum(map(safe_keras_file._is_layer, safe_keras_file._classes(config))) == 3
    small = [("keras.initializers", "Zeros"), ("keras.src.regularizers.x", "L2"), ("keras", "DTypePolicy")]
    assert not any(map(safe_keras_file._is_layer, [*small, ("keras.src", "__keras_tensor__"), (None, "function")]))
    assert safe_keras_file._calls([{"inbound_nodes": [[1], {"inbound_nodes": [2, 3]}], "layers": [1]}, "x"]) == 4


def test_a_file_without_weights_is_left_to_keras(tmp_path, parts):
    path = packed(tmp_path / "bare.keras", {"config.json": parts["config.json"]})
    safe_keras_file.check(Path(path), "bare")
    with pytest.raises(SrexpError, match=r"bare is no Keras model file: .*config\.json"):
        safe_keras_file.check(Path(packed(tmp_path / "none.keras", {"metadata.json": b"{}"})), "bare")


def mutated(chance, content):
    """A file with some bytes changed, a stretch gone, doubled or zeroed, or its end cut off."""
    content, at = bytearray(content), chance.randrange(len(content))
    stretch = slice(at, at + chance.randrange(1, 64))
    match chance.randrange(5):
        case 0:
            for _ in range(chance.randrange(1, 9)):
                content[chance.randrange(len(content))] = chance.randrange(256)
        case 1:
            del content[stretch]
        case 2:
            content[at:at] = content[stretch]
        case 3:
            content[stretch] = bytes(len(content[stretch]))
        case _:
            del content[at:]
    return bytes(content)


@pytest.mark.parametrize("count", [pytest.param(25, id="some"), pytest.param(600, id="many", marks=pytest.mark.slow)])
def test_damaged_files_are_refused_by_name_or_load(tracking, tmp_path, parts, count):
    """The whole archive, and each member within an archive that is well."""
    chance = random.Random(17)
    for name in (None, *parts):
        for _ in range(count):
            path = tmp_path / "damaged.keras"
            packed(path, parts if name is None else {**parts, name: mutated(chance, parts[name])})
            if name is None:
                path.write_bytes(mutated(chance, path.read_bytes()))
            with suppress(SrexpError):
                load(tracking.store, str(path))
