"""A card is put together from what was measured, and has nothing of the machine that it was made on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from srexp.config.compose import compose
from srexp.errors import RequestError
from srexp.evaluation.cost import cost
from srexp.experiment.trained import shipping
from srexp.models import srcnn
from srexp.tracking.registry.models import MANIFEST
from srexp.tracking.registry.registry import log_best
from srexp.tracking.runs.queries import read_json
from srexp.tracking.runs.tracking import Tracking
from srexp.zoo.catalogue import Shipped, shipped

WORDS = dict.fromkeys((*shipping.WORDS, *shipping.OF_IMAGES), "somebody's own words")


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    """Give a store that each test adds to."""
    root = tmp_path_factory.mktemp("shipping")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SREXP_ROOT", str(root))
        yield Tracking(folder=root / "mlruns", system_metrics=False)


@pytest.fixture(scope="module")
def trained(tracking: Tracking) -> tuple[str, str]:
    """Give the address of a network in a store, and its digest."""
    with tracking.run("cxr-bicubic-x2") as run:
        run.log_config({"model": {"name": "srcnn"}, "dataset": {"intensity": "bits", "root": "/data/ann"}}, "")
        typed = [
            "model=srcnn",
            "dataset.root=/data/ann",
            "trainer.epochs=3",
            "paths.root=/data/ann/runs",
            "tags.by=ann",
        ]
        run.log_dict({"overrides": typed, "commit": "abc"}, "environment.json")
        run.log_rows([{"sha256": "1" * 64, "split": "train"}, {"sha256": "2" * 64, "split": "test"}], MANIFEST)
        network = srcnn.build(2, 1, kernels=[3, 1, 3], filters=[4, 4])
        uri = log_best(run, network, channels=1, step=1, metrics={})
    loaded = shipping.models.load(tracking.store, uri)
    return uri, loaded.digest


def evaluated(tracking: Tracking, digest: str, *typed: str, task: str = "cxr-bicubic-x2", **known: Any) -> Any:
    """Give what an evaluation leaves."""
    with tracking.run(task, tags={"verb": "evaluate"}) as run:
        run.log_dict({"overrides": ["model_uri=models:/m-1", *typed]}, "environment.json")
        run_id = run.id
    crop = next((int(each.rpartition("=")[2]) for each in typed if "test_size" in each), None)
    return {
        "run_id": run_id,
        "experiment_name": task,
        "model": {"digest": digest},
        "trained_on": {"train": 0, "validation": 0},
        "protocol": {"crop": crop},
        "test": {"n_images": 15, "psnr": 40.123, "ssim": 0.987654},
        "baseline": {"bicubic": {"psnr": 39.001, "ssim": 0.9}},
        "gain_db": 1.122,
        "gain_ci95": [0.9, 1.3],
        **known,
    }


def enough(tracking: Tracking, digest: str) -> list[Any]:
    own = ["+experiment=cxr_x2", "dataset.root=/data/ann", "split=test"]
    return [
        evaluated(tracking, digest, *own),
        evaluated(tracking, digest, *own, "trainer.test_size=512"),
        evaluated(tracking, digest, task="samples-bicubic-x2"),
        evaluated(tracking, digest, "dataset=folder", "dataset.root=../ct", task="ct-bicubic-x2"),
    ]


@pytest.fixture(autouse=True)
def known_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is a parameter of the training, which this one has not."""
    facts = shipping.facts
    monkeypatch.setattr(shipping, "facts", lambda *known: {**facts(*known), "task": "cxr-bicubic-x2"})


def test_a_network_is_shipped_with_its_card_and_what_it_saw(
    tracking: Tracking, trained: tuple[str, str], tmp_path: Path
) -> None:
    uri, digest = trained
    made = Shipped("srcnn-cxr-x2", tmp_path)
    assert shipping.ship(uri, made, enough(tracking, digest), WORDS) == made
    card = made.card()
    assert card["command"] == "python -m srexp model=srcnn dataset.root=FOLDER trainer.epochs=3"
    assert [score["part"] for score in card["scores"]] == [
        "whole images",
        "centre crops of 512 pixels",
        "whole images",
        "whole images",
    ]
    assert card["scores"][0]["gain_ci95"] == [0.9, 1.3]
    again = "python -m srexp evaluate model_uri=zoo/srcnn-cxr-x2"
    assert [score["command"] for score in card["scores"]] == [
        f"{again} +experiment=cxr_x2 dataset.root=FOLDER split=test",
        f"{again} +experiment=cxr_x2 dataset.root=FOLDER split=test trainer.test_size=512",
        again,
        f"{again} dataset=folder dataset.root=FOLDER",
    ]
    assert card["facts"]["dataset.intensity"] == "bits"
    assert card["facts"]["commit"] == "abc"
    assert "ann" not in json.dumps(card)
    assert made.seen() == {"1" * 64: "train"}
    size = cost(keras.saving.load_model(made.network))
    assert (size.parameters, round(size.multiply_adds)) == (card["weights"], card["multiply_adds_per_megapixel"])


def test_figures_of_another_model_are_refused(tracking: Tracking, trained: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="of another model"):
        shipping.ship(trained[0], Shipped("srcnn-cxr-x2", tmp_path), enough(tracking, "sha256:0"), WORDS)
    assert not list(tmp_path.glob("*.keras"))


