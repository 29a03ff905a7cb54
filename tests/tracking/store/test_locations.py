"""Addresses made from paths of every character and read back, and artifacts of a store that was moved or copied."""

from __future__ import annotations

import os
import shutil
import sqlite3
import string
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

import srexp
from srexp.errors import RequestError
from srexp.tracking.journal import recovery
from srexp.tracking.runs import groups, queries
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.addresses import find, require_files
from srexp.tracking.store.locations import database, found, path_of, strayed
from srexp.tracking.store.store import download, opened, relocate, selected

#: Every printable character that a name of a file can have, white space included, and what isn't ASCII.
CHARACTERS = [*sorted(set(string.printable) - {"/"}), "ü", "e\u0301", "日", "🙂", "\u00a0"]
#: Names that stand for others where an address is read once too often, or not at all.
NAMES = [" a", "a ", "a b?c#d%e", "..a", "~", "a+b", "file:x", "x=1&y=2"]
UNHELD = ["a%20b", "a%2Fb", "a%252Fb", "a%3Fb", "a\udcffb"]


def packed(folder: Path) -> Path:
    """What stands for a network."""
    model = folder / "model"
    (model / "data").mkdir(parents=True)
    (model / "MLmodel").write_text("flavors: {}\n")
    (model / "data" / "model.keras").write_text("weights")
    return model


def trained(tracking: Tracking, name: str = "task") -> str:
    """A run with artifacts, a logged model and a registered version."""
    with tracking.run(name) as run:
        run.log_text("kept", "notes/a.txt")
        uri = run.log_model(packed(run.journal.folder), step=1, metrics={"psnr": 40.0})
        run.register(uri, name, tags={}, alias="candidate")
    return run.id


def read_back(tracking: Tracking, run_id: str, scratch: Path, name: str = "task") -> None:
    store = tracking.store
    for run in (run_id, queries.get_run(store, run_id)):
        assert queries.read_text(store, run, "notes/a.txt") == "kept"
    model = find(store, f"models:/{name}@candidate")
    require_files(store, model)
    for uri in (model.address, f"models:/{name}/{model.version}"):
        scratch.mkdir(exist_ok=True)
        assert (download(store, uri, scratch) / "data" / "model.keras").read_text() == "weights"
        shutil.rmtree(scratch)


def tracked(folder: Path, made_store: Path) -> Tracking:
    folder.mkdir(parents=True)
    shutil.copy(made_store, folder / "mlflow.db")
    return Tracking(folder=folder, system_metrics=False)


