"""Trials share decoded data where it is the same, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.errors import RequestError
from srexp.experiment.task import Task


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task")
    for number in range(10):
        noise = np.random.default_rng(number).integers(0, 256, (64, 64), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def arguments(root: Path) -> list[str]:
    return ["dataset=folder", f"dataset.root={root}", "trainer.patch_size=32"]


@pytest.fixture(scope="module")
def first(root: Path, arguments: list[str]) -> Task:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SREXP_ROOT", str(root))
        return Task(srexp.compose(arguments))


@pytest.fixture(autouse=True)
def _own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))


@pytest.mark.parametrize(
    "change",
    [[], ["model=vdsr"], ["optimizer.lr=1"], ["trainer.patch_size=64"], ["trainer.patch_size=16"], ["loss=l1"]],
    ids=" ".join,
)
def test_the_same_data_is_decoded_once(arguments: list[str], first: Task, change: list[str]) -> None:
    second = Task(srexp.compose([*arguments, *change]), like=first)
    assert second.prepared is first.prepared
    assert second.audit is first.audit
    assert second.sampler().batch(0, 0)[1].shape[1] == second.config.trainer.patch_size


@pytest.mark.parametrize(
    "change", [["seed=2"], ["scale=4"], ["degradation=noise"], ["protocol=y"], ["dataset.limit=5"]], ids=" ".join
)
def test_other_data_is_prepared_anew(arguments: list[str], first: Task, change: list[str]) -> None:
    assert Task(srexp.compose([*arguments, *change]), like=first).prepared is not first.prepared


def test_a_patch_without_room_is_refused_as_ever(arguments: list[str], first: Task) -> None:
    with pytest.raises(RequestError, match="smaller than a patch"):
        Task(srexp.compose([*arguments, "trainer.patch_size=66"]), like=first)


def blank(folder: Path) -> list[str]:
    folder.mkdir()
    for number in range(10):
        Image.fromarray(np.full((64, 64), 20 * number, np.uint8)).save(folder / f"{number}.png")
    return ["dataset=folder", f"dataset.root={folder}", "trainer.patch_size=32"]


def test_validation_images_of_one_value_each_are_refused(tmp_path: Path) -> None:
    task = Task(srexp.compose(blank(tmp_path / "images")))
    with pytest.raises(
        RequestError,
        match=r"best epoch can't be chosen[\s\S]*crops of 256 pixels with one value each, of image-[0-9a-f]{12}",
    ):
        task.require_choice()
    assert len(list(task.validation_samples())) == 1


def test_one_validation_image_with_a_structure_is_enough(first: Task, tmp_path: Path) -> None:
    first.require_choice()
    config = srexp.compose([*blank(tmp_path / "images"), "dataset.fractions=[0.3,0.5,0.2]"])
    last = Task(config).prepared.entries["validation"][-1].item.key
    Image.fromarray(np.eye(64, dtype=np.uint8) * 255).save(tmp_path / "images" / last)
    Task(config).require_choice()
