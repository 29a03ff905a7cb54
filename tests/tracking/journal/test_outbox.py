"""What a run writes reaches the store in order and in portions, and its writer never waits for that."""

import threading
import time

import pytest

from srexp.tracking.journal import replay
from srexp.tracking.journal.outbox import Outbox
from srexp.tracking.journal.replay import Replay
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect


@pytest.fixture(autouse=True)
def _nobody_gave_up():
    Outbox.given_up.clear()
    yield
    Outbox.given_up.clear()


def test_points_of_several_threads_arrive_in_order(tracking):
    with tracking.run("x") as run:
        write = lambda name: [run.log_metrics({name: step / 7}, step=step, milliseconds=step) for step in range(300)]  # noqa: E731
        threads = [threading.Thread(target=write, args=(f"m{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(4):
        history = connect(tracking.store).get_metric_history(run.id, f"m{number}")
        assert [(point.step, point.timestamp, point.value) for point in history] == [
            (step, step, step / 7) for step in range(300)
        ]


def test_portions_keep_within_mlflow_s_limits(tracking, monkeypatch):
    sizes = []
    send = Replay._metrics
    monkeypatch.setattr(Replay, "_metrics", lambda self, batch: (sizes.append(len(batch)), send(self, batch)))
    with tracking.run("x") as run:
        run.log_metrics({f"m{number}": number for number in range(2 * replay.MAX_POINTS + 1)}, step=0)
        for step in range(1, 1500):
            run.log_metrics({"loss": 1.0}, step=step)
    kept = connect(tracking.store)
    assert len(kept.get_run(run.id).data.metrics) == 2 * replay.MAX_POINTS + 2
    assert len(kept.get_metric_history(run.id, "loss")) == 1499
    assert sum(sizes) == 1500
    assert max(sizes) <= replay.MAX_POINTS


def test_training_goes_on_while_the_store_takes_its_time(tracking, monkeypatch):
    answered, waits = threading.Event(), []
    monkeypatch.setattr(Replay, "_metrics", lambda *_: waits.append(answered.wait(60)))
    with tracking.run("x") as run:
        for step in range(50):
            run.log_metrics({f"m{number}": 0.0 for number in range(10)}, step=step)
        answered.set()
    assert waits
    assert all(waits)  # the store was slower than whoever wrote


def test_the_end_waits_as_long_as_it_was_told_and_less_when_asked_to_end(runs, monkeypatch):
    def refuse(*_):
        raise ConnectionError("gone")

    took = {}
    for seconds, impatient in ((2, False), (60, True)):
        Outbox.given_up.clear()
        tracking = Tracking(folder=runs, system_metrics=False, wait_seconds=seconds)
        with pytest.MonkeyPatch.context() as patched:
            run = tracking._open({"op": "create", "experiment": "x", "name": None, "tags": {}}, None)
            run.begin()
            patched.setattr(Replay, "_metrics", refuse)
            run.log_metrics({"loss": 1.0}, step=1)
            begin = time.perf_counter()
            run.end("FINISHED", impatient=lambda impatient=impatient: impatient)
            took[impatient] = time.perf_counter() - begin
            assert run.pending()["reason"] == "gone"
    assert took[False] >= 2
    assert took[True] < 30


def test_nobody_waits_twice_for_a_store_that_did_not_come_back(runs, monkeypatch):
    tracking = Tracking(folder=runs, system_metrics=False, wait_seconds=3)
    with tracking.run("x") as run:
        pass

    def refuse(*_):
        raise ConnectionError("gone")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Replay, "_send", refuse)
        with tracking.run("x") as run:
            assert not run.flush()
            begin = time.perf_counter()
            assert not run.flush()
            assert time.perf_counter() - begin < 2.5
    with tracking.run("x") as after:
        assert after.flush()
    assert tracking.store.uri not in Outbox.given_up
