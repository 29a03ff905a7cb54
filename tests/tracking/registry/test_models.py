"""Models found by every address and loaded; wrong addresses and foreign code refused."""

import hashlib
import json
import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.registry import models, registry
from srexp.tracking.registry.safe_keras_file import require_plain
from srexp.tracking.store import addresses
from srexp.tracking.store.addresses import Found
from srexp.tracking.store.store import connect, opened
from srexp.zoo import catalogue

NAME = "samples-bicubic-x2"
IMAGE = np.random.default_rng(0).random((1, 9, 14, 1), dtype=np.float32)
MANIFEST = [{"image": f"{n}.png", "split": split, "sha256": f"{n:064}"} for n, split in enumerate(["train", "test"])]


@pytest.fixture(scope="module")
def network():
    import keras

    image = keras.Input((None, None, 1))
    padded = keras.ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    hidden = keras.layers.Conv2D(3, 3, activation="relu")(padded)
    return keras.Model(image, keras.layers.UpSampling2D(2)(hidden), name="small")


@pytest.fixture
def logged(tracking, network):
    with tracking.run(NAME) as run:
        run.log_rows(MANIFEST, "data/manifest.csv")
        uri = registry.log_best(run, network, channels=1, step=3, metrics={"test_psnr": 33.0})
        registry.register(run, uri, NAME, tags={})
    return run.id, uri


@pytest.fixture
def file(tmp_path, network):
    network.save(tmp_path / "mine.keras")
    return tmp_path / "mine.keras"


def test_every_address_leads_to_the_same_network(tracking, logged, network, file):
    run_id, uri = logged
    known = [uri, f"models:/{NAME}/1", f"models:/{NAME}@candidate", f"runs:/{run_id}/model", f"runs:/{run_id}"]
    expected = np.asarray(network(IMAGE))
    for address in known:
        loaded = models.load(tracking.store, address)
        np.testing.assert_array_equal(loaded.model(IMAGE), expected)
        assert (loaded.found.address, loaded.found.run_id) == (uri, run_id)
    loaded = models.load(tracking.store, str(file))
    np.testing.assert_array_equal(loaded.model(IMAGE), expected)
    assert (loaded.found.model_id, loaded.found.run_id, loaded.found.path) == (None, None, file)
    assert len(loaded.sha256) == 64


def test_a_registered_model_has_its_name_and_version(tracking, logged):
    found = addresses.find(tracking.store, f"models:/{NAME}@candidate")
    assert (found.registered, found.version) == (NAME, 1)


def test_a_run_whose_model_was_deleted_is_still_a_run(tracking, logged):
    run_id, uri = logged
    connect(tracking.store).delete_logged_model(uri.removeprefix("models:/"))
    with pytest.raises(RequestError, match=f"a model that run {run_id} logged was deleted"):
        addresses.find(tracking.store, f"runs:/{run_id}")


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("address", "said", "mend"),
    [
        (f"models:/{NAME}@champion", "alias champion", f"models:/{NAME}@candidate"),
        (f"models:/{NAME}@candidat", "alias candidat", "did you mean candidate?"),
        (f"models:/{NAME}/7", "version=7", f"models:/{NAME}/1"),
        (f"models:/{NAME}/newest", "", f"models:/{NAME}/1"),
        ("models:/sample-bicubic-x2/1", "not found", f"did you mean {NAME}?"),
        ("models:/other@champion", "not found", f"there are {NAME}"),
        ("models:/m-0123", "m-0123", "srexp ui"),
        ("runs:/0123/model", "no run 0123", "srexp ui"),
        ("runs:/RUN/best", "no model best", "runs:/RUN/model"),
        ("bicubicc", "no address of a model", "did you mean bicubic?"),
        ("model.h5", "no address of a model", ""),
    ],
)
def test_wrong_addresses_are_refused_with_what_there_is(tracking, logged, address, said, mend):
    with pytest.raises(RequestError) as refused:
        addresses.find(tracking.store, address.replace("RUN", logged[0]), others=["bicubic"])
    assert said in refused.value.what
    assert mend.replace("RUN", logged[0]) in refused.value.fix


def test_a_file_that_is_not_there_is_refused_with_its_neighbour(tracking, file):
    with pytest.raises(RequestError, match=r"did you mean mine\.keras\?"):
        addresses.find(tracking.store, str(file.with_name("mein.keras")))


def test_what_is_asked_of_a_file_is_looked_at_before_it_is_loaded(tracking, file):
    digest = models.load(tracking.store, str(file)).digest
    assert digest == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    assert models.load(tracking.store, str(file), digest=digest).facts == {}
    with pytest.raises(RequestError, match=r"mine\.keras is not the model that require_digest names") as refused:
        models.load(tracking.store, str(file), digest=f"{digest[:-1]}x")
    assert (refused.value.got, refused.value.expected) == (digest, f"{digest[:-1]}x")
    with pytest.raises(RequestError, match=r"did you mean bicubic\?"):
        models.load(tracking.store, "bicubicc", others=["bicubic"])


