"""Training on several devices is training on one: in a process whose processor counts as two devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from srexp.errors import RequestError
from srexp.training import replicas

ROOT = Path(__file__).parent.parent.parent
#: Each bound of a gradient once: the norm of all, none, and VDSR's.
TRAINED = [("srcnn", "adamw"), ("vdsr", "sgd"), ("srcnn", "adam")]

SCRIPT = """
import json, sys, tempfile
from pathlib import Path

import tensorflow as tf

[processor] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)

from srexp.training import replicas
from srexp.training.checkpoint import Checkpoints
from tests.training.trainings import Training, once, timeless


def trained(strategy, checkpoints=None, interrupt=lambda _: None):
    with replicas.scope(strategy):
        devices = tf.distribute.get_strategy().num_replicas_in_sync
        fitted, model = Training(network, optimizer).run(checkpoints, interrupt)
        told = replicas.told()
        state = [variable.numpy().tolist() for variable in (*model.variables, *model.optimizer.variables)]
    history = [timeless(numbers) for numbers in fitted.history]
    return {"devices": devices, "told": told, "history": history, "state": state}


found = []
for network, optimizer in json.loads(sys.argv[1]):
    found.append({"single": trained("single"), "mirrored": trained("mirrored")})
with tempfile.TemporaryDirectory() as folder:  # the last of them once more
    try:
        trained("mirrored", Checkpoints(Path(folder)), once("step 6"))
    except KeyboardInterrupt:
        found[-1]["resumed"] = trained("mirrored", Checkpoints(Path(folder)))
Path(sys.argv[2]).write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """What each network led to on one device and on two, and one of them with an interruption."""
    path = tmp_path_factory.mktemp("replicas") / "found.json"
    command = [sys.executable, "-c", SCRIPT, json.dumps(TRAINED), str(path)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=280)
    return json.loads(path.read_text())


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("number", range(len(TRAINED)), ids=[" ".join(each) for each in TRAINED])
def test_two_devices_train_as_one_does(trainings, number):
    single, mirrored = trainings[number]["single"], trainings[number]["mirrored"]
    assert (single["devices"], mirrored["devices"]) == (1, 2)
    assert (single["told"], mirrored["told"]) == ("", ", mirrored over 2")
    assert len(mirrored["history"]) == 3
    for ours, theirs in zip(mirrored["history"], single["history"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    np.testing.assert_allclose(flat(mirrored["state"]), flat(single["state"]), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.system
def test_a_mirrored_training_goes_on_where_it_was(trainings):
    resumed, mirrored = trainings[-1]["resumed"], trainings[-1]["mirrored"]
    for ours, theirs in zip(resumed["history"], mirrored["history"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6)  # the devices' sums of the running loss are parted anew
    np.testing.assert_allclose(flat(resumed["state"]), flat(mirrored["state"]), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("strategy", "gpus", "count"),
    [("single", 2, 1), ("mirrored", 1, 1), ("mirrored", 2, 2), ("auto", 1, 1), ("auto", 2, 2)],
)
def test_several_gpus_are_used_together(monkeypatch: pytest.MonkeyPatch, strategy: str, gpus: int, count: int):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind] * gpus if kind == "GPU" else [])
    monkeypatch.setattr(replicas, "_mirrored", lambda: SimpleNamespace(scope=lambda: nullcontext("all")))
    assert replicas.count(strategy) == count
    with replicas.scope(strategy) as scope:
        assert (scope == "all") is (count > 1)


def test_without_gpus_the_processors_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind] * {"GPU": 0, "CPU": 2}[kind])
    assert [replicas.count(strategy) for strategy in ("single", "auto", "mirrored")] == [1, 1, 2]


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind] * {"GPU": 3, "CPU": 1}[kind])
    replicas.require_even("mirrored", 6)
    replicas.require_even("single", 7)
    with pytest.raises(RequestError, match="can't be divided among 3 devices") as refusal:
        replicas.require_even("mirrored", 7)
    assert "trainer.batch_size=9" in refusal.value.fix


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """This process for one of two, whose gradients are a third of their mean; gives what was asked of both."""
    asked: list[object] = []

    def all_reduce(operation: object, values: list[float]) -> list[float]:
        asked.append(operation)
        return [3 * value for value in values]

    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: SimpleNamespace(num_replicas_in_sync=2))
    monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: SimpleNamespace(all_reduce=all_reduce))
    return asked


@pytest.mark.parametrize("bound", ["global_clipnorm", "clipnorm", "clipvalue", "theta"])
def test_each_of_two_devices_gives_half_of_the_bounded_whole(two_devices, bound: str):
    applied: list[object] = []
    optimizer = SimpleNamespace(apply=lambda *of: applied.append(of), **{"clipnorm": None, "theta": None, bound: 1.0})
    replicas.bound_whole_gradient(optimizer)
    assert getattr(optimizer, bound) == 0.5
    optimizer.apply([1.0, None, 2.0], ["a", "b", "c"])
    optimizer.apply([4.0])
    assert applied == [([3.0, None, 6.0], ["a", "b", "c"]), ([12.0], None)]
    assert two_devices == [tf.distribute.ReduceOp.MEAN] * 2


@pytest.mark.usefixtures("two_devices")
def test_without_a_bound_an_optimizer_stays_as_it_is():
    optimizer = SimpleNamespace(global_clipnorm=None, apply=print)
    replicas.bound_whole_gradient(optimizer)
    assert (optimizer.global_clipnorm, optimizer.apply) == (None, print)


@pytest.mark.parametrize(("devices", "told"), [(1, ""), (2, ", mirrored over 2"), (3, ", mirrored over 3")])
def test_over_how_many_devices_is_told(monkeypatch: pytest.MonkeyPatch, devices: int, told: str):
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: SimpleNamespace(num_replicas_in_sync=devices))
    assert replicas.told() == told


def test_on_one_device_an_optimizer_stays_as_it_is():
    optimizer = SimpleNamespace(global_clipnorm=1.0, apply=print)
    replicas.bound_whole_gradient(optimizer)
    assert (optimizer.global_clipnorm, optimizer.apply) == (1.0, print)
