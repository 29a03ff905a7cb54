"""Models that are more than a network: what they bring along is neither run nor read, and bombs don't go off."""

import io
import json
import pickle
import random
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.system import confinement
from srexp.tracking.registry import registry, safe_keras_file
from srexp.tracking.registry.models import load
from srexp.tracking.registry.safe_keras_file import require_plain


@pytest.fixture(scope="module")
def network():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))


@pytest.fixture
def parts(network, tmp_path):
    """The members of a saved network."""
    network.save(tmp_path / "honest.keras")
    with zipfile.ZipFile(tmp_path / "honest.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, parts, kind=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return str(path)


def weights(change):
    file = io.BytesIO()
    with h5py.File(file, "w") as held:
        change(held.create_group("layers/conv2d/vars"))
    return file.getvalue()


ONE_GIB = 2**30


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


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
        with pytest.raises(RequestError, match="lie in another file"):
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


def claimed(group):
    """A GiB of nothing, in a file of some KiB."""
    group.create_dataset("0", (ONE_GIB // 4,), np.float32, chunks=(2**16,), compression="gzip", fillvalue=1.0)


def test_weights_that_would_fill_memory_are_refused(tracking, tmp_path, parts, grown):
    for kind, content in ((zipfile.ZIP_STORED, weights(claimed)), (zipfile.ZIP_DEFLATED, bytes(2**27))):
        path = packed(tmp_path / "bomb.keras", {**parts, "model.weights.h5": content}, kind)
        with pytest.raises(RequestError, match="is a bomb"):
            load(tracking.store, path)
    assert grown() < 400 * 2**20  # the test itself makes 128 MiB


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
    with pytest.raises(SrexpError, match="is not one Keras network"):
        load(tracking.store, uri)


def test_what_lies_beside_a_logged_network_is_not_run(tracking, logged):
    uri, folder = logged
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Bomb()))
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: evil_loader, code: code}}")
    assert load(tracking.store, uri).model.count_params() == 10
    (folder / "data" / "model.keras").write_bytes(b"PK no archive")
    with pytest.raises(SrexpError, match="no Keras model file"):
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
    ("most", "stored"), [(64 * 2**20, 1), (100 * 10**6, 10**6), (ONE_GIB, 10**8)], ids=["slack", "ratio", "largest"]
)
def test_how_much_weights_may_fill(most, stored):
    safe_keras_file._check_size(most, stored, "it")
    with pytest.raises(RequestError, match=f"at most {most} of {stored}"):
        safe_keras_file._check_size(most + 1, stored, "it")


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


def test_every_class_and_every_list_of_a_configuration_is_seen():
    inner = {"class_name": "B", "module": "m", "layers": [{"class_name": "C", "config": {"layers": [1, 2]}}, 3]}
    config = [{"class_name": "A", "config": inner}, {"module": "no class"}, "class_name", None]
    assert list(safe_keras_file._classes(config)) == [(None, "A"), ("m", "B"), (None, "C")]
    assert list(safe_keras_file._lengths(config)) == [("layers", 2), ("layers", 2)]
    assert list(safe_keras_file._lengths({"inbound_nodes": [[1]], "layers": []})) == [
        ("inbound_nodes", 1),
        ("layers", 0),
    ]


@pytest.mark.parametrize(
    ("name", "limited"), [("config.json", True), ("metadata.json", True), ("model.weights.h5", False)]
)
def test_how_long_a_configuration_may_be(name, limited):
    member = zipfile.ZipInfo(name)
    member.file_size = member.compress_size = 2**23
    safe_keras_file._check_members([member], "it")
    member.file_size += 1
    if limited:
        with pytest.raises(RequestError, match=rf"it is a bomb: {name} has 8,388,609 bytes"):
            safe_keras_file._check_members([member], "it")
    else:
        safe_keras_file._check_members([member], "it")
    member.file_size, member.compress_size = 2**26 + 1, 1
    with pytest.raises(RequestError, match=rf"it is a bomb: {name} would fill 67108865 bytes"):
        safe_keras_file._check_members([member], "it")


