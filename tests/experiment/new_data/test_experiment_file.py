"""The file that `init` writes says what was found, in YAML that composes to just that."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import yaml
from PIL import Image

from srexp.errors import RequestError
from srexp.experiment.new_data import experiment_file
from srexp.experiment.new_data.inventory import Inventory


@pytest.fixture
def found(tmp_path):
    root = tmp_path / "scans $x 'ö'"
    root.mkdir()
    names = [f"{patient:03}_{image}.png" for patient in range(3) for image in range(2)]
    for name in names:
        Image.fromarray(np.zeros((40, 64), np.uint8)).save(root / name)
    files = {name: root / name for name in names}
    return Inventory(root, files, 6, sizes=[(40, 64)] * 6, bits=Counter({8: 6}), kinds=Counter({"png": 6}))


def test_it_is_accepted_and_says_what_was_found(found, tmp_path):
    text = experiment_file.text_of("mine", str(found.root), r"^(\d+)_", found)
    experiment_file.write(tmp_path / "mine.yaml", text, overwrite=False)
    said = yaml.safe_load((tmp_path / "mine.yaml").read_text(encoding="utf-8"))

    assert said["dataset"] == {"name": "mine", "root": str(found.root), "patients": r"^(\d+)_"}
    assert said["trainer"]["patch_size"] == 40
    assert text.startswith("# @package _global_\n# yaml-language-server: $schema=file:///")
    assert "3 patients, who are never divided" in text
    assert [line for line in text.splitlines() if ": " in line and not line.startswith("#") and "#" not in line] == []


def test_what_is_not_as_usual_is_said_with_its_reason(found):
    found.intensity, found.unreadable = "percentile", {"x.png": "is empty"}
    text = experiment_file.text_of("mine", str(found.root), None, found)
    said = yaml.safe_load(text)["dataset"]

    assert (said["patients"], said["intensity"], said["on_error"]) == (None, "percentile", "skip")
    assert r'perhaps "^(\\d+)[^\\d.]" tells' in text


def test_no_file_is_replaced_silently_and_none_is_written_that_would_be_refused(found, tmp_path):
    place = tmp_path / "mine.yaml"
    place.write_text("kept")
    text = experiment_file.text_of("mine", str(found.root), None, found)
    with pytest.raises(RequestError, match="overwrite=true"):
        experiment_file.write(place, text, overwrite=False)
    for name in list(found.files)[2:]:
        found.files[name].unlink()
    with pytest.raises(RequestError, match="too few patients"):
        experiment_file.write(place, text, overwrite=True)
    assert place.read_text() == "kept"


def test_a_folder_that_takes_no_file_is_named(found, tmp_path):
    (tmp_path / "studies").write_text("a file in the place of the folder")
    text = experiment_file.text_of("mine", str(found.root), None, found)
    with pytest.raises(RequestError, match=r"studies/mine\.yaml can't be written"):
        experiment_file.write(tmp_path / "studies" / "mine.yaml", text, overwrite=False)
