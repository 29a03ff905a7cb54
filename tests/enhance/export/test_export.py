import json

import numpy as np
import pytest

from srexp.enhance.export.export import Target, compare, export
from srexp.errors import RequestError, SrexpError
from srexp.models import vdsr
from srexp.system.files.digests import sha256

IMAGES = [np.random.default_rng(0).random(shape, dtype=np.float32) for shape in ((1, 9, 14, 1), (2, 5, 5, 1))]
BESIDE = ["MODEL_CARD.md", "SHA256SUMS", "parity.json"]
FILES = {
    "savedmodel": ["savedmodel"],
    "onnx": ["model.onnx"],
    "openvino": ["model.bin", "model.xml"],
    "litert": ["model.tflite"],
}


@pytest.fixture(scope="module")
def network(randomised):
    return randomised(vdsr.build(2, 1, depth=3, width=4))


def told(file, parity):
    return f"{file} {parity.largest}"


@pytest.mark.parametrize("form", FILES)
def test_a_folder_with_file_parity_and_card(network, tmp_path, form):
    folder = tmp_path / "deep" / "out"
    parity = export(network, Target(form, folder), images=IMAGES, tolerance=1e-4, card=told)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*BESIDE, *FILES[form]])
    written = json.loads((folder / "parity.json").read_text())
    assert written["largest"] == parity.largest < 1e-5
    assert written["mean"] <= written["largest"]
    assert [image["shape"] for image in written["images"]] == [[1, 9, 14, 1], [2, 5, 5, 1]]
    assert (folder / "MODEL_CARD.md").read_text().split()[1] == str(parity.largest)
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    assert sums == {str(path.relative_to(folder)): sha256(path) for path in files}


def test_what_differs_too_much_is_not_left_behind(network, tmp_path):
    with pytest.raises(SrexpError, match="computes something else") as refused:
        export(network, Target("onnx", tmp_path / "out"), images=IMAGES, tolerance=1e-12, card=told)
    assert refused.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unless_told(network, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    export(network, Target("onnx", folder), images=IMAGES, tolerance=1e-4, card=told)  # an empty one is no loss
    (folder / "mine.txt").write_text("kept")
    with pytest.raises(RequestError, match="overwrite=true"):
        export(network, Target("onnx", folder), images=IMAGES, tolerance=1e-4, card=told)
    assert (folder / "mine.txt").exists()
    with pytest.raises(SrexpError, match="computes something else"):
        export(network, Target("onnx", folder, overwrite=True), images=IMAGES, tolerance=1e-12, card=told)
    assert (folder / "mine.txt").exists()
    export(network, Target("openvino", folder, overwrite=True), images=IMAGES, tolerance=1e-4, card=told)
    assert (folder / "model.xml").exists()
    assert not (folder / "mine.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_no_link_is_followed_or_replaced(network, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "mine.txt").write_text("kept")
    for leads_to in (elsewhere, elsewhere / "deep", elsewhere / "mine.txt", elsewhere / "nothing"):
        link = tmp_path / f"to_{leads_to.name}"
        link.symlink_to(leads_to)
        with pytest.raises(RequestError, match="output is a link"):
            export(network, Target("onnx", link, overwrite=True), images=IMAGES, tolerance=1e-4, card=told)
        assert link.is_symlink()
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "model.onnx").symlink_to(elsewhere / "mine.txt")
    (folder / "deep").symlink_to(elsewhere)
    export(network, Target("onnx", folder, overwrite=True), images=IMAGES, tolerance=1e-4, card=told)
    assert not [path for path in folder.iterdir() if path.is_symlink()]
    assert (elsewhere / "mine.txt").read_text() == "kept"


def test_differences():
    images = [np.zeros((1, 2, 2, 1), np.float32), np.zeros((1, 1, 4, 1), np.float32)]
    parity = compare(lambda low: low + np.float32(0.5) * (low.shape[1] == 1), lambda low: low, images, 0.5)
    assert (parity.largest, parity.mean, parity.holds) == (0.5, 0.25, True)
    assert not compare(lambda low: low * np.nan, lambda low: low, images, 1).holds
    assert not compare(lambda low: low[:, :1, :1], lambda low: low, images, 1).holds
