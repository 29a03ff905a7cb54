"""What a run writes reaches the store in order and in portions, and its writer never waits for that."""

import logging
import threading
import time
from types import SimpleNamespace

import pytest

from srexp.tracking.journal import outbox as outbox_module
from srexp.tracking.journal import recovery, replay
from srexp.tracking.journal.journal import Journal
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
    assert len(kept.get_metric_history(run.id, "_train/loss")) == 1499
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
    for seconds, impatient in ((1, False), (200, True)):
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
    assert took[False] >= 1
    assert took[True] < 100


def test_nobody_waits_twice_for_a_store_that_did_not_come_back(runs, monkeypatch):
    tracking = Tracking(folder=runs, system_metrics=False, wait_seconds=1)
    with tracking.run("x") as run:
        pass

    def refuse(*_):
        raise ConnectionError("gone")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Replay, "_send", refuse)
        with tracking.run("x") as run:
            assert not run.flush()
            run.wait_seconds = 200
            begin = time.monotonic()
            assert not run.flush()
            assert time.monotonic() - begin < 100
    with tracking.run("x") as after:
        assert after.flush()
    assert tracking.store.uri not in Outbox.given_up


@pytest.fixture
def outbox(tmp_path, monkeypatch):
    """An outbox with two operations, for a store that takes one each time that `answers` lets it, or fails as told."""
    answers = threading.Semaphore(0)

    def take(replay):
        answers.acquire(timeout=60)
        if refusals:
            raise refusals[0]
        replay.journal.done([replay.journal.waiting[0]])

    refusals = []
    monkeypatch.setattr(Replay, "next", take)
    monkeypatch.setattr(recovery, "send", lambda *_, **__: ())
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    for kind in ("create", "end"):
        journal.add(kind)
    made = Outbox(SimpleNamespace(uri="sqlite:///none"), journal, seconds=0.01)
    yield SimpleNamespace(outbox=made, answers=answers, refusals=refusals)
    refusals.clear()
    answers.release(100)
    made.close()


def test_a_start_says_that_the_store_answered_and_why_it_did_not(outbox):
    outbox.refusals.append(ConnectionError("gone"))
    outbox.answers.release()
    assert str(outbox.outbox.start(30)) == "gone"


def test_a_start_waits_no_longer_than_it_may(outbox):
    assert isinstance(outbox.outbox.start(0.05), TimeoutError)


def test_a_flush_waits_for_a_store_that_takes_its_time(outbox):
    outbox.outbox.journal.add("end")
    outbox.answers.release()
    assert outbox.outbox.start(30) is None
    for seconds in (0.1, 0.2):
        threading.Timer(seconds, outbox.answers.release).start()
    assert outbox.outbox.flush(30, until=0)
    assert outbox.outbox.flush(30)
    assert not Outbox.given_up


class Clock:
    """A clock and a condition in one: it goes on by what is waited, and the store takes something at each time."""

    def __init__(self, made, *times):
        self.now, self.made, self.times, self.waits = 0.0, made, list(times), []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds
        if self.times and self.now >= self.times[0]:
            self.times.pop(0)
            self.made.journal.done([self.made.journal.waiting[0]])
            self.made._taken += 1


@pytest.mark.parametrize(
    ("options", "has_it", "at"),
    [
        ({}, True, 6.0),
        ({"in_all": True}, False, 2.25),
        ({"until": 1}, True, 4.0),
        ({"impatient": lambda: True}, False, 0.0),
    ],
)
def test_a_store_that_takes_something_now_and_then_is_waited_for_unless_time_is_short(
    tmp_path, monkeypatch, options, has_it, at
):
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    for _ in range(3):
        journal.add("tags")
    made = Outbox(SimpleNamespace(uri="sqlite:///none"), journal, seconds=0.01)
    made._changed = clock = Clock(made, 2.0, 4.0, 6.0)
    monkeypatch.setattr(outbox_module.time, "monotonic", lambda: clock.now)
    assert made.flush(2.25, **options) == has_it
    assert clock.now == at
    assert max(clock.waits, default=0) <= 0.5  # so that whoever becomes impatient is heard soon
    assert Outbox.given_up == ({"sqlite:///none"} if options.get("in_all") else set())
    if Outbox.given_up:  # nobody waits for it again
        assert not made.flush(1.0)
        assert clock.now == at
    journal.close()