def test_keras_is_asked_for_an_uncompiled_network_that_brings_no_code(file, monkeypatch):
    """Were what is looked at before to overlook a Lambda, Keras would refuse it, too."""
    import keras

    asked = []
    load_model = keras.saving.load_model
    monkeypatch.setattr(keras.saving, "load_model", lambda *of, **options: asked.append(options) or load_model(*of))
    models._opened(file, "it")
    assert asked == [{"compile": False, "safe_mode": True}]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ValueError("  one\ntwo"), "one"), (KeyError(), "KeyError"), (RuntimeError(" \n "), "RuntimeError")],
)
def test_what_keras_says_of_a_damaged_file_is_told_in_a_line(file, monkeypatch, error, reason):
    import keras

    def load_model(*_, **__):
        raise error

    monkeypatch.setattr(keras.saving, "load_model", load_model)
    with pytest.raises(SrexpError) as told:
        models._opened(file, "it")
    assert told.value.what == f"it can't be loaded: {reason}"


@pytest.mark.parametrize(
    ("shape", "taken"),
    [
        *(((None, 8, 8, channels), channels in (1, 3)) for channels in (1, 2, 3, 4)),
        ((None, 8, 3), False),
        ((None, 8, 8, 8, 3), False),
        ([(None, 8, 8, 1)] * 2, False),
        (None, False),
    ],
)
def test_a_network_takes_one_image_of_one_or_three_channels(file, monkeypatch, shape, taken):
    import keras

    model = SimpleNamespace(input_shape=shape)
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: model)
    if taken:
        assert models._opened(file, "it") is model
    else:
        with pytest.raises(RequestError, match="it takes no images"):
            models._opened(file, "it")


def test_what_is_known_of_a_model_comes_from_its_training_and_its_version(tracking, network):
    with tracking.run(NAME) as run:
        run.log_config({"model": {"name": "small"}}, "")
        uri = registry.log_best(run, network, channels=1, step=3, metrics={})
        registry.register(run, uri, NAME, tags={"gain_db": 0.5})
    of_training = models.facts(tracking.store, addresses.find(tracking.store, uri))
    assert of_training == {"model.name": "small"}
    of_version = models.facts(tracking.store, addresses.find(tracking.store, f"models:/{NAME}/1"))
    assert {**of_version, **of_training, "gain_db": "0.5"} == of_version
    assert models.facts(tracking.store, Found("file.keras")) == {}
    [(name, shipped), *_] = catalogue.shipped().items()
    assert models.facts(tracking.store, Found(name, shipped=shipped)) == shipped.card()["facts"]
    assert models.training_images(tracking.store, Found(name, shipped=shipped)) == shipped.seen()


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, ""),
        ({"detail": "invented"}, "invented"),
        ({"training._target_": "srexp.training.courses.supervised.build", "training.weight": "1"}, ""),
        ({"training._target_": "srexp.training.courses.adversarial.build"}, "invented"),
        ({"training._target_": "srexp.training.courses.adversarial.build", "training.weight": "0.255"}, "invented"),
        ({"training._target_": "srexp.training.courses.adversarial.build", "training.weight": "0.0"}, ""),
    ],
)
def test_detail_is_invented_by_whatever_was_trained_against_a_discriminator(known, said):
    assert models.detail(known) == said


def test_a_model_invents_by_the_tag_of_its_run_or_of_its_version(tracking, network):
    told = []
    for run_tags, version_tags in (({}, {}), ({"detail": "invented"}, {}), ({}, {"detail": "invented"})):
        with tracking.run(NAME, tags=run_tags) as run:
            uri = registry.log_best(run, network, channels=1, step=3, metrics={"test_psnr": 33.0})
            registry.register(run, uri, NAME, tags=version_tags)
        found = addresses.find(tracking.store, f"models:/{NAME}@candidate")
        told.append(models.invented(tracking.store, found))
    assert told == [False, True, True]


def test_a_manifest_without_digests_or_splits_tells_nothing(tracking):
    for number, column in enumerate(("sha256", "split")):
        with tracking.run(f"{NAME}-{number}") as run:
            run.log_rows([{column: "train"}], models.MANIFEST)
        assert models.training_images(tracking.store, Found("a", run_id=run.id)) is None


