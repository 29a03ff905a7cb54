import contextlib
import csv
import json
import math
import operator
import os
import signal
import time

import numpy as np
import pytest

from srexp.config.builders import check_section
from srexp.errors import RequestError, SrexpError
from srexp.system import process_identity
from srexp.system.signals import Interrupted
from srexp.tracking.names import CHECKPOINTS_TAG
from srexp.tracking.runs import queries
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect


def read(tracking, run):
    return connect(tracking.store).get_run(run.id)


def test_a_run_ends_finished_and_says_where_it_came_from(tracking):
    with tracking.run("samples-bicubic-x2", name="srcnn seed 1", tags={"model": "srcnn", "degenerate": False}) as run:
        opened = read(tracking, run)
        assert opened.info.status == "RUNNING"
        assert opened.data.tags["srexp.pid"] == str(os.getpid())
        assert float(opened.data.tags["srexp.process_start"]) < time.time()
        run.set_tags({CHECKPOINTS_TAG: "/runs/1/checkpoints/2"})
        run.log_environment([])
    kept = read(tracking, run)
    assert kept.info.status == "FINISHED"
    assert kept.info.run_name == "srcnn seed 1"
    assert kept.info.end_time >= kept.info.start_time
    assert kept.data.tags["model"] == "srcnn"
    assert kept.data.tags["degenerate"] == "false"
    # What it is reaped and resumed by isn't for who reads it when it is over.
    assert not kept.data.tags.keys() & {*process_identity.TAGS, CHECKPOINTS_TAG}
    environment = queries.read_json(tracking.store, run.id, "environment.json")
    assert environment["process"]["pid"] == os.getpid()


def test_a_run_that_failed_keeps_what_it_goes_on_by(tracking):
    with pytest.raises(ZeroDivisionError), tracking.run("x", tags={CHECKPOINTS_TAG: "/runs/1"}) as run:
        raise ZeroDivisionError
    assert {*process_identity.TAGS, CHECKPOINTS_TAG} <= read(tracking, run).data.tags.keys()


def test_a_description_names_its_run_and_shows_no_password(tracking):
    with tracking.run("x") as run:
        run.describe("runs=[RUN_ID] http://ann:q7Xv_secret@host\n| a |")
    note = read(tracking, run).data.tags["mlflow.note.content"]
    assert note == f"runs=[{run.id}] http://***@host\n| a |"


def test_what_a_run_kept_is_named_with_its_page(tracking):
    with tracking.run("x") as run:
        run.log_text("a", "notes/a.txt")
        run.log_image(np.zeros((4, 4), np.uint8), key="test", step=0)
    kept = run.kept(["model=vdsr", "paths.root=/my runs"])
    assert kept.ui == "python -m srexp ui 'paths.root=/my runs'"
    assert kept.files == ("notes/a.txt",)
    assert (kept.folder / "notes" / "a.txt").is_file()
    assert kept.page.endswith(f"/runs/{run.id}?workflowType=machine_learning")


def test_epoch_metrics_are_kept_at_their_steps_and_times(tracking):
    before, after = [], []
    with tracking.run("x") as run:
        for epoch in range(1, 6):
            before.append(int(time.time() * 1000))
            run.log_metrics({"val_psnr": 30.0 + epoch, "loss": 1 / epoch}, step=epoch)
            after.append(int(time.time() * 1000))
            time.sleep(0.01)
    history = connect(tracking.store).get_metric_history(run.id, "_val/psnr")
    assert [(point.step, point.value) for point in history] == [(epoch, 30.0 + epoch) for epoch in range(1, 6)]
    assert all(map(operator.le, before, [point.timestamp for point in history]))
    assert all(map(operator.le, [point.timestamp for point in history], after))


def test_metrics_are_there_before_the_run_ends(runs):
    tracking = Tracking(folder=runs, system_metrics=False, flush_seconds=0.1)
    with tracking.run("x") as run:
        run.log_metrics({"loss": 1.0}, step=1)
        deadline = time.monotonic() + 60
        while "_train/loss" not in read(tracking, run).data.metrics and time.monotonic() < deadline:
            time.sleep(0.05)
        assert read(tracking, run).data.metrics["_train/loss"] == 1.0


def test_what_is_not_finite_does_not_spoil_a_chart(tracking):
    with tracking.run("x") as run:
        run.log_metrics({"psnr": math.inf, "loss": math.nan, "gain": -math.inf}, step=1)
    metrics = read(tracking, run).data.metrics
    assert all(math.isnan(metrics[name]) for name in ("psnr", "_train/loss", "gain"))