def test_what_the_run_left_before_goes_first_and_what_others_left_last(tmp_path, monkeypatch):
    done, before, journal = [], *(Journal.begin(tmp_path / name, tmp_path / "pending") for name in "ab")
    before.add("tags")
    for kind in ("resume", "end"):
        journal.add(kind)

    def take(replay):
        done.append((replay.journal.id, replay.journal.waiting[0]["op"]))
        replay.journal.done([replay.journal.waiting[0]])

    def others(store, index, *, between):
        done.append((store.uri, index))
        assert between()
        made._closing.set()
        assert not between()

    monkeypatch.setattr(Replay, "next", take)
    monkeypatch.setattr(recovery, "send", others)
    monkeypatch.setattr(recovery, "settle", lambda one: done.append((one.id, "settled")))
    made = Outbox(SimpleNamespace(uri="sqlite:///none"), journal, seconds=0.01, before=[before])
    assert (made._thread.daemon, made._thread.name) == (True, outbox_module.NAME)
    assert made.start(30) is None
    made._thread.join(30)
    ours = [(journal.id, "resume"), (journal.id, "end")]
    assert done == [(before.id, "tags"), (before.id, "settled"), *ours, ("sqlite:///none", tmp_path / "pending")]
    assert not list((tmp_path / "pending").iterdir())


def test_what_others_left_is_sent_once_and_only_to_a_store_that_answers(outbox, monkeypatch):
    sent = []
    monkeypatch.setattr(recovery, "send", lambda *_, **__: sent.append(1))
    outbox.refusals.append(ConnectionError("gone"))
    outbox.answers.release(5)
    assert outbox.outbox.start(30) is not None
    time.sleep(0.1)
    assert sent == []
    outbox.refusals.clear()
    outbox.answers.release(100)
    assert outbox.outbox.flush(30)
    for _ in range(3):
        outbox.outbox.journal.add("tags")
        assert outbox.outbox.flush(30)
    outbox.outbox.close()
    outbox.outbox._thread.join(30)
    assert sent == [1]


def test_mlflow_s_tracebacks_of_this_thread_alone_are_left_out():
    record = logging.LogRecord("mlflow.store.db.utils", logging.ERROR, "", 0, "", (), None)
    assert outbox_module._not_ours(record)
    record.threadName = outbox_module.NAME
    assert not outbox_module._not_ours(record)
    assert outbox_module._not_ours in logging.getLogger("mlflow.store.db.utils").filters


def test_a_store_that_took_nothing_in_time_is_given_up_unless_somebody_was_impatient(outbox):
    outbox.answers.release()
    assert outbox.outbox.start(30) is None
    assert not outbox.outbox.flush(30, impatient=lambda: True)
    assert not Outbox.given_up
    assert not outbox.outbox.flush(0.05)
    assert Outbox.given_up == {"sqlite:///none"}


def test_a_store_that_takes_nothing_is_asked_more_and_more_seldom(outbox):
    class Clock(threading.Event):
        def wait(self, timeout):
            pauses.append(timeout)
            if len(pauses) > 14:
                outbox.outbox._closing.set()
            return True

    pauses, outbox.outbox._wake = [], Clock()
    outbox.refusals.append(ConnectionError("gone"))
    outbox.answers.release(1000)
    assert outbox.outbox.start(30) is not None
    outbox.outbox._thread.join(30)
    assert pauses == pytest.approx([0, *(0.01 * 2**number for number in range(10)), 10, 10, 10, 10])


def test_an_outage_is_told_once_and_the_next_one_again(outbox, caplog):
    outbox.answers.release()
    assert outbox.outbox.start(30) is None
    gone = ConnectionError("gone")
    for failures, told in (((gone, gone), 1), ((None, gone, gone), 2)):
        for failure in failures:
            outbox.outbox._tell(failure)
        assert [record.message.rpartition(" ")[2] for record in caplog.records] == ["gone"] * told


def test_an_outage_at_the_start_is_told_by_who_started(outbox, caplog):
    outbox.refusals.append(ConnectionError("gone"))
    outbox.answers.release(2)
    assert outbox.outbox.start(30) is not None
    outbox.outbox._tell(ConnectionError("gone"))
    assert not caplog.records
