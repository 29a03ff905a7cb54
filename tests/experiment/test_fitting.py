"""Validation puts networks in the order of their error, on any images, and takes no other images than its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.data.image import Stored
from srexp.data.sources.source import Entry
from srexp.experiment import fitting
from srexp.experiment.fitting import validation
from srexp.experiment.task import Task


def levels_off(off: int, off_where_black: int) -> keras.Model:
    """Restore by bicubic interpolation of what is there, so many levels too bright, and otherwise where it is black."""
    low = keras.Input((None, None, 1))
    bicubic = keras.layers.UpSampling2D(2, interpolation="bicubic")(low)
    bright = keras.layers.GlobalMaxPooling2D(keepdims=True)(low)
    black = keras.layers.ReLU(max_value=1.0)(keras.layers.Rescaling(-1e6, offset=1.0)(bright))
    added = keras.layers.Rescaling((off_where_black - off) / 255, offset=off / 255)(black)
    return keras.Model(low, keras.layers.Add()([bicubic, added]))


ASKED = ["trainer.patch_size=32", "dataset.fractions=[0.2,0.6,0.2]"]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Give a task with waves, which bicubic nearly restores, and black images among those of its validation."""
    root = tmp_path_factory.mktemp("slices")
    waves = 120 + 60 * np.sin(np.add.outer(np.arange(64), np.arange(64)) / 2)
    for number in range(10):
        image = waves + number if number % 2 else np.zeros((64, 64))
        Image.fromarray(image.astype(np.uint8)).save(root / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SREXP_ROOT", str(root.parent / "project"))
        return Task(srexp.compose(["dataset=folder", f"dataset.root={root}", *ASKED]))


def test_the_images_are_those_that_the_test_is_about(task: Task) -> None:
    peaks = sorted(float(sample.high.max()) for sample in task.validation_samples())
    assert peaks[0] == 0 < peaks[-1]


@pytest.mark.slow
def test_networks_are_in_the_order_of_their_error(task: Task) -> None:
    networks = [(0, 0), (1, 0), (1, 1), (3, 0), (3, 1), (3, 3), (6, 0), (6, 1), (6, 3)]
    found = [validation(levels_off(*each), task)[0]()["val_psnr"] for each in networks]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


def test_bicubic_is_as_good_as_itself(task: Task) -> None:
    validate, bicubic = validation(levels_off(0, 0), task)
    assert validate()["val_psnr"] == pytest.approx(bicubic)


def test_images_of_the_other_splits_have_no_say(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    prepared = task.prepared

    def noted(entry: Entry) -> Stored:
        read.append(entry.key)
        return prepared.read(entry)

    monkeypatch.setattr(task, "prepared", SimpleNamespace(entries=prepared.entries, read=noted))
    validation(levels_off(0, 0), task)[0]()
    assert set(read) == {entry.key for entry in prepared.entries["validation"]}


@pytest.mark.parametrize("best", [1, 2])
def test_the_network_that_is_scored_has_the_weights_of_the_best_epoch(
    task: Task, best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[np.ndarray]] = []

    def scripted(model: keras.Model, _: Task) -> Any:
        def validate() -> dict[str, float]:
            seen.append([weights.copy() for weights in model.get_weights()])
            return {"val_psnr": 40.0 if len(seen) == best else 30.0, "val_ssim": 0.9}

        return validate, 20.0

    monkeypatch.setattr(fitting, "validation", scripted)
    small = ["model=srcnn", "model.filters=[4,3]", "trainer.epochs=3", "trainer.steps_per_epoch=2"]
    other = Task(
        srexp.compose([*asked(task), *small, "trainer.batch_size=2", "trainer.patches_per_image=1"]), like=task
    )
    tracked = SimpleNamespace(set_tags=lambda _: None, log_metrics=lambda *_, **__: None)
    model, fitted = fitting.fit_network(other, tracked)  # type: ignore[arg-type]
    assert fitted.best_epoch == best
    assert [all(map(np.array_equal, model.get_weights(), weights)) for weights in seen] == [
        epoch == best for epoch in (1, 2, 3)
    ]


def asked(task: Task) -> list[str]:
    return ["dataset=folder", f"dataset.root={task.config.dataset.root}", *ASKED]