def test_the_configuration_is_kept_flat_and_whole_without_secrets(tracking, artifact):
    config = {"model": {"name": "vdsr"}, "many": {f"key{index}": index for index in range(250)}, "text": "x" * 9000}
    config["tracking"] = {"uri": "postgresql://ann:secret@db/runs"}
    with tracking.run("x") as run:
        run.log_config(config, "tracking:\n  uri: postgresql://ann:secret@db/runs\n")
    params = read(tracking, run).data.params
    assert len(params) == 253
    assert params["model.name"] == "vdsr"
    assert params["many.key249"] == "249"
    assert params["tracking.uri"] == "postgresql://***@db/runs"
    assert artifact(run.id, "config.yaml").read_text() == "tracking:\n  uri: postgresql://***@db/runs\n"


def test_the_environment_is_kept(tracking, artifact):
    with tracking.run("x") as run:
        run.log_environment(["model=vdsr", "tracking.uri=http://ann:secret@host"], precision="float32")
    kept = json.loads(artifact(run.id, "environment.json").read_text())
    assert kept["overrides"] == ["model=vdsr", "tracking.uri=http://***@host"]
    assert kept["precision"] == "float32"
    assert kept["packages"]["numpy"] == np.__version__
    assert kept["python"].count(".") == 2
    assert {"commit", "dirty", "platform", "processors"} <= set(kept)


def test_the_data_is_kept_with_its_splits(tracking, artifact):
    import mlflow.data

    rows = [
        {"key": "a.dcm", "split": "train", "sha256": "1" * 64},
        {"key": "b, c.dcm", "split": "test", "sha256": "2" * 64},
    ]
    with tracking.run("x") as run:
        run.log_dataset(
            name="samples",
            source="pydicom-data 1.0.0",
            fingerprint="ab" * 32,
            splits={"training": {"images": 1}, "validation": {"images": 0}, "test": {"images": 1}},
            manifest=rows,
        )
    kept = read(tracking, run)
    inputs = {entry.tags[0].value: entry.dataset for entry in kept.inputs.dataset_inputs}
    assert set(inputs) == {"training", "validation", "test"}
    assert inputs["test"].digest == ("ab" * 32)[:36]
    assert json.loads(inputs["test"].profile) == {"images": 1}
    source = mlflow.data.get_source(inputs["test"])
    assert source.to_dict() == {"tags": {"source": "pydicom-data 1.0.0"}}
    assert kept.data.tags["data.fingerprint"] == "ab" * 32
    with artifact(run.id, "data/manifest.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == rows


def test_data_from_the_web_keeps_its_address(tracking):
    import mlflow.data

    with tracking.run("x") as run:
        run.log_dataset(
            name="m", source="https://ann:secret@host/a.zip", fingerprint="1", splits={"training": {}}, manifest=[]
        )
    (entry,) = read(tracking, run).inputs.dataset_inputs
    assert mlflow.data.get_source(entry.dataset).url == "https://***@host/a.zip"


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 3)])
def test_pictures_are_kept_unchanged_in_the_grid(tracking, artifact, shape):
    from PIL import Image

    pixels = np.random.default_rng(0).integers(100, 140, shape, dtype=np.uint8)
    with tracking.run("x") as run:
        run.log_image(pixels, key="panel/RG1.dcm#3", step=7)
    (file,) = artifact(run.id, "images").glob("*.png")
    assert file.name.startswith("panel~RG1.dcm_3+step+7+timestamp+")
    assert len(list(artifact(run.id, "images").glob("*+compressed.webp"))) == 1
    with Image.open(file) as kept:
        np.testing.assert_array_equal(np.asarray(kept).reshape(shape), pixels)
    assert read(tracking, run).data.tags["mlflow.loggedImages"] == "True"


@pytest.mark.parametrize("pixels", [np.zeros((8, 8), np.float32), np.zeros((8, 8, 4), np.uint8), np.zeros(8, np.uint8)])
def test_other_pictures_are_refused(tracking, pixels):
    with tracking.run("x") as run, pytest.raises(SrexpError, match="panel"):
        run.log_image(pixels, key="panel", step=0)


def test_figures_files_texts_and_tables_are_kept(tracking, artifact, tmp_path):
    from matplotlib.figure import Figure

    (tmp_path / "scores.csv").write_text("psnr\n40\n")
    with tracking.run("x") as run:
        run.log_figure(Figure(figsize=(2, 2)), "figures/curves.png")
        run.log_file(tmp_path / "scores.csv", "scores")
        run.log_text("see http://a:b@host", "notes/a.txt")
        run.log_dict({"psnr": 40.0}, "result.json")
        run.log_rows([{"a": 1, "b": None}], "rows.csv")
        run.log_rows([], "none.csv")
    assert artifact(run.id, "figures/curves.png").read_bytes().startswith(b"\x89PNG")
    assert artifact(run.id, "scores/scores.csv").read_text() == "psnr\n40\n"
    assert artifact(run.id, "notes/a.txt").read_text() == "see http://***@host"
    assert json.loads(artifact(run.id, "result.json").read_text()) == {"psnr": 40.0}
    assert artifact(run.id, "rows.csv").read_text() == "a,b\n1,\n"
    assert artifact(run.id, "none.csv").read_text().strip() == ""
    assert run.seconds > 0


