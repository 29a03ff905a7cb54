"""From two trainings to a champion, back to the one before, and how it all looks without a browser."""

from __future__ import annotations

import csv
import json

import pytest

import srexp
from srexp.cli import run
from srexp.tracking.registry.models import training_images
from srexp.tracking.runs.queries import read_text
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.addresses import find

NAME = "folder-bicubic-x2"
QUIET = ["tracking.max_images=0", "tracking.system_metrics=false"]


def aliases(project):
    return {name: int(number) for name, number in project.client().get_registered_model(NAME).aliases.items()}


@pytest.mark.system
@pytest.mark.slow
def test_a_champion_is_made_replaced_and_called_back(two_trainings, capfd):
    project = two_trainings
    assert aliases(project) == {"candidate": 2}

    # Two test images carry no claim.
    done = project.run("promote", f"name={NAME}", "version=1", *QUIET)
    assert done.returncode == 1, done.stderr
    assert "test images: 2; required: at least 6" in done.stderr
    assert "PSNR over bicubic" in done.stdout
    assert "Traceback" not in done.stderr
    assert aliases(project) == {"candidate": 2}

    forced = [f"name={NAME}", "force=true", "reason='the first model of this task'", *QUIET]
    first = srexp.run("promote", [*forced, "version=1"])
    assert (first["champion"], first["forced"], first["previous"]) == (None, True, None)
    second = srexp.run("promote", forced)
    assert (second["version"], second["champion"], second["previous"]) == (2, 1, 1)
    assert any("which flatters it" in said for said in second["warnings"]) == bool(seen(project, second))
    assert aliases(project) == {"candidate": 2, "champion": 2, "previous": 1}

    assert run(["promote", f"name={NAME}", "rollback=true", *QUIET]) == 0
    assert aliases(project) == {"candidate": 2, "champion": 1, "previous": 2}

    capfd.readouterr()
    assert run(["models"]) == 0
    listed = project.results()[-1]["models"]
    assert [(row["version"], row["aliases"]) for row in listed] == [(2, ["candidate", "previous"]), (1, ["champion"])]
    assert listed[0]["n_images"] == 2
    assert listed[0]["forced"]
    assert NAME in capfd.readouterr().out

    assert run(["runs"]) == 0
    rows = project.results()[-1]["runs"]
    assert [(row["verb"], row["state"]) for row in rows] == [
        ("promote", "FINISHED"),
        ("promote", "FINISHED"),
        ("promote", "FINISHED"),
        ("promote", "FAILED"),
        ("train", "FINISHED"),
        ("train", "FINISHED"),
    ]
    assert rows[-1]["test_psnr"] == pytest.approx(float(version_tags(project, 1)["test_psnr"]))
    assert rows[2]["run_id"] == json.loads(version_tags(project, 1)["promotion"])["run_id"] == first["run_id"]


def version_tags(project, number):
    return project.client().get_model_version(NAME, str(number)).tags


def seen(project, result):
    """Test images that the champion was trained on, for another seed drew its split."""
    store = Tracking(folder=project.root / "mlruns").store
    known = training_images(store, find(store, f"models:/{NAME}/1"))
    rows = csv.DictReader(read_text(store, result["run_id"], "promotion.csv").splitlines())
    return [row["key"] for row in rows if row["sha256"] in known]
