"""What every study decides by itself, whichever engine keeps its trials."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from srexp.errors import SrexpError
from srexp.search.ask_and_tell import TrialOutcome
from srexp.search.study import MAX_RETRIES, require_few_failures
from srexp.types import Trial
from tests.search.engines import states

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def failed(number: int, minutes: int | None = 0, **facts: Any) -> Trial:
    ended = None if minutes is None else NOON + timedelta(minutes=minutes)
    return Trial(number=number, state="failed", values={}, facts={"reason": f"fault {number}", **facts}, ended=ended)


@pytest.mark.parametrize(
    ("trials", "last"),
    [
        ([failed(0, 5), failed(1, 9), failed(2, 7)], 1),
        ([failed(0, 5), failed(1, 5)], 1),
        ([failed(0, -(10**7)), failed(1, None)], 0),
        ([failed(0), failed(1, None), failed(2, None)], 0),
    ],
)
def test_the_failure_that_ended_last_is_the_one_that_is_told(trials, last):
    require_few_failures(trials, len(trials))
    with pytest.raises(SrexpError, match=rf"trial {last} last: fault {last}") as refused:
        require_few_failures(trials, len(trials) - 1)
    assert f"search.max_failures={len(trials)} goes on" in refused.value.fix


def test_only_failures_that_are_not_tried_again_count():
    again = Trial(number=2, state="running", values={}, facts={"retry_of": 0})
    others = [
        Trial(number=number, state=state, values={})
        for number, state in enumerate(("finished", "pruned", "running"), start=3)
    ]
    require_few_failures([failed(0), failed(1, requeued=True), again, *others], 0)
    unknown = Trial(number=6, state="failed", values={})
    with pytest.raises(SrexpError, match=r"1 trials failed.*trial 6 last: its reason was not kept"):
        require_few_failures([failed(0), again, unknown], 0)


def test_the_log_says_what_failed_and_when_nothing_is_left(engine, caplog):
    caplog.set_level(logging.INFO, logger="srexp")
    study = engine.opened(trials=9, **engine.grid)
    first, *others = [study.ask() for _ in range(4)]
    assert study.ask() == "wait"
    study.tell(first, TrialOutcome("failed", reason="no memory"))
    for one in others:
        study.tell(one, TrialOutcome("finished", [30.0]))
    assert [record.getMessage() for record in caplog.records] == ["trial 0 failed: no memory"]
    assert study.ask() == "over"
    assert "the space has no values that were not tried" in caplog.text


def test_who_trains_is_this_process_or_whoever_is_named(engine):
    study = engine.opened(trials=2)
    study.ask()
    study.ask({"host": "elsewhere", "pid": 3, "process_start": 1.0})
    mine, other = (trial.facts for trial in study.trials())
    assert (mine["pid"], other["pid"], other["host"]) == (os.getpid(), 3, "elsewhere")
    assert states(engine.opened(trials=2)) == ["running"] * 2  # of another machine nobody can tell


def test_deaths_are_counted_and_interruptions_are_not(engine):
    study = engine.opened(trials=1, max_failures=0)
    for deaths in range(MAX_RETRIES + 1):
        trial = study.ask()
        study.tell(trial, TrialOutcome("interrupted", reason="interrupted: by hand"))
        trial = study.ask()
        assert study.trials()[-1].facts.get("deaths", 0) == deaths
        study.retry(trial.number, "out of memory")
    reasons = [trial.facts["reason"] for trial in study.trials()]
    assert reasons[-1] == f"out of memory; so were the {MAX_RETRIES} trials before with the same values"
    assert reasons[:-1] == ["interrupted: by hand", "out of memory"] * MAX_RETRIES + ["interrupted: by hand"]


def test_a_study_lies_in_its_folder_whether_that_is_there_or_not(engine, tmp_path):
    folder = tmp_path / "studies" / "deep"
    study = engine.opened(folder=folder)
    with study.locked(), study.alone():
        assert {"study.lock", "parent.lock"} <= {path.name for path in folder.iterdir()}
    assert engine.opened(folder=folder).trials() == []