def listed(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("name", [*(f"a{each}b" for each in CHARACTERS), *NAMES, *UNHELD[:-1]])
def test_an_address_of_any_name_is_read_back(name):
    file = Path("/data") / name / "mlflow.db"
    assert path_of(database(file)) == file
    assert path_of(database(file, "timeout=9")) == file
    assert make_url(database(file, "timeout=9")).query == {"timeout": "9"}
    assert path_of(file.as_uri()) == file


@pytest.mark.parametrize("names", [CHARACTERS[place::8] for place in range(8)] + [NAMES])
def test_a_store_works_in_a_folder_of_any_name(tmp_path, made_store, names):
    folder = tmp_path.joinpath("project", *(f"a{each}b" if len(each) == 1 else each for each in names)) / "mlruns"
    tracking = tracked(folder, made_store)
    run_id = trained(tracking)
    read_back(tracking, run_id, tmp_path / "scratch")
    assert [path.name for path in tmp_path.iterdir()] == ["project"]
    outside = {path for path in (tmp_path / "project").rglob("*") if not path.is_relative_to(folder)}
    assert outside == {each for each in folder.parents if each.is_relative_to(tmp_path / "project")} - {
        tmp_path / "project"
    }
    assert (folder / "artifacts" / run_id / "artifacts" / "notes" / "a.txt").is_file()


@pytest.mark.parametrize("name", UNHELD)
def test_what_mlflow_can_not_hold_is_refused_before_anything_is_done(tmp_path, monkeypatch, name):
    monkeypatch.setenv("SREXP_ROOT", os.fsencode(str(tmp_path / name)).decode("utf-8", "surrogateescape"))
    with pytest.raises(RequestError, match=r"paths\.root leads to a path with '(%\w\w|\\udcff)' in it") as refused:
        srexp.run("check")
    assert "fix:" in str(refused.value)
    assert "mlflow.db" not in str([*tmp_path.rglob("*")])


@pytest.fixture
def old(tmp_path, made_store, monkeypatch):
    """A store in a folder that it will leave, and a run in it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking = tracked(tmp_path / "old" / "mlruns", made_store)
    return tracking, trained(tracking)


def test_a_store_that_moved_is_read_and_written_where_it_is(old, tmp_path):
    _, run_id = old
    (tmp_path / "old").rename(tmp_path / "new")
    tracking = Tracking(folder=tmp_path / "new" / "mlruns", system_metrics=False)
    read_back(tracking, run_id, tmp_path / "scratch")
    second = trained(tracking)
    read_back(tracking, second, tmp_path / "scratch")
    with opened(tracking.store, "") as client:
        client.log_text(run_id, "later", "notes/b.txt")
        assert client.get_run(run_id).info.artifact_uri == f"{tracking.store.artifacts}/{run_id}/artifacts"
    assert (tmp_path / "new" / "mlruns" / "artifacts" / run_id / "artifacts" / "notes" / "b.txt").is_file()
    assert not (tmp_path / "old").exists()


def test_a_copy_leaves_the_original_alone(old, tmp_path):
    original, run_id = old
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    before = listed(tmp_path / "old")
    copied = Tracking(folder=tmp_path / "new" / "mlruns", system_metrics=False)
    second = trained(copied)
    more = [packed(tmp_path / "more") / "MLmodel"]
    groups.log_page(copied.store, run_id, name=None, text="", points=[], tags={}, files=more)
    (original.folder / "artifacts" / run_id / "artifacts" / "notes" / "a.txt").write_text("the original's")
    read_back(copied, run_id, tmp_path / "scratch")
    read_back(copied, second, tmp_path / "scratch")
    assert listed(tmp_path / "old") == before
    assert queries.read_text(original.store, run_id, "notes/a.txt") == "the original's"
    # Both are open in this process, and each answers for itself.
    third = trained(original)
    assert (original.folder / "artifacts" / third).is_dir()


def test_nothing_in_the_database_changes_by_being_read(old, tmp_path):
    _, run_id = old
    (tmp_path / "old").rename(tmp_path / "new")
    tracking = Tracking(folder=tmp_path / "new" / "mlruns", system_metrics=False)
    with opened(tracking.store, "") as client:
        client.set_tag(run_id, "seen", "yes")
        client.get_experiment_by_name("task")
    with closing(sqlite3.connect(tracking.folder / "mlflow.db")) as rows:
        ((address,),) = rows.execute("SELECT artifact_uri FROM runs").fetchall()
    assert "/old/" in address


def test_what_waits_is_sent_from_where_it_is(tmp_path, made_store):
    tracking = tracked(tmp_path / "old" / "mlruns", made_store)
    database_file, aside = tracking.folder / "mlflow.db", tmp_path / "aside.db"
    database_file.rename(aside)
    database_file.mkdir()  # a store that takes nothing
    tracking = Tracking(folder=tracking.folder, system_metrics=False, wait_seconds=0.2)
    with tracking.run("task", folder=tracking.folder / "outputs" / "first") as run:
        run.log_text("kept", "notes/a.txt")
    database_file.rmdir()
    aside.rename(database_file)
    shutil.copytree(tmp_path / "old", tmp_path / "copy")
    (tmp_path / "old").rename(tmp_path / "new")
    for name in ("copy", "new"):
        found_again = Tracking(folder=tmp_path / name / "mlruns", system_metrics=False)
        (sent,) = recovery.send(found_again.store, found_again.index)
        assert (sent.left, sent.reason, sent.refused) == (0, "", [])
        assert queries.read_text(found_again.store, sent.run_id, "notes/a.txt") == "kept"
        assert not list(found_again.index.iterdir())
    assert not (tmp_path / "old").exists()


def test_artifacts_elsewhere_are_found_there_and_said_to_be_gone_when_they_are(tmp_path, made_store):
    tracking = tracked(tmp_path / "mlruns", made_store)
    far = Tracking(folder=tracking.folder, artifacts=str(tmp_path / "disk"), system_metrics=False)
    run_id = trained(far)
    read_back(tracking, run_id, tmp_path / "scratch")  # without saying where
    (tmp_path / "disk").rename(tmp_path / "other")
    with pytest.raises(Exception, match="are not where the store has them") as refused:
        require_files(tracking.store, find(tracking.store, "models:/task@candidate"))
    assert "relocate=true tracking.artifacts=PATH" in str(refused.value)
    there = Tracking(folder=tracking.folder, artifacts=str(tmp_path / "other"), system_metrics=False)
    read_back(there, run_id, tmp_path / "scratch")
    relocate(there.store)
    read_back(tracking, run_id, tmp_path / "scratch")


def test_mlflow_itself_finds_them_once_the_addresses_were_rewritten(old, tmp_path):
    _, run_id = old
    (tmp_path / "old").rename(tmp_path / "new")
    store = Tracking(folder=tmp_path / "new" / "mlruns", system_metrics=False).store
    assert strayed(store.uri, store.artifacts) == 4
    changed, backup = relocate(store)
    assert (changed, relocate(store)) == (4, (0, None))
    with closing(sqlite3.connect(tmp_path / "new" / "mlruns" / "mlflow.db")) as rows:
        addresses = rows.execute(
            "SELECT artifact_uri FROM runs UNION SELECT storage_location FROM model_versions UNION "
            "SELECT artifact_location FROM logged_models UNION "
            "SELECT artifact_location FROM experiments WHERE name = 'task'"
        ).fetchall()
    assert len(addresses) == 3
    assert all(address.startswith(f"{store.artifacts}") for (address,) in addresses)
    with closing(sqlite3.connect(backup)) as rows:
        assert "/old/" in rows.execute("SELECT artifact_uri FROM runs").fetchone()[0]
    with selected(store.uri):
        assert find(store, f"runs:/{run_id}").run_id == run_id


def test_in_a_new_store_nothing_has_strayed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracking = Tracking(folder=tmp_path / "mlruns", system_metrics=False)
    trained(tracking)
    assert strayed(tracking.store.uri, tracking.store.artifacts) == 0


def test_other_addresses_mean_what_they_say(tmp_path):
    root = tmp_path / "artifacts"
    for address in ("s3://bucket/1/artifacts", "mlflow-artifacts:/1/artifacts", (root / "1" / "artifacts").as_uri()):
        assert found(address, root, 2) == address
    assert found("/gone/artifacts", root, 0) == root.as_uri()
    assert found("/gone/1/artifacts", root, 2) == (root / "1" / "artifacts").as_uri()


def test_a_server_has_no_addresses_to_rewrite(tmp_path):
    assert strayed("sqlite:////nowhere.db", "s3://bucket") == 0
    assert path_of("http://host/a") is None
