"""Pictures and counts of a data set, as `data` shows them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

import srexp
from srexp.data.audit.audit import facts
from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources.folder import Folder
from srexp.experiment.dataset_report import degradation_figure, split_summary, write_overview


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Twelve images of twelve patients."""
    root = tmp_path / "images"
    root.mkdir()
    for number in range(12):
        noise = gaussian_filter(np.random.default_rng(number).standard_normal((128, 128)), 3)
        Image.fromarray(np.uint8(np.clip(128 + 400 * noise, 0, 255))).save(root / f"{number:02d}.png")
    return prepare(Folder("f", str(root)), Preparation(seed=1, channel="grey", scale=2, patch_size=48, facts=facts))


def test_a_split_is_counted_without_naming_patients(prepared: Prepared) -> None:
    summary = split_summary(prepared.entries["train"])
    images = len(prepared.entries["train"])
    assert (summary["images"], summary["patients"], summary["bits"]) == (images, images, {"8": images})
    assert summary["smallest"] == summary["largest"] == [128, 128]
    assert 0 < summary["fill"]["least"] <= summary["fill"]["median"] <= summary["fill"]["most"] <= 1
    empty = split_summary([])
    assert (empty["images"], empty["smallest"], empty["fill"]) == (0, None, None)


def test_files_are_written_under_the_names_that_are_told(prepared: Prepared, tmp_path: Path) -> None:
    names = write_overview(tmp_path, prepared, [], "f")
    assert names == ["manifest.csv", "contact_sheet.png", "histograms.png"]
    assert all((tmp_path / name).stat().st_size for name in names)
    assert len((tmp_path / "manifest.csv").read_text().splitlines()) == 13


def test_every_degradation_is_drawn_with_the_chosen_one_as_configured(prepared: Prepared, tmp_path: Path) -> None:
    request = ["dataset=folder", f"dataset.root={tmp_path}", "degradation=noise", "degradation.photons=50"]
    config = dataclasses.replace(srexp.compose(request, verb="data"), run_dir=tmp_path)
    figure = degradation_figure(config, prepared)
    captions = {text.get_text() for text in figure.texts}
    assert {"target", "bicubic", "blur", "identity", "noise, chosen", "xray"} <= captions
    pictures = {text.get_text(): axes.images[0] for text, axes in zip(figure.texts[1:], figure.axes, strict=False)}
    assert np.array_equal(pictures["identity"].get_array(), pictures["target"].get_array())
    assert len({picture.get_clim() for picture in pictures.values()}) == 1
    side = pictures["target"].get_array().shape[0]
    assert {pictures[name].get_array().shape[0] for name in ("bicubic", "blur", "noise, chosen", "xray")} == {side // 2}
    bicubic, noisy = pictures["bicubic"].get_array(), pictures["noise, chosen"].get_array()
    assert np.std(noisy - bicubic) > 0.05
