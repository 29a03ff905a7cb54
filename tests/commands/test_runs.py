"""What is in the store, told without TensorFlow, and an end for runs whose process is gone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

import srexp
from srexp.cli import run
from srexp.errors import RequestError
from srexp.system import process_identity
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect

LIGHT = """
import sys
from srexp.cli import run
codes = [run([verb]) for verb in ("runs", "models")]
print(codes, [name for name in ("tensorflow", "keras", "matplotlib", "optuna") if name in sys.modules])
"""


@pytest.fixture
def tracking(tmp_path, made_store, monkeypatch):
    (tmp_path / "mlruns").mkdir()
    shutil.copy(made_store, tmp_path / "mlruns" / "mlflow.db")
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    return Tracking(folder=tmp_path / "mlruns", system_metrics=False)


@pytest.fixture
def dead():
    """Tags of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        return process_identity.process_tags(process.pid)


@pytest.fixture
def opened(tracking, dead):
    """Ids of a finished run and of open ones: of a dead process, of this one, and of two other machines."""
    with tracking.run("chest", name="done", tags={"model": "vdsr"}) as finished:
        finished.log_metrics({"best_val_psnr": 33.0, "test_psnr": 32.125, "gain_db": 0.5}, step=3)
    client = connect(tracking.store)
    number = client.get_run(finished.id).info.experiment_id
    kinds = {
        "dead": dead,
        "alive": process_identity.process_tags(),
        "far": {**dead, "srexp.host": "far"},
        "farther": {**dead, "srexp.host": "farther"},
    }
    ids = {name: client.create_run(number, run_name=name, tags=tags).info.run_id for name, tags in kinds.items()}
    with tracking.run("knee", name="other"):
        pass
    return {"done": finished.id, **ids}


def states(tracking, opened):
    client = connect(tracking.store)
    return {name: client.get_run(run_id).info.status for name, run_id in opened.items()}


def test_all_of_one_run_is_told(tracking, opened, capfd):
    [row] = srexp.run("runs", [f"id={opened['done']}"])["runs"]
    assert (row["run_id"], row["name"], row["state"], row["tags"]["model"]) == (
        opened["done"],
        "done",
        "FINISHED",
        "vdsr",
    )
    assert row["metrics"]["test_psnr"] == 32.125
    assert row["artifacts"] == str(tracking.folder / "artifacts" / opened["done"] / "artifacts")
    assert opened["done"] in row["page"]
    shown = capfd.readouterr().out
    for text in (opened["done"], "FINISHED", row["artifacts"], "test_psnr"):
        assert text in shown
    with pytest.raises(RequestError, match="no such run"):
        srexp.run("runs", ["id=" + "0" * 32])


def test_runs_are_listed_and_the_dead_ones_ended(tracking, opened, capfd):
    result = srexp.run("runs")
    assert [row["name"] for row in result["runs"]] == ["other", "farther", "far", "alive", "dead", "done"]
    rows = {row["name"]: row for row in result["runs"]}
    done = rows["done"]
    assert (done["state"], done["model"], done["experiment_name"]) == ("FINISHED", "vdsr", "chest")
    assert (done["val_psnr"], done["test_psnr"], done["gain_db"]) == (33.0, 32.125, 0.5)
    assert [rows[name]["note"] for name in ("dead", "alive", "far")] == ["its process is gone", "", "on far"]
    assert (result["reaped"], result["elsewhere"]) == ([], [])
    shown = capfd.readouterr().out
    for text in (opened["done"], "its process is gone", "test 32.12 +0.50", "val  33.00", "FINISHED"):
        assert text in shown
    assert set(states(tracking, opened).values()) == {"FINISHED", "RUNNING"}

    assert [row["name"] for row in srexp.run("runs", ["experiment_name=chest", "limit=1"])["runs"]] == ["farther"]

    result = srexp.run("runs", ["reap=true"])
    assert result["reaped"] == [opened["dead"]]
    assert {row["host"] for row in result["elsewhere"]} == {"far", "farther"}
    assert "reap_hosts=[far]" in capfd.readouterr().out
    now = states(tracking, opened)
    assert now == {"done": "FINISHED", "dead": "KILLED", "alive": "RUNNING", "far": "RUNNING", "farther": "RUNNING"}
    assert "process was gone" in connect(tracking.store).get_run(opened["dead"]).data.tags["srexp.error"]

    result = srexp.run("runs", ["reap=true", "reap_hosts=[far]"])
    assert (result["reaped"], len(result["elsewhere"])) == ([opened["far"]], 1)
    assert states(tracking, opened) == {**now, "far": "KILLED"}


def test_models_are_listed_with_their_aliases_and_what_was_found(tracking, capfd):
    client = connect(tracking.store)
    tags = {
        "model": "srcnn", "test_psnr": "33.5", "gain_db": "0.25", "audit": "clean", "degenerate": "false",
        "test_images": "12", "protocol": '{"channel": "grey", "shave": 2, "quantize": true}',
    }  # fmt: skip
    for name, versions in (("chest", [tags, {**tags, "degenerate": "true"}]), ("knee", [{}])):
        client.create_registered_model(name)
        for known in versions:
            client.create_model_version(name, tracking.store.artifacts, tags=known, await_creation_for=0)
    client.set_registered_model_alias("chest", "champion", "1")
    client.set_registered_model_alias("chest", "candidate", "1")

    rows = srexp.run("models")["models"]
    assert [(row["name"], row["version"], row["aliases"]) for row in rows] == [
        ("chest", 2, []),
        ("chest", 1, ["candidate", "champion"]),
        ("knee", 1, []),
    ]
    assert (rows[1]["psnr"], rows[1]["gain_db"], rows[1]["n_images"], rows[1]["audit"]) == (33.5, 0.25, 12, "clean")
    assert rows[1]["protocol"]["shave"] == 2
    assert (rows[0]["degenerate"], rows[2]["psnr"], rows[2]["degenerate"]) == (True, None, None)
    assert 0 <= rows[0]["age_seconds"] < 600
    shown = capfd.readouterr().out
    for text in ("candidate", "champion", "33.500", "+0.250", "grey, border 2", "degenerate", "clean"):
        assert text in shown

    assert len(srexp.run("models", ["name=knee"])["models"]) == 1
    client.set_registered_model_tag("knee", "promotion.moving", json.dumps({"champion": 1, "was_previous": None}))
    assert "killed while it moved the aliases of knee" in srexp.run("models")["warnings"][0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["models", "name=chst"], "no such registered model"),
        (["runs", "experiment_name=chst"], "no such experiment"),
        (["runs", "reap_hosts=[far]"], "reap=true"),
        (["runs", "limit=0"], "limit"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_wrong_request_exits_2(tracking, words, said, capfd):
    assert run(words) == 2
    assert said in capfd.readouterr().err


@pytest.mark.system
@pytest.mark.slow
def test_an_empty_store_is_told_of_without_tensorflow(tracking):
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 0] []"
    assert "no run was kept yet" in done.stdout
    assert "no model was registered yet" in done.stdout
