"""A card is put together from what was measured, and has nothing of the machine that it was made on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest

from srexp.errors import RequestError
from srexp.evaluation.cost import parameters
from srexp.experiment import shipping
from srexp.models import srcnn
from srexp.tracking.registry.models import MANIFEST
from srexp.tracking.registry.registry import log_best
from srexp.tracking.runs.tracking import Tracking
from srexp.zoo.catalogue import Shipped

WORDS = dict.fromkeys(("about", "images", "licence", "source", "limits", "machine"), "somebody's own words")


def result(digest: str, crop: int | None = None) -> dict[str, Any]:
    return {
        "experiment_name": "cxr-bicubic-x2",
        "model": {"digest": digest},
        "protocol": {"crop": crop},
        "test": {"n_images": 15, "psnr": 40.123, "ssim": 0.987654},
        "baseline": {"bicubic": {"psnr": 39.001, "ssim": 0.9}},
        "gain_db": 1.122,
        "gain_ci95": [0.9, 1.3],
    }


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Give the address of a network in a store, and its digest."""
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    tracking = Tracking(folder=tmp_path / "mlruns")
    with tracking.run("cxr-bicubic-x2") as run:
        run.log_config({"model": {"name": "srcnn"}, "dataset": {"intensity": "bits", "root": "/data/ann"}}, "")
        typed = ["model=srcnn", "dataset.root=/data/ann", "trainer.epochs=3"]
        run.log_dict({"overrides": typed, "commit": "abc"}, "environment.json")
        run.log_rows([{"sha256": "1" * 64, "split": "train"}, {"sha256": "2" * 64, "split": "test"}], MANIFEST)
        network = srcnn.build(2, 1, kernels=[3, 1, 3], filters=[4, 4])
        uri = log_best(run, network, channels=1, step=1, metrics={})
    loaded = shipping.models.load(tracking.store, uri)
    return uri, loaded.digest


def test_a_network_is_shipped_with_its_card_and_what_it_saw(trained: tuple[str, str], tmp_path: Path) -> None:
    uri, digest = trained
    scored = [tmp_path / "whole.json", tmp_path / "middle.json"]
    for path, crop in zip(scored, (None, 512), strict=True):
        path.write_text(json.dumps(result(digest, crop)))
    made = Shipped("srcnn-cxr-x2", tmp_path)
    assert shipping.ship(uri, made, scored, WORDS) == made
    card = made.card()
    assert card["command"] == "python -m srexp model=srcnn dataset.root=FOLDER trainer.epochs=3"
    assert [score["part"] for score in card["scores"]] == ["whole images", "centre crops of 512 pixels"]
    assert card["scores"][0]["gain_ci95"] == [0.9, 1.3]
    assert card["facts"]["dataset.intensity"] == "bits"
    assert card["facts"]["commit"] == "abc"
    assert "ann" not in json.dumps(card)
    assert made.seen() == {"1" * 64: "train"}
    assert parameters(keras.saving.load_model(made.network)) == card["weights"]


def test_figures_of_another_model_are_refused(trained: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "whole.json"
    path.write_text(json.dumps(result("sha256:0")))
    with pytest.raises(RequestError, match="of another model"):
        shipping.ship(trained[0], Shipped("srcnn-cxr-x2", tmp_path), [path], WORDS)
    assert not list(tmp_path.glob("*.keras"))
