"""The runs of a multirun while the store is away."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from srexp.config.compose import compose
from srexp.errors import SrexpError
from srexp.experiment.multirun import driver, job
from srexp.tracking.runs.tracking import Tracking


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    return replace(compose("train", [])[0], sweep=tmp_path)


def test_a_multirun_begins_without_a_store_that_is_away(config, tmp_path, caplog):
    tracking = Tracking(folder=tmp_path, uri="http://127.0.0.1:9", system_metrics=False)
    assert driver.finished_before(tracking, config, "same") is None
    assert driver.parent(tracking, config) is None
    assert not (tmp_path / driver.PARENT).exists()
    assert "no parent run" in caplog.text
    driver.close(tmp_path, "FINISHED", pytest.fail, pytest.fail)


@pytest.mark.parametrize("asked", [None, "1"])
def test_rays_statistics_are_off_unless_the_user_wants_them(tmp_path, monkeypatch, asked):
    for name in (driver.DRIVER, "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "")  # and what is announced ends with the test
        monkeypatch.delenv(name)
    if asked:
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", asked)
    driver.announce(tmp_path)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == (asked or "0")


def test_a_store_that_answers_and_refuses_is_not_away(config, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise SrexpError("the tables are of another MLflow")

    monkeypatch.setattr(driver.groups, "find_finished", refuse)
    tracking = Tracking(folder=tmp_path, system_metrics=False)
    with pytest.raises(SrexpError, match="another MLflow"):
        driver.finished_before(tracking, config, "same")


@pytest.mark.parametrize("content", ["", '{"run_id": "r', "[]", '{"run_id": "r"}'])
def test_a_damaged_note_of_the_parent_is_named_and_the_jobs_are_summed_up(content, config, tmp_path):
    tracking = Tracking(folder=tmp_path, system_metrics=False)
    job.begin(tmp_path / "0", "train", ["seed=1"])
    job.fail(tmp_path / "0", SrexpError("no room"))
    note = tmp_path / driver.PARENT
    note.write_text(content)
    named = f"{note} can't be read: .*\n.*\n.*repeat the multirun; .*`python -m srexp runs reap=true`"
    with pytest.raises(SrexpError, match=named):
        driver.parent(tracking, config)
    told = []
    with pytest.raises(SrexpError, match=named):
        driver.close(tmp_path, "FAILED", lambda table, _: told.append(table.rows[0].reasons), pytest.fail)
    assert told == [["no room"]]
    assert note.read_text() == content
