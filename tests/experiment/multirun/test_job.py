"""What is left of a job on disk shows no credentials."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from srexp import cli
from srexp.experiment.multirun import job
from srexp.system.stdio import complain


@pytest.mark.parametrize("more", [[], ["-m", "seed=1,2"]], ids=["run", "multirun"])
def test_no_file_of_a_run_has_the_password_of_its_store(more, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    assert cli.run(["check", *more, "tracking.uri='https://ann:pa55word@host/x?token=pa55word'"]) == 0
    files = [path for path in (tmp_path / "mlruns" / "outputs").rglob("*") if path.is_file()]
    assert any(path.name == "overrides.yaml" for path in files)
    assert [path for path in files if b"pa55word" in path.read_bytes()] == []
    if more:
        [sweep] = {path.parent for path in files if path.name == "multirun.yaml"}
        assert "***" in job.jobs(sweep)[0].overrides["tracking.uri"]


def test_a_job_keeps_no_name_of_a_file_that_was_typed_and_the_terminal_says_it(tmp_path, capsys):
    job.begin(tmp_path, "enhance", ["input=scans/19450201_MEIER.png", "output='19450201 out'", "format=png"])
    assert b"19450201" not in (tmp_path / job.JOB).read_bytes()
    (tmp_path / job.JOB).rename(tmp_path / "kept")
    typed = job.Job(tmp_path, **json.loads((tmp_path / "kept").read_text()), result={}, failure={})
    complain(f"job {typed}")
    assert "job input=scans/19450201_MEIER.png output='19450201 out' format=png" in capsys.readouterr().err


def test_jobs_are_listed_while_another_one_takes_its_folders_away(tmp_path, monkeypatch):
    for name in ("0", "1"):
        job.begin(tmp_path / name, "train", [])
        (tmp_path / name / "checkpoints").mkdir()
    scan = os.scandir

    def then_gone(folder):
        if str(folder).endswith("checkpoints"):
            shutil.rmtree(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", then_gone)
    assert [each.folder.name for each in job.jobs(tmp_path)] == ["0", "1"]
    job.forget(tmp_path)
    assert job.jobs(tmp_path) == []


@pytest.mark.parametrize("name", [job.JOB, job.RESULT, job.FAILURE])
@pytest.mark.parametrize("content", [b"", b'{"verb": "tr', b"\xff", b"[]"], ids=["empty", "half", "no text", "list"])
def test_a_damaged_file_of_a_job_is_named_and_harms_no_other(name, content, tmp_path):
    for number in range(3):
        job.begin(tmp_path / str(number), "train", ["seed=1"])
        job.finish(tmp_path / str(number), {"run_id": "r"})
    (tmp_path / "1" / name).write_bytes(content)
    states = [each.state for each in job.jobs(tmp_path)]
    assert states == ["finished", "failed", "finished"]
    failure = job.jobs(tmp_path)[1].failure
    assert failure["message"].startswith(f"{tmp_path / '1' / name} can't be read: it ")
    assert "repeat the multirun" in failure["message"]
    assert failure["exit_code"] == 1
