"""Workers of a search that end: well, with a reason, or without a word. Whole searches are in `tests/stories`."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from srexp.errors import RequestError, SrexpError
from srexp.experiment.multirun import job
from srexp.experiment.search import workers
from srexp.experiment.search.workers import Workers, _Started
from srexp.system import process_identity


class Watched(Workers):
    """Workers of a study whose trials are given; none is started."""

    def __init__(self, trials=(), max_failures=1):
        self.retried = []
        study = SimpleNamespace(trials=lambda: trials, retry=lambda *given: self.retried.append(given))
        engine, tracking = SimpleNamespace(max_failures=max_failures), SimpleNamespace(store="store")
        search = SimpleNamespace(config=None, engine=engine, study=study, tracking=tracking, files=None)
        super().__init__(search, "parent")

    def _start(self):
        self.started += 1


@pytest.fixture(autouse=True)
def reaped(monkeypatch):
    """The runs that are looked for, whose process may be gone."""
    asked = []
    monkeypatch.setattr(workers.groups, "reap", lambda store, **given: asked.append((store, given)))
    return asked


@pytest.fixture
def ended(tmp_path):
    """A worker that ended with a code."""

    def ended(code):
        process = SimpleNamespace(poll=lambda: code, returncode=code, stdin=None)
        return _Started(process, tmp_path, (tmp_path / "worker.log").open("wb"))

    return ended


def test_a_worker_that_has_nothing_to_do_any_more_is_followed_by_none(ended):
    watched = Watched()
    watched.living = [worker := ended(0), ended(None)]
    watched._look()
    assert (watched.started, watched.deaths, len(watched.living)) == (0, 0, 1)
    assert worker.log.closed
    watched.living[0].log.close()


def test_a_worker_that_dies_is_followed_by_another_as_often_as_trials_may_fail(ended, tmp_path):
    watched = Watched(max_failures=1)
    watched.living = [ended(-9)]
    watched._look()
    assert (watched.started, watched.living) == (1, [])
    watched.living = [ended(-9)]
    with pytest.raises(SrexpError, match="2 workers died, the last one ended by SIGKILL") as failed:
        watched._look()
    assert str(tmp_path / "worker.log") in failed.value.fix
    assert watched.started == 1


@pytest.mark.parametrize("kind", [RequestError, SrexpError])
def test_the_reason_that_a_worker_left_is_that_of_the_search(ended, tmp_path, kind):
    job.fail(tmp_path, kind("the network refuses it"))
    watched = Watched()
    watched.living = [ended(kind.exit_code)]
    with pytest.raises(SrexpError, match="the network refuses it") as failed:
        watched._look()
    assert type(failed.value) is kind
    assert watched.started == 0


def test_trials_of_a_process_that_is_gone_are_tried_again_and_their_runs_closed(monkeypatch, reaped):
    def trial(number, state, pid):
        return SimpleNamespace(number=number, state=state, facts={"pid": pid})

    trials = [trial(0, "running", 7), trial(1, "running", 8), trial(2, "finished", 7)]
    monkeypatch.setattr(process_identity, "is_gone", lambda facts: facts["pid"] == 7)
    watched = Watched(trials)
    watched.retry_lost()
    assert watched.retried == [(0, "its worker, process 7, was gone")]
    assert reaped == [("store", {"parent": "parent", "reason": "its worker was gone"})]
