"""`export` from the command line, with a real store."""

import json

import numpy as np
import pytest

from srexp.cli import run


@pytest.fixture(autouse=True)
def _project(champion, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(champion.root))


@pytest.mark.parametrize("uri", ["models:/task-bicubic-x2@champion", "models:/task-bicubic-x2/1"])
def test_a_registered_model_is_exported_with_its_card(champion, tmp_path, capfd, uri):
    out = tmp_path / "out"
    assert run(["export", f"model_uri={uri}", "format=onnx", f"output={out}", f"hydra.run.dir={tmp_path}/run"]) == 0
    shown = capfd.readouterr().out
    assert f"written     {out}" in shown
    assert "model.onnx, MODEL_CARD.md, SHA256SUMS, parity.json" in shown
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["files"] == ["MODEL_CARD.md", "SHA256SUMS", "model.onnx", "parity.json"]
    assert result["parity"]["largest"] < 1e-5
    assert [path for path in (out, *out.rglob("*")) if path.stat().st_mode & 0o077] == []
    text = (out / "MODEL_CARD.md").read_text()
    for known in (
        "task-bicubic-x2",
        "srcnn",
        "f1n9e4",
        "43.21",
        "name=worn",
        "pydicom-data (MIT licence)",
        "task-bicubic-x2/1",
    ):
        assert known in text

    import onnxruntime

    low = np.random.default_rng(0).random((1, 21, 40, 1), dtype=np.float32)
    restored = onnxruntime.InferenceSession(out / "model.onnx").run(["restored"], {"low": low})[0]
    assert restored[0, ..., 0] == pytest.approx(champion.expected(low[0, ..., 0]), abs=1e-5)


def test_what_differs_ends_with_1_and_leaves_nothing(tmp_path, capfd):
    out = tmp_path / "out"
    request = ["export", "model_uri=models:/task-bicubic-x2@champion", f"output={out}", "tolerance=1e-12"]
    assert run([*request, f"hydra.run.dir={tmp_path}/run"]) == 1
    assert "computes something else" in capfd.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["format=onx"], "format='onx'"),
        (["model_uri=models:/task-bicubic-x2@chanpion"], "did you mean champion?"),
        (["model_uri=models:/nothing/3"], "there are task-bicubic-x2"),
        (["output=/proc/version"], "is not empty"),
    ],
)
def test_a_wrong_request_ends_with_2(tmp_path, capfd, wrong, said):
    request = ["export", "model_uri=models:/task-bicubic-x2@champion", f"hydra.run.dir={tmp_path}/run"]
    assert run([*request, *wrong]) == 2
    assert said in capfd.readouterr().err
