"""A store that srexp wrote before its files moved: what was trained then goes on, is compared, scored and promoted.

`old_store.tar.xz` holds the folder `mlruns/` of commit ffea8e8 without figures, with `@ROOT@` for the project's folder,
`@HOST@` for the machine, and the database as SQL: two trainings of a small SRCNN on the embedded images, the first one
promoted, and a third that was killed after an epoch of three.
"""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import sqlite3
import tarfile
from pathlib import Path

import pytest

import srexp

ARCHIVE = Path(__file__).with_name("old_store.tar.xz")
TASK = "samples-bicubic-x2"


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def old(empty_project, unpacked):
    """The old store in a project of its own."""
    project = empty_project
    shutil.copytree(unpacked, project.root, dirs_exist_ok=True)
    known = {b"@ROOT@": str(project.root).encode(), b"@HOST@": socket.gethostname().encode()}
    for path in filter(Path.is_file, project.root.rglob("*")):
        content = path.read_bytes()
        for mark, value in known.items():
            content = content.replace(mark, value)
        path.write_bytes(content)
    statements = project.root / "mlflow.sql"
    with sqlite3.connect(project.root / "mlruns" / "mlflow.db") as database:
        database.executescript(statements.read_text())
    statements.unlink()
    return project


def run_named(project, name):
    return next(run for run in project.runs() if run.info.run_name == name)


def test_the_store_names_builders_by_their_old_names(unpacked):
    kept = next(unpacked.rglob("artifacts/config.yaml")).read_text()
    assert "srexp.data.samples.Samples" in kept
    assert "srexp.tracking.start.Tracking" in kept


@pytest.mark.slow
@pytest.mark.system
def test_a_training_that_was_killed_goes_on(old):
    killed = run_named(old, "killed")
    result = srexp.run("train", [f"resume={killed.info.run_id}"])
    assert result["run_id"] == killed.info.run_id
    assert result["registered"]["version"] == 3
    an_old_run_and_a_new_one_are_compared(old, run_named(old, "srcnn seed 1").info.run_id, result["run_id"])
    whole = srexp.run("train", [*shlex.split(killed.data.tags["overrides"]), "run_name=whole"])
    # Another processor may have trained the first epoch, so the last bits may differ.
    assert result["validation"]["psnr"] == pytest.approx(whole["validation"]["psnr"], abs=0.05)
    assert result["seconds"]["train"] > whole["seconds"]["train"] / 3


def an_old_run_and_a_new_one_are_compared(old, before, now):
    """The one calls its images by their names, the other by pseudonyms."""
    result = srexp.run("compare", [f"runs=[{before},{now}]"])
    assert set(result["runs"].values()) == {before, now}
    assert not [warning for warning in result["warnings"] if "picture" in warning]
    assert "RG1_UNCR" not in (old.root / result["report"]).read_text()


@pytest.mark.slow
@pytest.mark.system
def test_trainings_are_compared_with_pictures(old):
    ids = [run_named(old, name).info.run_id for name in ("srcnn seed 1", "wider")]
    result = srexp.run("compare", [f"runs=[{','.join(ids)}]"])
    assert set(result["runs"].values()) == set(ids)
    assert not [warning for warning in result["warnings"] if "picture" in warning or "load" in warning]


@pytest.mark.system
@pytest.mark.slow
def test_a_champion_is_scored_as_it_was_then(old):
    then = json.loads((old.root / "mlruns/outputs/first/result.json").read_text())
    result = srexp.run("evaluate", [f"model_uri=models:/{TASK}@champion", "split=test", "trainer.test_size=96"])
    assert result["test"]["psnr"] == pytest.approx(then["test"]["psnr"], abs=1e-4)
    assert result["data_fingerprint"] == then["data_fingerprint"]


@pytest.mark.slow
@pytest.mark.system
def test_another_version_is_promoted(old):
    result = srexp.run("promote", [f"name={TASK}", "version=2", "force=true", "reason='as before'"])
    assert result["version"] == 2
    assert str(old.client().get_model_version_by_alias(TASK, "champion").version) == "2"


@pytest.mark.system
def test_a_repeated_multirun_knows_what_finished_then(old):
    from srexp.config.identity import IDENTITY_TAG, identity
    from srexp.experiment.task import Task

    finished = run_named(old, "wider")
    config = srexp.compose(shlex.split(finished.data.tags["overrides"]))
    assert identity(config, Task(config).prepared.fingerprint) == finished.data.tags[IDENTITY_TAG]