def test_children_know_their_parent_and_all_end(tracking):
    with tracking.run("x", name="parent") as parent:
        children = []
        for index in range(2):
            with tracking.run("x", name=f"child {index}", parent=parent.id) as child:
                child.log_metrics({"loss": float(index)}, step=1)
            children.append(read(tracking, child))
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.id}
    assert [child.data.metrics["_train/loss"] for child in children] == [0.0, 1.0]
    assert read(tracking, parent).info.status == "FINISHED"
    assert {child.info.status for child in children} == {"FINISHED"}


class BrokenError(Exception):
    pass


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (BrokenError("loss is NaN at http://ann:secret@host"), "FAILED", "BrokenError: loss is NaN at http://***@host"),
        (RequestError("wrong"), "FAILED", "RequestError: wrong"),
        (BrokenError(), "FAILED", "BrokenError"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
        (SystemExit(3), "FAILED", "SystemExit: 3"),
        (SystemExit(0), "FINISHED", None),
        (SystemExit(), "FINISHED", None),
    ],
)
def test_the_end_says_what_happened_and_metrics_survive_it(tracking, failure, status, reason):
    with pytest.raises(type(failure)), tracking.run("x") as run:  # noqa: PT012 - the context is what is tested
        run.log_metrics({"loss": 1.0}, step=1)
        raise failure
    kept = read(tracking, run)
    assert kept.info.status == status
    assert kept.data.tags.get("srexp.error") == reason
    assert kept.data.metrics == {"_train/loss": 1.0}


def test_a_run_is_killed_when_c_code_makes_another_error_of_the_interruption(tracking):
    with pytest.raises(Interrupted), tracking.run("x") as run:  # noqa: PT012 - the context is what is tested
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error
    kept = read(tracking, run)
    assert (kept.info.status, kept.data.tags["srexp.error"]) == ("KILLED", "Interrupted: SIGTERM")


def test_mlflow_s_process_wide_state_is_left_alone(tracking, monkeypatch):
    import mlflow

    with tracking.run("x"):
        assert mlflow.active_run() is None
        assert not mlflow.is_tracking_uri_set()
        assert "MLFLOW_TRACKING_URI" not in os.environ


def test_nothing_is_said_on_the_terminal(tracking, capfd):
    with tracking.run("x") as run:
        run.log_text("a", "a.txt")
    assert capfd.readouterr() == ("", "")


def test_fifty_epochs_of_metrics_cost_training_less_than_a_tenth_of_a_second(tracking):
    names = ("loss", "val_psnr", "val_ssim", "lr", "seconds", "patches_per_second")
    with tracking.run("x") as run:
        begin = time.thread_time()  # of this thread alone, however busy the machine is
        for epoch in range(50):
            run.log_metrics(dict.fromkeys(names, 1.0), step=epoch)
        assert time.thread_time() - begin < 0.1


@pytest.mark.parametrize("values", [{"flush_seconds": 0}, {"system_metrics_seconds": -1}, {"max_images": -1}])
def test_numbers_out_of_range_are_refused_by_key(values):
    with pytest.raises(RequestError, match=rf"tracking\.{next(iter(values))}=.*(greater than|or equal to) 0"):
        check_section("tracking", {"_target_": "srexp.tracking.runs.tracking.Tracking", **values}, [])


def test_a_run_that_ended_takes_nothing_more(tracking):
    with tracking.run("x") as run:
        pass
    with pytest.raises(SrexpError, match=f"run {run.id}, which has ended"):
        run.log_metrics({"loss": 1.0}, step=1)


def test_a_run_goes_on_where_it_ended(tracking):
    with contextlib.suppress(KeyboardInterrupt), tracking.run("x", name="first") as run:
        run.log_metrics({"loss": 2.0}, step=1)
        raise KeyboardInterrupt
    assert read(tracking, run).info.status == "KILLED"
    with tracking.run("x", resume=run.id, tags={"again": True}) as resumed:
        assert read(tracking, run).info.status == "RUNNING"
        resumed.log_metrics({"loss": 1.0}, step=2)
    kept = read(tracking, run)
    assert (kept.info.status, kept.info.run_name, kept.data.tags["again"]) == ("FINISHED", "first", "true")
    history = connect(tracking.store).get_metric_history(run.id, "_train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 2.0), (2, 1.0)]
    with pytest.raises(SrexpError, match="can't be resumed"), tracking.run("x", resume="0" * 32):
        pass