def test_a_store_that_can_not_be_reached_is_said(tracking, monkeypatch):
    asked = []

    def away(*of):
        asked.append(of)
        raise SrexpError("away")

    for name in ("opened", "translated"):
        monkeypatch.setattr(models, name, away)
    found = Found("models:/m-1", model_id="m-1")
    for ask in (lambda: models.facts(tracking.store, found), lambda: models._fetched(tracking.store, found, "", "")):
        with pytest.raises(SrexpError, match="away"):
            ask()
    reasons = ("models:/m-1 can't be looked up", "the files of models:/m-1 can't be read")
    assert asked == [(tracking.store, reason) for reason in reasons]


@pytest.mark.parametrize("content", [b"", b"no zip file", None])
def test_a_damaged_file_is_named(tracking, file, content):
    if content is None:
        with zipfile.ZipFile(file) as archive:
            config = archive.read("config.json")
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("config.json", config)
    else:
        file.write_bytes(content)
    with pytest.raises(SrexpError, match=r"mine\.keras"):
        models.load(tracking.store, str(file))


def test_training_images_come_from_the_manifest_of_the_run(tracking, logged):
    assert models.training_images(tracking.store, Found("a", run_id=logged[0])) == {f"{0:064}": "train"}
    with opened(tracking.store, "the run cannot be deleted") as client:
        client.delete_run(logged[0])
    assert models.training_images(tracking.store, Found("a", run_id=logged[0])) == {f"{0:064}": "train"}
    with tracking.run(NAME) as empty:
        pass
    assert models.training_images(tracking.store, Found("file.keras")) is None
    assert models.training_images(tracking.store, Found("b", run_id=empty.id)) is None


def test_nobody_knows_what_adopted_weights_were_trained_on(tracking):
    with tracking.run(NAME) as run:
        run.set_tags({models.ADOPTED: "f" * 64})
        run.log_rows([{"sha256": f"{0:064}", "split": "train"}], models.MANIFEST)
    assert models.training_images(tracking.store, Found("a", run_id=run.id)) is None


def test_images_that_the_weights_of_its_beginning_had_seen_are_seen_by_a_model_too(tracking):
    with tracking.run(NAME) as run:
        splits = {"a": "validation", "b": "test", "d": "validation"}
        run.log_rows([{"sha256": name, "split": split} for name, split in splits.items()], models.MANIFEST)
        run.log_rows([{"sha256": "a", "split": "train"}, {"sha256": "c", "split": "train"}], models.SEEN_BEFORE)
    known = {"a": "train", "c": "train", "d": "validation"}
    assert models.training_images(tracking.store, Found("a", run_id=run.id)) == known


def test_an_evaluation_appears_with_the_model(tracking, logged):
    client, model_id = connect(tracking.store), logged[1].removeprefix("models:/")
    with tracking.run("other-bicubic-x2") as run:
        models.link(run, model_id, {"evaluate_psnr": 30.5}, dataset="other/test", digest="ab12")
    (used,) = client.get_run(run.id).inputs.model_inputs
    assert used.model_id == model_id
    linked = {metric.key: metric for metric in client.get_logged_model(model_id).metrics}
    assert (linked["evaluate/psnr"].value, linked["evaluate/psnr"].run_id) == (30.5, run.id)
    assert (linked["evaluate/psnr"].dataset_name, linked["evaluate/psnr"].dataset_digest) == ("other/test", "ab12")
    assert linked["test/psnr"].value == 33.0  # what its training led to stays what it was


def test_a_configuration_of_our_own_networks_is_plain(tmp_path):
    from srexp.models import srcnn, vdsr

    for model in (srcnn.build(2, 1, kernels=[9, 5, 5], filters=[64, 32]), vdsr.build(3, 3, depth=3, width=8)):
        model.save(tmp_path / "ours.keras")
        require_plain(tmp_path / "ours.keras", "ours")
        with zipfile.ZipFile(tmp_path / "ours.keras") as archive:
            assert json.loads(archive.read("config.json"))["config"]["name"] == model.name


@pytest.mark.parametrize("hostile", [True, False])
def test_a_network_of_the_package_that_was_replaced_is_not_loaded(tracking, tmp_path, file, monkeypatch, hostile):
    """Neither one with code, which no card helps, nor an honest one of other weights: it has another's figures."""
    import keras

    [(name, shipped), *_] = catalogue.shipped().items()
    shutil.copytree(shipped.folder, tmp_path / "networks")
    replaced = catalogue.Shipped(name, tmp_path / "networks")
    monkeypatch.setattr(addresses, "shipped", lambda: {name: replaced})
    if hostile:
        image = keras.Input((None, None, 1))
        keras.Model(image, keras.layers.Lambda(lambda low: low)(image)).save(file)
    assert models.load(tracking.store, f"zoo/{name}").sha256 == shipped.card()["sha256"]
    shutil.copy(file, replaced.network)
    with pytest.raises(SrexpError, match="not the network that came with the package"):
        models.load(tracking.store, f"zoo/{name}")
