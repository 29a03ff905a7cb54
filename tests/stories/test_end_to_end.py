"""A new user's whole way, on the command line: from images to a champion, and from the champion to a radiograph."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest

from srexp.cli import VERBS

NAME = "folder-bicubic-x2"
CHAMPION = f"models:/{NAME}@champion"
QUIET = ["tracking.max_images=0", "tracking.system_metrics=false"]
#: A network that learns in seconds what bicubic interpolation lacks, and ten test images.
LEARNS = ["dataset.fractions=[0.4,0.1,0.5]", "model=vdsr", "model.depth=3", "model.width=8"]
SPACE = "search.space={optimizer.lr:{type:float,low:1e-5,high:1e-4,log:true}}"


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_images_to_a_served_champion(empty_project, folder_of, samples_dir):
    project, verbs = empty_project, {"serve"}

    def typed(verb, *words):
        verbs.add(verb)
        done = project.run(verb, *words, *QUIET, timeout=280, cold=True)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return project.results()[-1], done.stdout

    checked, said = typed("check", *folder_of)
    assert checked["experiment_name"] == NAME
    assert "20 images" in said
    assert "+experiment=mine" in typed("init", *folder_of[1:3], "name=mine")[1]  # folder and patients
    prepared, _ = typed("data", *folder_of, *LEARNS)
    trained, _ = typed("train", *folder_of, *LEARNS, "trainer.steps_per_epoch=60", "optimizer.lr=1e-3")
    assert prepared["data_fingerprint"] == trained["data_fingerprint"]
    assert trained["registered"] == {"name": NAME, "version": 1, "alias": "candidate"}
    searched, _ = typed("search", *folder_of, *LEARNS, SPACE, "search.name=e2e",
                        "search.trials=2", "search.workers=1", "search.startup_trials=1")  # fmt: skip
    assert searched["registered"] == {"name": NAME, "version": 2, "alias": "candidate"}

    runs = {trained["run_id"]: 1, searched["final_run_id"]: 2}
    evaluated, _ = typed("evaluate", *folder_of, *LEARNS, f"model_uri={trained['model_uri']}", "split=test")
    assert evaluated["test"] == trained["test"]

    compared, _ = typed("compare", f"runs=[{','.join(runs)}]", "pictures=0")
    assert compared["n_images"] == 10
    best = runs[compared["runs"][compared["best"]]]
    assert best == 1

    promoted, said = typed("promote", f"name={NAME}", f"version={best}")
    assert (promoted["promoted"], promoted["forced"], promoted["failed"]) == (True, False, [])
    assert promoted["gains"]["bicubic"]["gain"] == pytest.approx(trained["gain_db"], abs=0.01)
    assert f"champion    version 1 of {NAME}" in said

    scans = radiographs(samples_dir, project.root / "scans")
    digest = f"require_digest={promoted['digest']}"
    enhanced, _ = typed("enhance", f"model_uri={CHAMPION}", f"input={scans}", "output=enhanced", digest)
    assert enhanced["model"]["version"] == 1  # version 2 is newer, and the candidate
    for name in ("chest/ct.dcm", "mr.dcm"):
        is_derived(scans / name, project.root / "enhanced" / name)
    exported, _ = typed("export", f"model_uri={CHAMPION}", "format=onnx", "output=exported")
    assert "model.onnx" in exported["files"]
    with served(project) as address:
        with urllib.request.urlopen(f"{address}/version", timeout=60) as answer:
            assert json.load(answer)["model"] == f"models:/{NAME}/1"
        for name in ("chest/ct.dcm", "mr.dcm"):
            is_answered_as_enhanced(address, scans / name, project.root / "enhanced" / name)

    listed, said = typed("models")
    assert [(row["version"], row["aliases"]) for row in listed["models"]] == [(2, ["candidate"]), (1, ["champion"])]
    assert listed["models"][1]["digest"] == promoted["digest"]
    assert "champion" in said
    ran = typed("runs")[0]["runs"]
    assert {row["state"] for row in ran} == {"FINISHED"}
    assert {"train", "search", "compare", "promote"} <= {row["verb"] for row in ran}
    for folder in ("mlruns", "enhanced", "exported"):
        written = [path for path in (project.root / folder).rglob("*") if path.suffix != ".answered"]
        assert [path for path in written if path.stat().st_mode & 0o077] == []
    adopted, _ = typed("adopt", "model=espcn", "model.filters=[4,4]", f"weights={strangers(project.root)}")
    assert adopted["registered"] == {"name": "samples-bicubic-x2", "version": 1, "alias": "candidate"}
    assert verbs == set(VERBS) - {"ui"}  # each starts cold once; `ui` in a test with a browser


def strangers(folder: Path) -> Path:
    """Write arrays that fit a small ESPCN."""
    shapes = {"conv1": (4, 1, 5, 5), "conv2": (4, 4, 3, 3), "conv3": (4, 4, 3, 3)}
    arrays = {f"{name}.weight": np.full(shape, 0.1, np.float32) for name, shape in shapes.items()}
    np.savez(folder / "stranger.npz", **arrays, **{f"{name}.bias": np.zeros(4, np.float32) for name in shapes})
    return folder / "stranger.npz"


def radiographs(samples_dir: Path, folder: Path) -> Path:
    """Cut small images of 12 unsigned and 14 signed bits out of real ones."""
    (folder / "chest").mkdir(parents=True)
    for source, name in (("MR2_UNCR.dcm", "mr.dcm"), ("693_UNCR.dcm", "chest/ct.dcm")):
        image = pydicom.dcmread(samples_dir / source)
        pixels = np.ascontiguousarray(image.pixel_array[300:370, 250:345])
        image.PixelData, (image.Rows, image.Columns) = pixels.tobytes(), pixels.shape
        image.save_as(folder / name)
    return folder


def is_derived(low: Path, high: Path) -> None:
    """Twice the size at half the spacing, as many bits, made by version 1, and what the image shows."""
    before, after = pydicom.dcmread(low), pydicom.dcmread(high)
    assert (after.Rows, after.Columns) == (140, 190)
    assert after.PixelSpacing == pytest.approx([spacing / 2 for spacing in before.PixelSpacing])
    for keyword in ("BitsStored", "PixelRepresentation", "PhotometricInterpretation", "PatientID", "StudyInstanceUID"):
        assert after[keyword].value == before[keyword].value
    assert before.BitsStored in (12, 14)
    assert after.ImageType[:2] == ["DERIVED", "SECONDARY"]
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert f"{NAME} version 1" in after.DerivationDescription
    coarse = after.pixel_array.reshape(70, 2, 95, 2).mean(axis=(1, 3))
    assert np.corrcoef(coarse.ravel(), before.pixel_array.ravel())[0, 1] > 0.95


@contextmanager
def served(project):
    """The champion behind HTTP, until Ctrl-C; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    words = ["serve", f"model_uri={CHAMPION}", f"port={port}", "runtime=keras"]
    with project.start(*words, cold=True, stdout=subprocess.PIPE) as process:
        try:
            assert any(line.startswith("serving") for line in process.stdout)
            yield f"http://127.0.0.1:{port}"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()


def is_answered_as_enhanced(address: str, low: Path, enhanced: Path) -> None:
    """The same stored values, over HTTP as in the file."""
    answered = enhanced.with_suffix(".answered")
    with urllib.request.urlopen(f"{address}/restore", low.read_bytes(), timeout=60) as answer:
        assert answer.headers["Content-Type"] == "application/dicom"
        answered.write_bytes(answer.read())
    np.testing.assert_array_equal(pydicom.dcmread(answered).pixel_array, pydicom.dcmread(enhanced).pixel_array)
