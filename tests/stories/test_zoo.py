"""What somebody gets who has an image, and nothing else: no training, no store, no connection."""

from __future__ import annotations

import pydicom
import pytest

pytestmark = pytest.mark.system


def test_an_image_is_enhanced_without_any_training_before(empty_project, samples_dir):
    project = empty_project
    before = pydicom.dcmread(samples_dir / "693_UNCR.dcm")
    words = [f"input={samples_dir / '693_UNCR.dcm'}", "output=better", "memory_mb=1200"]
    done = project.run("enhance", "model_uri=zoo/hybrid-cxr-x2", *words)
    assert done.returncode == 0, done.stderr
    after = pydicom.dcmread(project.root / "better" / "693_UNCR.dcm")
    assert (after.Rows, after.Columns) == (2 * before.Rows, 2 * before.Columns)
    assert "zoo/hybrid-cxr-x2" in after.DerivationDescription
    assert not (project.root / "mlruns" / "mlflow.db").exists()


def test_the_list_is_what_one_gets_who_asks_for_no_name(project, samples_dir):
    done = project.run("enhance", "model_uri=zoo", f"input={samples_dir}", "output=better")
    assert done.returncode == 2
    assert "zoo/hybrid-cxr-x2  " in done.stderr


@pytest.mark.slow
def test_it_is_scored_and_exported_as_one_s_own_is(project, folder_of, images):
    scored = project.run("evaluate", "model_uri=zoo/hybrid-cxr-x2", *folder_of)
    assert scored.returncode == 0, scored.stderr
    assert "it isn't known" not in scored.stderr + scored.stdout
    [run] = project.runs()
    assert run.info.run_name.startswith("evaluate hybrid-cxr-x2 on all ")
    done = project.run("export", "model_uri=zoo/hybrid-cxr-x2", "format=onnx", "output=shipped")
    assert done.returncode == 0, done.stderr
    card = (project.root / "shipped" / "MODEL_CARD.md").read_text()
    assert "zoo/hybrid-cxr-x2" in card
    assert "NIH" in card
    [digest] = {each["model"]["digest"] for each in project.results() if isinstance(each.get("model"), dict)}
    assert digest in card
