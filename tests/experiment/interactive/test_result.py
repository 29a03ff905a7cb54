"""What a verb gives back to Python: a mapping with typed names, and a view for notebooks."""

from __future__ import annotations

import base64
import copy
import io
import json
import pickle
from typing import get_type_hints

import pytest
from PIL import Image

import srexp
from srexp.errors import SrexpError
from srexp.experiment.interactive import result
from srexp.experiment.interactive.result import EvaluateResult, Result, TrainResult

SCORES = {"psnr": 40.0, "ssim": 0.99}
TRAINED = {
    "run_id": None, "experiment_name": "<task>", "test": {**SCORES, "n_images": 4}, "baseline": {"bicubic": SCORES},
    "gain_db": 0.5, "gain_ci95": [0.25, 0.75], "warnings": ["few & small"],
}  # fmt: skip


def test_it_is_a_mapping_whose_keys_are_attributes():
    trained = TrainResult(TRAINED)

    assert trained["gain_db"] == trained.gain_db == 0.5
    assert trained == TRAINED == json.loads(json.dumps(trained)) == copy.deepcopy(trained)
    assert pickle.loads(pickle.dumps(trained)).test["n_images"] == 4
    assert {"gain_db", "test", "folder", "items"} <= set(dir(trained))
    with pytest.raises(AttributeError, match="did you mean gain_db"):
        _ = trained.gain_bd


def test_a_verb_gives_its_folder(tmp_path):
    found = srexp.run("check", [f"hydra.run.dir={tmp_path}/here"])

    assert isinstance(found, Result)
    assert (found.folder / "result.json").is_file()
    assert "<td>images</td><td>6</td>" in found._repr_html_()


def test_the_view_has_a_table_and_escapes_what_names_hold():
    view = TrainResult({**TRAINED, "test": {**SCORES, "ssim": SCORES["ssim"] + 0.01, "n_images": 4}})._repr_html_()
    parts = ("&lt;task&gt;", "few &amp; small", "PSNR dB", "<td>gain</td>", "[+0.250, +0.750]", "<td>+0.01000</td>")

    assert all(part in view for part in parts)
    assert "<img" not in view
    spread = {"model": {"mean": 40.0}, "bicubic": {"mean": 39.5}, "gain": {"gain": 0.5, "ci95": None}}
    evaluated = EvaluateResult({"metrics": {"psnr": spread, "gmsd": spread}})._repr_html_()
    assert "<td>GMSD</td><td>40.00000</td><td>39.50000</td><td>+0.50000</td>" in evaluated


def test_the_view_has_the_pictures_of_its_run_and_none_of_a_store_that_is_away(tmp_path, monkeypatch):
    trained = TrainResult({**TRAINED, "run_id": "7"}, srexp.compose([f"paths.root={tmp_path}"]))
    drawn = []
    for width in (40, 2000):
        Image.new("RGBA", (width, 20)).save(picture := io.BytesIO(), "PNG")
        drawn.append(picture.getvalue())
    monkeypatch.setattr(result, "read_pictures", lambda _, run_id, __: drawn if run_id == "7" else [])
    shown = [base64.b64decode(each.split('"')[0]) for each in trained._repr_html_().split("image/webp;base64,")[1:]]

    assert [Image.open(io.BytesIO(each)).size for each in shown] == [(40, 20), (1000, 10)]

    def away(*_):
        raise SrexpError("the store is away")

    monkeypatch.setattr(result, "read_pictures", away)
    assert "<td>gain</td>" in trained._repr_html_()


def test_each_type_says_what_it_has():
    """Editors complete annotations; each resolves, and `Attributes:` explains it."""
    for kind in {*result.KINDS.values()}:
        own = set(get_type_hints(kind)) - set(get_type_hints(Result))
        assert [name for name in own if f"\n        {name}: " not in (kind.__doc__ or "")] == []
