"""The embedded data set: what its table says is what the package holds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from srexp.data.formats.registry import read_image, shape_of
from srexp.data.preparation.prepare import prepare, probe_request
from srexp.data.preparation.request import Preparation
from srexp.data.sources.samples import OFFICIAL_SPLIT, Samples
from srexp.errors import RequestError
from srexp.system.masking.pseudonyms import pseudonym


def test_test_image_is_the_chest_radiograph_alone() -> None:
    test = [item for item in Samples("samples").items() if item.split == "test"]
    assert [item.key for item in test] == ["RG1_UNCR.dcm"]
    image = read_image(test[0].path)
    assert (image.pixels.shape, image.bits, image.lossy) == ((1955, 1841, 1), 15, False)
    assert (image.pixels.min(), image.pixels.max()) == (32767 - 26479, 32767 - 874)


def test_no_patient_is_in_two_splits() -> None:
    splits: dict[str, set[str]] = {}
    for _, patient, split, _ in OFFICIAL_SPLIT:
        splits.setdefault(patient, set()).add(split)
    assert all(len(split) == 1 for split in splits.values())
    assert set().union(*splits.values()) == {"train", "validation", "test"}


def test_sizes_in_the_table_are_those_of_the_files() -> None:
    for item in Samples("samples").items():
        assert item.size == shape_of(item.path)


def test_prepares_with_its_own_split() -> None:
    first, second = (
        prepare(Samples("samples"), Preparation(seed=seed, channel="grey", scale=2, patch_size=96)) for seed in (0, 1)
    )
    assert first.fingerprint == second.fingerprint
    assert {split: [entry.key for entry in entries] for split, entries in first.entries.items()} == {
        split: [pseudonym(name) for name, _, official, _ in OFFICIAL_SPLIT if official == split]
        for split in ("train", "validation", "test")
    }
    assert not any(entry.lossy for entries in first.entries.values() for entry in entries)
    assert first.read(first.entries["test"][0]).pixels.shape == (1955, 1841, 1)


def test_few_images_still_fill_every_split() -> None:
    assert [item.split for item in Samples("samples", limit=3).items()] == ["train", "validation", "test"]


def test_patch_that_does_not_fit_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(RequestError, match=r"MR-SIEMENS[\s\S]*484 x 484[\s\S]*trainer.patch_size=484"):
        probe_request(Samples("samples"), patch_size=500)


def test_probing_is_light() -> None:
    code = (
        "import sys; from srexp.data.sources.samples import Samples; "
        "from srexp.data.preparation.prepare import probe_request; "
        "probe_request(Samples('samples'), 96); "
        "print([name for name in ('pydicom', 'PIL', 'data_store') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match="pip install pydicom-data"):
        Samples("samples").items()


def test_incomplete_package_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    spec = importlib.util.spec_from_loader("data_store", loader=None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(RequestError, match=r"lacks RG3_UNCR.dcm[\s\S]*--force-reinstall"):
        Samples("samples").items()