def test_what_weights_fill_is_counted_together(tmp_path, parts):
    """In this process, as above."""

    def halves(group):
        for name in "01":
            group.create_dataset(name, (2**25 // 4,), np.float32, chunks=(2**16,), compression="gzip", fillvalue=1.0)

    def more(group):
        halves(group)
        group.create_dataset("deeper/2", data=np.zeros(1, np.float32))

    safe_keras_file._check_weights(io.BytesIO(weights(halves)), 100, "it")
    with pytest.raises(RequestError, match=f"it is a bomb: its weights would fill {2**26 + 4} bytes"):
        safe_keras_file._check_weights(io.BytesIO(weights(more)), 100, "it")


def test_a_file_without_weights_is_left_to_keras(tmp_path, parts):
    path = packed(tmp_path / "bare.keras", {"config.json": parts["config.json"]})
    safe_keras_file.check(Path(path), "bare")
    with pytest.raises(SrexpError, match=r"bare is no Keras model file: .*config\.json"):
        safe_keras_file.check(Path(packed(tmp_path / "none.keras", {"metadata.json": b"{}"})), "bare")


@pytest.mark.parametrize(("key", "most"), [("layers", 1000), ("inbound_nodes", 2000)])
def test_how_many_layers_and_calls_are_built(key, most):
    halves = [[{}] * (most // 2)] * 2
    safe_keras_file._check_lengths([{key: half} for half in halves], "it")
    with pytest.raises(RequestError, match=f"{most + 1:,} {key}"):
        safe_keras_file._check_lengths([{key: half} for half in [*halves, [{}]]], "it")


def test_a_configuration_nested_deeper_than_python_recurses_is_refused(tracking, tmp_path, parts):
    for depth in (400, 100_000):
        config = '{"config": [' * depth + "]}" * depth
        with pytest.raises(SrexpError, match=r"is no Keras model file|can't be loaded"):
            load(tracking.store, packed(tmp_path / "deep.keras", {**parts, "config.json": config}))


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


LAYER = {"module": "keras.layers", "class_name": "ReLU", "config": {}, "inbound_nodes": [{"args": [], "kwargs": {}}]}
COSTLY = {
    "layers": json.dumps({"class_name": "Functional", "config": {"layers": [LAYER] * 1100}}),
    "nested": json.dumps({"config": {"layers": [{"config": {"layers": [LAYER] * 100}}] * 20}}),
    "calls": json.dumps({"config": {"layers": [{**LAYER, "inbound_nodes": [{"args": []}] * 2100}]}}),
    "bytes": json.dumps({"config": {"layers": [], "name": "a" * 9_000_000}}),
    "depth": "[" * 3_000_000 + "]" * 3_000_000,
}


@pytest.mark.parametrize("content", COSTLY.values(), ids=COSTLY)
def test_a_configuration_that_keras_would_take_long_to_build_is_refused(tmp_path, parts, content):
    path = packed(tmp_path / "costly.keras", {**parts, "config.json": content}, zipfile.ZIP_DEFLATED)
    started = time.monotonic()
    with pytest.raises(SrexpError, match="costly"):
        require_plain(Path(path), "costly.keras")
    assert time.monotonic() - started < 100


def test_weights_that_take_long_are_refused(tmp_path, parts, monkeypatch):
    """Groups without arrays are no bytes, and links make them many."""

    def many(group):
        for number in range(1_500):
            group.create_group(str(number))

    monkeypatch.setattr(confinement, "SECONDS", 0.05)
    path = packed(tmp_path / "slow.keras", {**parts, "model.weights.h5": weights(many)})
    with pytest.raises(RequestError, match=r"slow.keras takes more than 0.05 s"):
        require_plain(Path(path), "slow.keras")


def test_arrays_are_read_once_where_they_do_no_harm(tmp_path, parts):
    def damaged(group):
        group.create_dataset("0", data=np.random.default_rng(1).random((64, 64)), chunks=(64, 64), compression="gzip")

    content = bytearray(weights(damaged))
    at = content.index(b"\x78\x5e") if b"\x78\x5e" in content else content.index(b"\x78\x9c")
    content[at + 100 : at + 200] = bytes(100)
    path = packed(tmp_path / "damaged.keras", {**parts, "model.weights.h5": bytes(content)})
    with pytest.raises(SrexpError, match="no Keras model file"):
        require_plain(Path(path), "damaged.keras")