def test_what_has_seen_nobody_knows_which_images_is_not_shipped(tracking: Tracking, tmp_path: Path) -> None:
    with tracking.run("cxr-bicubic-x2") as run:
        uri = log_best(run, srcnn.build(2, 1, kernels=[3, 1, 3], filters=[4, 4]), channels=1, step=1, metrics={})
    with pytest.raises(RequestError, match=f"it isn't known which images {uri} has seen"):
        shipping.ship(uri, Shipped("srcnn-cxr-x2", tmp_path), [], WORDS)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "flaw",
    [
        (0, {"gain_ci95": [-0.1, 0.3]}, "no gain over bicubic on cxr-bicubic-x2, whole images"),
        (1, {"gain_ci95": None}, "no gain over bicubic on cxr-bicubic-x2, centre crops of 512 pixels"),
        (1, {"protocol": {"crop": None}}, "no evaluation of its own task on the middle of the images"),
        (0, {"test": {"n_images": 14, "psnr": 40, "ssim": 0.9}}, "14 test images of cxr-bicubic-x2: 15 are asked for"),
        (3, {"gain_ci95": [-0.1, 0.3]}, "better than bicubic on fewer than 2 groups"),
        (3, {"gain_ci95": [-0.3, -0.1]}, "limits doesn't say where it is worse than bicubic"),
    ],
)
def test_what_is_not_good_enough_is_not_shipped(
    tracking: Tracking, trained: tuple[str, str], tmp_path: Path, flaw: tuple[int, dict[str, Any], str]
) -> None:
    (uri, digest), (place, change, said) = trained, flaw
    scored = enough(tracking, digest)
    scored[place] |= change
    with pytest.raises(RequestError, match=r"isn't shipped") as refused:
        shipping.ship(uri, Shipped("srcnn-cxr-x2", tmp_path), scored, WORDS)
    assert said in str(refused.value)
    assert not list(tmp_path.glob("*.keras"))


def test_figures_on_images_that_it_saw_are_refused(
    tracking: Tracking, trained: tuple[str, str], tmp_path: Path
) -> None:
    scored = enough(tracking, trained[1])
    scored[2]["trained_on"] = {"train": 0, "validation": 1}
    with pytest.raises(RequestError, match="samples-bicubic-x2 is of images that the model was trained on or chosen"):
        shipping.ship(trained[0], Shipped("srcnn-cxr-x2", tmp_path), scored, WORDS)


def test_limits_say_no_harm_that_no_evaluation_shows(
    tracking: Tracking, trained: tuple[str, str], tmp_path: Path
) -> None:
    words = {**WORDS, "limits": "On brain MR it is worse than bicubic."}
    with pytest.raises(RequestError, match="no evaluation shows"):
        shipping.ship(trained[0], Shipped("srcnn-cxr-x2", tmp_path), enough(tracking, trained[1]), words)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_network_is_as_good_as_is_promised(name: str) -> None:
    assert shipping.failings(shipped()[name].card()) == []


def test_words_on_the_images_are_those_of_a_network_that_was_trained_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["models:/cxr-bicubic-x4/1", "hybrid-cxr-x4", "--about", "a", "--limits", "b", "--machine", "c"]
    evaluate = ["--evaluate", "split=test", "--evaluate", "dataset=folder dataset.root='/a b'"]
    monkeypatch.setattr(
        sys, "argv", ["shipping", *typed, *evaluate, "--like", "hybrid-cxr-x2", "--images", "150 others"]
    )
    asked = shipping.asked()
    card = shipped()["hybrid-cxr-x2"].card()
    assert (asked.images, asked.licence, asked.source) == ("150 others", card["licence"], card["source"])
    assert asked.evaluate == ["split=test", "dataset=folder dataset.root='/a b'"]
    monkeypatch.setattr(sys, "argv", ["shipping", *typed])
    with pytest.raises(SystemExit):
        shipping.asked()


@pytest.mark.parametrize("network", shipped().values(), ids=lambda each: each.name)
@pytest.mark.slow
def test_the_commands_of_a_card_can_be_typed(network: Shipped) -> None:
    for score in network.card()["scores"]:
        python, dash_m, srexp, verb, *words = shipping.shlex.split(score["command"])
        assert (python, dash_m, srexp, verb) == ("python", "-m", "srexp", "evaluate")
        config, _ = compose("evaluate", words)
        assert (config.experiment_name, config.model_uri) == (score["task"], network.address)  # type: ignore[attr-defined]
        assert config.trainer.test_size == (512 if "512" in score["part"] else None)


@pytest.mark.system
@pytest.mark.slow
def test_an_evaluation_is_the_command_that_anybody_would_type(tracking: Tracking) -> None:
    result = shipping.evaluated("bicubic", ["trainer.test_size=48", "tracking.system_metrics=false"])
    assert (result["experiment_name"], result["gain_db"]) == ("samples-bicubic-x2", 0)
    environment = read_json(tracking.store, result["run_id"], "environment.json")
    assert environment
    assert "trainer.test_size=48" in environment["overrides"]
    with pytest.raises(RequestError, match="an evaluation failed"):
        shipping.evaluated("bicubic", ["nothing=1"])
