"""What the parent run of a multirun shows of its runs."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from srexp.experiment.multirun import page, summary
from srexp.experiment.multirun.job import Job
from srexp.tracking.runs import queries
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect


@pytest.fixture
def tracking(tmp_path):
    return Tracking(folder=tmp_path / "mlruns", system_metrics=False)


def job(folder, lr: str, run_id: str, psnr: float) -> Job:
    result = {
        "run_id": run_id, "validation": {"psnr": psnr}, "test": {"psnr": psnr + 1, "ssim": 0.9}, "gain_db": None,
        "data_fingerprint": "ab", "protocol": {"shave": 2},
    }  # fmt: skip
    return Job(folder / lr, "train", {"optimizer.lr": lr}, result, {}, f"c{lr}")


def test_a_parent_has_curves_a_picture_and_a_table_with_its_best_row(tracking, tmp_path) -> None:
    with tracking.run("task", name="multirun 2026-11-29/11-30") as parent:
        jobs = []
        for lr, psnr in (("1e-3", 40.0), ("1e-4", 41.0)):
            with tracking.run("task", parent=parent.id, tags={"model": f"net{lr}", "scale": 2}) as child:
                for epoch in (1, 2):
                    child.log_metrics({"val_psnr": psnr - 1 / epoch}, step=epoch)
            jobs.append(job(tmp_path, lr, child.id, psnr))
        table = summary.summarise(jobs)
        page.show(tracking.store, parent.id, jobs, table, summary.write(table, tmp_path))
    client = connect(tracking.store)
    kept = client.get_run(parent.id)
    assert kept.info.run_name == "multirun of optimizer.lr 2026-11-29/11-30"
    assert [point.value for point in client.get_metric_history(parent.id, "runs/val_psnr")] == [40.0, 41.0]
    curve = client.get_metric_history(parent.id, "curves/lr 1e-4")
    assert [(point.step, point.value) for point in curve] == [(1, 40.0), (2, 40.5)]
    # The columns of a list: the best row by validation, and what its runs are.
    assert {name: value for name, value in kept.data.metrics.items() if name.startswith(("val/", "test/"))} == {
        "val/best_psnr": 41.0,
        "test/psnr": 42.0,
        "test/ssim": 0.9,
    }
    assert {key: kept.data.tags[key] for key in ("verb", "model", "scale")} == {
        "verb": "multirun",
        "model": "net1e-3, net1e-4",
        "scale": "2",
    }
    note = kept.data.tags["mlflow.note.content"]
    assert "those of its best row, chosen among 2 by validation PSNR" in note
    assert f"get-artifact?path={page.PICTURE}&run_uuid={parent.id}" in note
    assert note.index("| 1e-3 |") < note.index("| **1e-4** |")
    command = note[note.index("    python") :]
    assert max(map(len, command.splitlines())) < 80
    wanted = f"runs=[{','.join(str(each.result['run_id']) for each in jobs)}]"
    assert shlex.split(command.replace("\\\n    ", "")) == ["python", "-m", "srexp", "compare", wanted]
    files = {file.path for file in client.list_artifacts(parent.id)}
    assert files == {"summary.csv", "summary.json", page.PICTURE}


@pytest.mark.slow
def test_the_seeds_of_one_row_give_the_parent_their_mean_and_rows_of_other_data_none(tracking, tmp_path) -> None:
    def shown(jobs):
        with tracking.run("task") as parent:
            pass
        table = summary.summarise(jobs)
        page.show(tracking.store, parent.id, jobs, table, summary.write(table, tmp_path))
        return connect(tracking.store).get_run(parent.id).data

    def seeded(seed: int, psnr: float, **overrides: str) -> Job:
        with tracking.run("task") as child:
            pass
        one = job(tmp_path, f"{seed}", child.id, psnr)
        return replace(one, overrides={"seed": f"{seed}", **overrides}, configuration=f"{overrides}")

    alone = shown([seeded(1, 40.0), seeded(2, 41.0)])
    assert (alone.metrics["val/best_psnr"], alone.metrics["test/psnr"]) == (40.5, 41.5)
    assert "the means of its row" in alone.tags["mlflow.note.content"]

    other = seeded(1, 45.0, scale="3")
    other.result["data_fingerprint"] = "other data"
    apart = shown([seeded(1, 40.0, scale="2"), other])
    assert not [name for name in apart.metrics if name.startswith(("val/", "test/"))]


def test_a_multirun_without_any_run_shows_its_table(tracking, tmp_path) -> None:
    with tracking.run("task") as parent:
        pass
    failed = Job(tmp_path / "0", "train", {"seed": "1"}, {}, {"message": "no images", "exit_code": 2})
    table = summary.summarise([failed])
    assert table.best is None
    page.show(tracking.store, parent.id, [failed], table, summary.write(table, tmp_path))
    shown = connect(tracking.store).get_run(parent.id).data
    assert "1 seed" not in shown.tags["mlflow.note.content"]
    assert not shown.metrics
    assert queries.get_run(tracking.store, parent.id).status == "FINISHED"
