"""What one of two processes takes and tells, with the other one played; two real ones are in a story."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from srexp.errors import RequestError
from srexp.training import numerics, schedules
from srexp.training.checkpoint import Checkpoints
from srexp.training.cluster import team
from srexp.training.cluster.environment import Place
from srexp.training.cluster.team import Begun, LostError, Team, lost
from srexp.training.fit import Recipe, follow
from srexp.training.losses import mse
from tests.training.cluster.test_environment import SLURM, tf_config
from tests.training.trainings import NETWORKS, OPTIMIZERS, PLAN, Training, batches, once


class Two:
    """The strategy of two processes, of which the other one always has `other`."""

    def __init__(self, other: Any = None) -> None:
        self.other = other

    def run(self, work: Any, args: Any) -> Any:
        def all_reduce(operation: Any, values: list[Any]) -> list[Any]:
            others = [tf.cast(self.other, value.dtype) for value in values]
            means = operation == tf.distribute.ReduceOp.MEAN
            return [
                (value + other) / 2 if means else value + other for value, other in zip(values, others, strict=True)
            ]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(tf.distribute, "get_replica_context", lambda: SimpleNamespace(all_reduce=all_reduce))
            return work(*args)


class Taped(Team):
    """One of two processes with the same batches, whose chief leaves on a tape what the other one hears later."""

    def __init__(self, index: int, tape: list[Any]) -> None:
        super().__init__(Place(("a:1", "b:1"), index), None)
        self.tape = tape

    def _reduced(self, operation: Any, values: list[Any]) -> list[Any]:
        if not tf.executing_eagerly():  # means of what is the same in both
            return values
        if self.leads:
            self.tape.append([value.numpy() for value in values])
            return values
        return [tf.constant(array) for array in self.tape.pop(0)]


def of_two(index: int, other: Any = None) -> Team:
    return Team(Place(("a:1", "b:1"), index), Two(other))


def test_the_first_one_leads() -> None:
    assert [of_two(index).leads for index in (0, 1)] == [True, False]
    assert [str(of_two(index)) for index in (0, 1)] == ["process 1 of 2", "process 2 of 2"]


def test_each_takes_its_rows_of_every_batch() -> None:
    low, high = np.arange(12).reshape(2, 6), np.arange(24).reshape(2, 6, 2)
    batches = tf.data.Dataset.from_tensor_slices((low, high))
    for index, rows in enumerate((slice(0, 3), slice(3, 6))):
        taken = of_two(index).part(batches)
        assert [each.shape.as_list() for each in taken.element_spec] == [[3], [3, 2]]
        for step, (own_low, own_high) in enumerate(taken):
            np.testing.assert_array_equal(own_low, low[step, rows])
            np.testing.assert_array_equal(own_high, high[step, rows])


def test_the_gradient_is_the_mean_before_it_is_bounded() -> None:
    weights = keras.Variable([1.0, 1.0])
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    optimizer.build([weights])
    of_two(0, other=4.0).average(optimizer)
    optimizer.apply_gradients([(tf.constant([2.0, 4.0]), weights)])
    np.testing.assert_allclose(weights.numpy(), 1 - np.array([3.0, 4.0]) / 5, rtol=1e-6)


def test_a_gradient_that_is_none_stays_none() -> None:
    applied: list[Any] = []
    optimizer = SimpleNamespace(apply=lambda *of: applied.append(of))
    of_two(0, other=4.0).average(optimizer)
    optimizer.apply([None, tf.constant(2.0)], ["a", "b"])
    optimizer.apply([tf.constant(0.0)])
    assert applied == [([None, 3.0], ["a", "b"]), ([2.0], None)]


def test_the_loss_is_the_mean_and_its_gradient_is_ones_own() -> None:
    loss = of_two(1, other=5.0).averaged(lambda high, restored: tf.reduce_mean((high - restored) ** 2))
    restored = tf.Variable([1.0, 3.0])
    with tf.GradientTape() as tape:
        value = loss(tf.zeros(2), restored)
    assert float(value) == 5.0  # of 5 and 5
    np.testing.assert_allclose(tape.gradient(value, restored), [1.0, 3.0])


def test_the_others_hear_what_the_chief_tells() -> None:
    assert of_two(0, other=0).told([7, 1, 5]) == [7, 1, 5]
    assert of_two(1, other=[7, 1, 5]).told([0, 0, 0]) == [7, 1, 5]
    assert of_two(1, other=0).begun([]) is None
    assert of_two(1, other=[2, 8, 100]).begun([]) == Begun(epoch=2, end=8, steps=100)


def test_variables_become_those_of_the_chief() -> None:
    weights, count = keras.Variable([1.0, 2.0]), keras.Variable(3, dtype="uint32")
    of_two(0, other=0)._share([weights, count])
    assert ([*weights.numpy()], int(count)) == ([1.0, 2.0], 3)
    of_two(1, other=9)._share([weights, count])
    assert ([*weights.numpy()], int(count)) == ([9.0, 9.0], 9)


def test_processes_that_were_asked_for_different_things_are_refused() -> None:
    [own] = np.frombuffer(bytes.fromhex("ca978112"), ">u4")  # SHA-256 of a
    of_two(0, other=[0, own]).require_same("a")
    for index, others in ((0, [0, own - 1]), (1, [own - 1, 0])):
        with pytest.raises(RequestError, match="were asked for different things"):
            of_two(index, other=others).require_same("a")


@pytest.mark.parametrize("kind", [tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError])
def test_a_lost_process_is_an_error_that_says_how_to_go_on(kind: type[Exception]) -> None:
    with pytest.raises(LostError, match="another process of this training is gone") as failure, lost():
        raise kind(None, None, "Graph execution error:\n Collective ops is aborted by: heartbeats\nmore")
    assert (failure.value.got, failure.value.exit_code) == ("Collective ops is aborted by: heartbeats", 1)
    assert "resume=RUN_ID" in failure.value.fix
    with pytest.raises(tf.errors.InvalidArgumentError), lost():
        raise tf.errors.InvalidArgumentError(None, None, "of the data")


def test_a_process_takes_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", tf_config(0))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * 2)
    with pytest.raises(RequestError, match="takes one GPU") as refusal:
        team.join()
    assert refusal.value.got == "2 GPUs"


def test_slurm_names_the_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    addresses = ("n10:20005", "n9:20005", "n9:20006")
    assert team._in_slurm() == Place(addresses, 2)
    monkeypatch.setenv("SLURMD_NODENAME", "n10")
    monkeypatch.setenv("SLURM_LOCALID", "0")
    assert team._in_slurm() == Place(addresses, 0)


@pytest.mark.parametrize(("optimizer", "interrupted"), [("adam", ""), ("averages", "step 6"), ("adam", "validation")])
def test_the_others_take_the_steps_of_the_chief_and_no_more(optimizer: str, interrupted: str, tmp_path: Path) -> None:
    tape: list[Any] = []
    checkpoints, plan = Checkpoints(tmp_path), dataclasses.replace(PLAN, patience=1)
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            Training("srcnn", optimizer, plan, Taped(0, [])).run(checkpoints, once(interrupted), minutes=0)
    fitted, chief = Training("srcnn", optimizer, plan, Taped(0, tape)).run(checkpoints)
    numerics.prepare(seed=4, deterministic=True)
    network = NETWORKS["srcnn"]()
    recipe = Recipe(mse(), OPTIMIZERS[optimizer](), schedules.cosine(warmup_steps=2))
    follow(network, recipe, plan, Taped(1, tape), batches)
    assert tape == []
    assert int(recipe.optimizer.iterations) == fitted.steps == 4 * len(fitted.history)
    for ours, theirs in zip(recipe.optimizer.variables, chief.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
