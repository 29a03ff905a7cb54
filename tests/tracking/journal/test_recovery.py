"""What a store that is away hasn't got: where it waits, and that sending it twice doesn't double it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.tracking.journal import recovery, replay
from srexp.tracking.journal.journal import NAME, Journal
from srexp.tracking.journal.outbox import Outbox
from srexp.tracking.registry import registry
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect
from tests.tracking.outages import differences


@pytest.fixture
def away(monkeypatch):
    """A store that can't be reached until `come` is called."""

    class Away:
        def __init__(self):
            monkeypatch.setattr(replay, "connect", self.connect)
            self.here = False

        def connect(self, store):
            if self.here:
                return connect(store)
            try:
                raise ConnectionRefusedError("nobody listens")
            except OSError as error:
                raise SrexpError("the tracking store can't be opened") from error

        def come(self):
            self.here = True

    Outbox.given_up.clear()
    yield Away()
    Outbox.given_up.clear()


@pytest.fixture
def tracking(runs, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracking(folder=runs, system_metrics=False, flush_seconds=0.05, wait_seconds=0.3)


def written(run):
    run.log_config({"model": {"name": "small"}}, "model: small")
    splits = {"train": {"images": 8}, "test": {"images": 2}}
    run.log_dataset(name="small", source="here", fingerprint="0" * 64, splits=splits, manifest=[{"key": "a"}])
    for epoch in range(1, 30):
        run.log_metrics({"val_psnr": 30 + epoch / 7, "odd": float("nan")}, step=epoch)
    run.log_image(np.zeros((8, 8), np.uint8), key="panel/a", step=0)


def test_a_run_that_the_store_never_saw_waits_whole(tracking, away, caplog):
    with tracking.run("x", name="late") as run:
        written(run)
        assert run.id == f"pending-{run.journal.id}"
    assert (tracking.folder / "pending" / run.journal.id).is_file()
    waiting = run.pending()
    assert waiting["reason"].startswith("the tracking store can't be opened")
    for text in ("the work goes on", waiting["folder"], "runs sync=true"):
        assert text in caplog.text
    away.come()
    (sent,) = recovery.send(tracking.store, tracking.index)
    assert (sent.records, sent.left, sent.refused) == (waiting["records"], 0, [])
    assert differences(run.journal.folder / NAME, tracking.store.uri) == []
    assert recovery.send(tracking.store, tracking.index) == []


def test_what_is_missing_is_noticed_by_the_comparison(tracking):
    with tracking.run("x") as run:
        written(run)
    journal = run.journal.folder / NAME
    assert differences(journal, tracking.store.uri) == []
    client = connect(tracking.store)
    client.log_metric(run.id, "odd", 1.0, step=3)
    client.log_text(run.id, "else", "config.yaml")
    client.log_param(run.id, "more", 1)
    client.set_terminated(run.id, "FAILED")
    kinds = [text.split()[0] for text in differences(journal, tracking.store.uri)]
    assert sorted(set(kinds)) == ["artifact", "ended", "metric", "param", "tag"]  # the tags of what can go on


def test_sending_a_journal_twice_doubles_nothing(tracking, away, tmp_path):
    """A process that was killed after it had sent, and before it could note that, begins anew."""
    import keras

    image = keras.Input((None, None, 1))
    network = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    with tracking.run("x", folder=tmp_path / "run") as run:
        written(run)
        uri = registry.log_best(run, network, channels=1, step=3, metrics={"test_psnr": 33.0})
        assert registry.register(run, uri, "model", tags={"psnr": 33.0}) is None
    journal = run.journal.folder
    shutil.copytree(journal, tmp_path / "copy" / "journal" / journal.name)
    pointer = tmp_path / "index" / journal.name
    pointer.parent.mkdir()
    pointer.write_text(str(tmp_path / "copy" / "journal" / journal.name))
    away.come()
    for index in (tracking.index, pointer.parent):
        (sent,) = recovery.send(tracking.store, index)
        assert (sent.left, sent.refused) == (0, [])
    assert differences(journal / NAME, tracking.store.uri) == []
    version = connect(tracking.store).get_model_version_by_alias("model", "candidate")
    assert (int(version.version), version.run_id) == (1, sent.run_id)


def test_a_model_that_is_loaded_while_the_store_is_away_is_the_packed_one(tracking, away, tmp_path):
    import keras

    image = keras.Input((None, None, 1))
    network = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
    probe = np.random.default_rng(0).random((1, 20, 16, 1), dtype=np.float32)
    with tracking.run("x", folder=tmp_path) as run:
        uri = registry.log_best(run, network, channels=1, step=3, metrics={})
        assert registry.verify(run, uri, network, probe) == 0
        network.set_weights([weight + 0.1 for weight in network.get_weights()])
        with pytest.raises(SrexpError, match="came back different"):
            registry.verify(run, uri, network, probe)


def test_a_run_goes_on_after_what_it_had_left(tracking, away):
    with pytest.raises(KeyboardInterrupt), tracking.run("x") as first:  # noqa: PT012 - the context is what is tested
        first.log_metrics({"loss": 2.0}, step=1)
        raise KeyboardInterrupt
    away.come()
    with tracking.run("x", resume=first.id) as second:
        second.log_metrics({"loss": 1.0}, step=2)
    run = connect(tracking.store).get_run(second.id)
    assert run.info.status == "FINISHED"
    history = connect(tracking.store).get_metric_history(second.id, "_train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 2.0), (2, 1.0)]
    assert not list(tracking.index.iterdir())


def test_the_next_run_sends_it_and_says_so(tracking, away, caplog):
    with tracking.run("x") as first:
        written(first)
    away.come()
    Outbox.given_up.clear()
    with tracking.run("x") as second:
        second.flush()
        while first.journal.pointer.exists():
            time.sleep(0.02)
    assert f"sending what run {first.id} left unsent" in caplog.text
    assert differences(first.journal.folder / NAME, tracking.store.uri) == []


def test_what_is_for_another_store_is_left_and_named(tracking, away, tmp_path):
    elsewhere = Tracking(
        folder=tracking.folder, uri="http://ann:secret@127.0.0.1:9", system_metrics=False, wait_seconds=0.1
    )
    with elsewhere.run("x") as run:
        run.log_metrics({"loss": 1.0}, step=1)
    away.come()
    (sent,) = recovery.send(tracking.store, tracking.index)
    assert (sent.records, sent.left) == (0, 3)
    assert "tracking.uri=http://***@127.0.0.1:9" in sent.reason
    assert "secret" not in (run.journal.folder / NAME).read_text()


def test_the_rest_of_a_run_is_for_the_store_that_knows_it(tracking, tmp_path):
    journal = Journal.begin(tmp_path / "run", tracking.index)
    journal.known = {"run_id": "1" * 32, "store": "https://mlflow.example"}
    journal.done([journal.add("create")])
    journal.add("metrics", step=1, values={"loss": 1.0})
    journal.close()
    (sent,) = recovery.send(tracking.store, tracking.index)
    assert (sent.run_id, sent.left) == ("1" * 32, 1)
    assert "tracking.uri=https://mlflow.example" in sent.reason


@pytest.mark.parametrize("ours", [True, False])
def test_a_result_is_completed_by_what_its_own_journal_heard(tmp_path, ours):
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    journal.known = {"run_id": "1" * 32, "model_uri": "models:/m-1", "experiment_id": "7"}
    waiting = {"folder": str(journal.folder) if ours else "elsewhere", "records": 3}
    given = {"run_id": None, "model_uri": None, "psnr": 33.5, "pending": waiting}
    result = tmp_path / "result.json"
    result.write_text(json.dumps(given))
    recovery.settle(journal)
    known = {"run_id": "1" * 32, "model_uri": "models:/m-1", "psnr": 33.5}
    assert json.loads(result.read_text()) == (known if ours else given)


def test_a_result_that_is_completed_is_written_as_a_whole_one(tmp_path):
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    journal.known = {"run_id": "1" * 32}
    given = {"run_id": None, "pending": {"folder": f"../{journal.id}"}}
    (tmp_path / "result.json").write_text(json.dumps(given))
    recovery.settle(journal)
    assert (tmp_path / "result.json").read_text() == '{\n  "run_id": "' + "1" * 32 + '"\n}\n'
    for untouched in ("no JSON", '{"pending": {}}', '{"run_id": null}'):
        (tmp_path / "result.json").write_text(untouched)
        recovery.settle(journal)
        assert (tmp_path / "result.json").read_text() == untouched
    (tmp_path / "result.json").unlink()
    recovery.settle(journal)
    assert not (tmp_path / "result.json").exists()
    journal.close()


def test_what_the_store_refuses_holds_up_nothing_and_is_said(tracking):
    with pytest.raises(SrexpError, match="Names may only contain"), tracking.run("x") as run:  # noqa: PT012 - its end
        run.add("params", params={"a*": "1"})
        run.log_metrics({"loss": 1.0}, step=1)
    kept = connect(tracking.store).get_run(run.id)
    assert (kept.data.metrics, kept.info.status) == ({"_train/loss": 1.0}, "FINISHED")
    assert recovery.send(tracking.store, tracking.index) == []


def test_an_experiment_that_was_deleted_is_refused_at_once(tracking):
    with tracking.run("gone"):
        pass
    client = connect(tracking.store)
    client.delete_experiment(client.get_experiment_by_name("gone").experiment_id)
    with pytest.raises(RequestError, match="was deleted"), tracking.run("gone"):
        pass
    assert not list(tracking.index.iterdir())


def test_a_journal_that_was_removed_is_forgotten_and_one_on_a_disk_that_is_away_is_not(tracking, away, tmp_path):
    disk = tmp_path / "disk" / "2026" / "out"
    with tracking.run("x", folder=disk) as run:
        pass
    os.utime(run.journal.pointer, (0, 0))
    (tmp_path / "disk").rename(tmp_path / "taken away")
    assert list(recovery.found(tracking.index)) == []
    assert run.journal.pointer.exists()
    (tmp_path / "taken away").rename(tmp_path / "disk")
    shutil.rmtree(disk)
    assert list(recovery.found(tracking.index)) == []
    assert not run.journal.pointer.exists()


def test_a_pointer_that_its_process_takes_away_while_one_looks_is_no_matter(tracking, away, monkeypatch):
    with tracking.run("x") as run:
        pass
    run.journal.pointer.with_name("another").write_bytes(b"")
    look = Path.stat

    def then_gone(path, **how):
        found = look(path, **how)
        if path.name == "another":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", then_gone)
    [left] = recovery.found(tracking.index)
    assert left.pointer == run.journal.pointer


# Writes until it is killed; the store gets something every few milliseconds.
WORK = """
import sys, time
from pathlib import Path
from srexp.tracking.runs.tracking import Tracking

with Tracking(folder=Path(sys.argv[1]), system_metrics=False, flush_seconds=0.001).run("x") as run:
    print(run.journal.folder, flush=True)
    for step in range(100_000):
        run.log_metrics({"loss": step / 7, "psnr": 30.0}, step=step)
        run.log_text(str(step), f"notes/{step}.txt")
        time.sleep(0.001)
"""


@pytest.mark.slow
@pytest.mark.system
def test_killed_at_any_moment_nothing_is_lost_or_doubled(tracking):
    for seconds in (0.2, 0.45):
        with subprocess.Popen([sys.executable, "-c", WORK, tracking.folder], stdout=subprocess.PIPE) as process:
            folder = process.stdout.readline().decode().strip()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(seconds)
            os.kill(process.pid, signal.SIGKILL)
        lines = [json.loads(line) for line in (Path(folder) / NAME).read_bytes().splitlines()[:-1]]
        assert any("sent" in line for line in lines)
        recovery.send(tracking.store, tracking.index)
        assert differences(Path(folder) / NAME, tracking.store.uri) == []
