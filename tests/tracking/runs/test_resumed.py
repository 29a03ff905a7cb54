"""A run that was interrupted and goes on: what the store has of it is known, and isn't logged again."""

from __future__ import annotations

import numpy as np
import pytest

from srexp.errors import SrexpError
from srexp.tracking.runs import queries, resumed
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect


def test_what_the_store_has_is_known(tracking):
    with tracking.run("x") as run:
        for epoch in (1, 2):
            run.log_metrics({"loss": 3.0 / epoch, "val_psnr": 30.0 + epoch}, step=epoch)
        run.log_metrics({"loss": 0.5}, step=3)
        run.log_image(np.zeros((4, 4), np.uint8), key="01 1 input", step=0)
    found = resumed.already(tracking.store, run.id)
    assert found.points == {
        ("_train/loss", 1),
        ("_train/loss", 2),
        ("_train/loss", 3),
        ("_val/psnr", 1),
        ("_val/psnr", 2),
    }
    assert found.pictures == {("01 1 input", 0): ""}
    assert (found.model_uri, found.registered) == (None, None)
    assert found.missing({"_train/loss": 1.0, "_val/psnr": 2.0}, 3) == {"_val/psnr": 2.0}
    connect(tracking.store).set_tag(run.id, "srexp.error", "Interrupted: SIGTERM")
    resumed.reopen(tracking.store, run.id)
    assert "srexp.error" not in queries.get_run(tracking.store, run.id).tags


def test_a_run_that_goes_on_logs_only_what_is_missing(tracking):
    picture = np.zeros((4, 4), np.uint8)
    with tracking.run("x") as run:
        run.log_metrics({"loss": 1.0}, step=1)
        run.log_image(picture, key="01 1 input", step=0)
    with tracking.run("x", resume=run.id) as again:
        assert again.already.points == frozenset()
        again.reopen()
        again.log_metrics({"loss": 9.0}, step=1)
        again.log_metrics({"loss": 0.5, "val_psnr": 30.0}, step=2)
        for key in ("01 1 input", "01 2 bicubic"):
            again.log_image(picture, key=key, step=0)
    client = connect(tracking.store)
    assert [(point.step, point.value) for point in client.get_metric_history(run.id, "_train/loss")] == [
        (1, 1.0),
        (2, 0.5),
    ]
    shown = [file.path for file in client.list_artifacts(run.id, "images") if file.path.endswith(".png")]
    assert sorted(path.split("+")[0] for path in shown) == ["images/01 1 input", "images/01 2 bicubic"]


def test_a_picture_of_which_one_file_is_missing_is_completed(tracking, tmp_path):
    picture = np.zeros((4, 4), np.uint8)
    with tracking.run("x") as run:
        run.log_image(picture, key="01 1 input", step=0)
    [smaller] = tmp_path.rglob("*.webp")
    files = sorted(path.name for path in smaller.parent.iterdir())
    smaller.unlink()  # as of a process that was killed between both
    with tracking.run("x", resume=run.id) as again:
        again.reopen()
        again.log_image(picture, key="01 1 input", step=0)
    assert sorted(path.name for path in smaller.parent.iterdir()) == files


def test_a_run_whose_store_is_away_can_not_go_on(tmp_path):
    away = Tracking(folder=tmp_path, uri="http://127.0.0.1:9", system_metrics=False, wait_seconds=0.1)
    with pytest.raises(SrexpError, match="can't go on while its tracking store is away"), away.run("x") as run:
        run.reopen()


def test_a_run_that_logs_its_configuration_again_keeps_the_parameters_that_it_began_with(tracking):
    """MLflow takes no second value for a parameter, though a place moved, a key came later or a kernel is another."""
    began = {"paths": {"root": "/old"}, "seed": 1, "srexp.kernels": "onednn"}
    with tracking.run("x") as run:
        run.log_config(began, "")
    with tracking.run("x", resume=run.id) as again:
        again.log_config({"paths": {"root": "/new"}, "seed": 1, "srexp.kernels": "eigen", "later": None}, "")
    stored = connect(tracking.store).get_run(run.id)
    assert stored.data.params == {"paths.root": "/old", "seed": "1", "srexp.kernels": "onednn", "later": "null"}
    assert stored.info.status == "FINISHED"
