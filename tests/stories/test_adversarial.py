"""A network that was taught to invent detail says so wherever it goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import srexp

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_invented_detail_is_named_from_the_training_to_the_card(project, folder_of, tmp_path):
    small = ["model=edsr_se", "model.width=4", "model.blocks=1", "loss=l1", "trainer.epochs=3", "tracking.max_images=1"]
    result = srexp.run("train", [*folder_of, *small, "training=adversarial", "training.width=2", "run_name=opposed"])
    plain = srexp.run("train", [*folder_of, *small, "run_name=alone"])
    assert any("detail is invented" in warning for warning in result["warnings"])
    assert not any("invented" in warning for warning in plain["warnings"])

    client = project.client()
    run = client.get_run(result["run_id"])
    assert run.data.tags["detail"] == "invented"
    assert {"_train/discriminator_loss", "_train/adversarial_loss"} <= run.data.metrics.keys()
    assert "detail is invented" in run.data.tags["mlflow.note.content"]
    version = client.get_model_version(result["registered"]["name"], result["registered"]["version"])
    assert version.tags["detail"] == "invented"
    assert version.tags["best_val_psnr"] == json.dumps(result["validation"]["psnr"])

    srexp.run("export", [f"model_uri={result['model_uri']}", "format=onnx", f"output={tmp_path / 'out'}"])
    assert "Its detail is invented" in Path(tmp_path, "out", "MODEL_CARD.md").read_text()

    compared = srexp.run("compare", [f"runs=[{result['run_id']},{plain['run_id']}]"])
    report = Path(compared["report"])
    assert "is invented: trained against a discriminator" in report.read_text()
    assert (report.parent / "table.md").read_text().count("detail invented") >= 2
