"""A training that begins from weights that are there, and what becomes known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.config.sections.base import Config
from srexp.errors import RequestError
from srexp.experiment import network, start
from srexp.experiment.task import Task
from srexp.tracking.registry import models
from srexp.tracking.runs.queries import get_run, read_rows
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.addresses import find
from srexp.tracking.store.store import connect
from srexp.zoo.catalogue import shipped

SMALL = ["model=srcnn", "model.kernels=[3,1,3]", "model.filters=[4,4]", "trainer.patch_size=32"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    return folder


def asked(root: Path, from_what: object, *more: str) -> Config:
    return srexp.compose(["dataset=folder", f"dataset.root={root}", *SMALL, f"trainer.start={from_what}", *more])


def saved(config: Config, path: Path) -> list[Any]:
    model = network.float32_network(config, 1)
    model.set_weights([np.full(each.shape, 0.25, each.dtype) for each in model.get_weights()])
    model.save(path)
    weights: list[Any] = model.get_weights()
    return weights


def test_the_weights_are_those_of_the_file(root: Path, tmp_path: Path) -> None:
    config = asked(root, tmp_path / "mine.keras")
    weights = saved(config, tmp_path / "mine.keras")
    fresh = network.float32_network(config, 1)
    start.begin(fresh, config)
    assert all(np.array_equal(*pair) for pair in zip(fresh.get_weights(), weights, strict=True))


def test_without_one_the_weights_stay_as_they_are(root: Path) -> None:
    config = asked(root, "null")
    fresh = network.float32_network(config, 1)
    before = fresh.get_weights()
    start.begin(fresh, config)
    assert all(np.array_equal(*pair) for pair in zip(fresh.get_weights(), before, strict=True))
    assert start.settled(config) is config
    assert not [finding for finding in Task(config).audit if finding.kind == "start"]


@pytest.mark.parametrize("more", [["model.filters=[4,8]"], ["model.kernels=[3,3,3]"], ["model=vdsr", "model.depth=3"]])
def test_weights_of_other_layers_are_refused(root: Path, tmp_path: Path, more: list[str]) -> None:
    saved(asked(root, "null"), tmp_path / "mine.keras")
    others = [word for word in (*SMALL, *more) if more[0] != "model=vdsr" or "model" not in word] + more
    config = srexp.compose(["dataset=folder", f"dataset.root={root}", *others, f"trainer.start={tmp_path}/mine.keras"])
    with pytest.raises(RequestError, match=r"mine\.keras don't fit"):
        start.begin(network.float32_network(config, 1), config)


def test_an_address_is_settled_before_anything_is_done(root: Path) -> None:
    assert start.settled(asked(root, "zoo/hybrid-cxr-x2")).trainer.start == "zoo/hybrid-cxr-x2"
    with pytest.raises(RequestError, match=r"no file nothing\.keras"):
        start.settled(asked(root, "nothing.keras"))


def test_test_images_that_the_weights_have_seen_are_a_leak(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = asked(root, "zoo/hybrid-cxr-x2")
    clean = Task(config)
    assert not [finding for finding in clean.audit if finding.kind == "start"]

    entry = clean.prepared.entries["test"][0]
    monkeypatch.setattr(type(next(iter(shipped().values()))), "seen", lambda _: {entry.sha256: "train"})
    [finding] = start.findings(config, clean.prepared)
    assert (finding.severity, finding.images) == ("warning", (entry.key,))
    with pytest.raises(RequestError, match="has seen 1 of the"):
        Task(asked(root, "zoo/hybrid-cxr-x2", "audit=strict"))


def test_weights_of_which_nothing_is_known_are_said_to_be_so(root: Path, tmp_path: Path) -> None:
    saved(asked(root, "null"), tmp_path / "mine.keras")
    config = asked(root, tmp_path / "mine.keras")
    [finding] = [each for each in Task(config).audit if each.kind == "start"]
    assert finding.severity == "note"
    assert "isn't known" in finding.message


@pytest.mark.system
@pytest.mark.slow
def test_a_training_goes_on_from_another_and_keeps_what_that_had_seen(root: Path, tmp_path: Path) -> None:
    """With a learning rate of next to nothing it ends where the other one ended."""
    quick = ["+debug=fast", "trainer.patch_size=32", "trainer.epochs=1", "trainer.steps_per_epoch=1"]
    words = ["dataset=folder", f"dataset.root={root}", *SMALL, *quick]
    first = srexp.run("train", words)
    second = srexp.run("train", [*words, f"trainer.start=runs:/{first['run_id']}", "optimizer.lr=1e-30"])
    store = Tracking(folder=tmp_path / "project" / "mlruns").store
    weights = [models.load(store, each["model_uri"]).model.get_weights() for each in (first, second)]
    assert all(np.allclose(*pair) for pair in zip(*weights, strict=True))
    assert get_run(store, second["run_id"]).tags["start"] == first["model_uri"]
    seen = models.training_images(store, find(store, first["model_uri"]))
    assert {row["sha256"]: row["split"] for row in read_rows(store, second["run_id"], models.SEEN_BEFORE)} == seen
    assert not any("invented" in warning for warning in second["warnings"])

    # As of an adversarial training: what it invents isn't forgotten by whoever goes on with it.
    connect(store).set_tag(first["run_id"], "detail", "invented")
    third = srexp.run("train", [*words, f"trainer.start={first['model_uri']}"])
    assert get_run(store, third["run_id"]).tags["detail"] == "invented"
    assert connect(store).get_model_version(third["registered"]["name"], "3").tags["detail"] == "invented"
    assert any("detail is invented" in warning for warning in third["warnings"])
