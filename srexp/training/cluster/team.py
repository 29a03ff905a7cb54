"""What the processes of a training tell each other, by the collectives of TensorFlow's MultiWorkerMirroredStrategy.

Each process has the whole network, as if it trained alone, and computes gradient and loss of an equal part of every
batch. The means of both are taken before they are used, so all take the same steps, those of one device with the whole
batch. Keras knows nothing of it: its `fit` fails in the scope of that strategy (Keras's issue 20585).
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from srexp.errors import RequestError, SrexpError
from srexp.lazy_imports import tf
from srexp.system.stdio import say
from srexp.training import replicas
from srexp.training.cluster import environment
from srexp.training.cluster.environment import Place
from srexp.training.cluster.meeting import meet

#: First port of Slurm's processes; jobs that share a machine have others.
_PORTS, _JOBS = 20_000, 10_000


class LostError(SrexpError):
    """Another process of the training is gone."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What the chief begins.

    Args:
        epoch: First epoch, from 0.
        end: Up to which.
        steps: Of each.
    """

    epoch: int
    end: int
    steps: int


class Team:
    """The processes that train a network together, from within one of them.

    Args:
        place: Which of them it is.
        strategy: Joins them.
    """

    def __init__(self, place: Place, strategy: Any) -> None:
        self.place, self.size, self.index = place, len(place.addresses), place.index
        self._strategy = strategy

    @property
    def leads(self) -> bool:
        """Whether this process is the chief, which validates, tracks and writes."""
        return self.index == 0

    def __str__(self) -> str:
        """Say which process this is."""
        return str(self.place)

    def part(self, batches: Any) -> Any:
        """Give this process's rows of every batch.

        Args:
            batches: Data set of tensors whose first axis the processes can share equally.
        """

        def own(*whole: Any) -> tuple[Any, ...]:
            rows = whole[0].shape[0] // self.size
            return tuple(each[self.index * rows : (self.index + 1) * rows] for each in whole)

        return batches.map(own)

    def average(self, optimizer: Any) -> None:
        """Let an optimizer take the mean of all processes' gradients for the gradient, before it bounds it.

        Args:
            optimizer: A Keras optimizer.
        """
        replicas.reduce_first(optimizer, lambda there: self._reduced(tf.distribute.ReduceOp.MEAN, there))

    def averaged(self, loss: Any) -> Any:
        """Give a loss whose value is the mean of all processes', and whose gradient is that of this one.

        Args:
            loss: A Keras loss, the mean over its batch.
        """

        def whole(high: Any, restored: Any) -> Any:
            own = loss(high, restored)
            [mean] = self._reduced(tf.distribute.ReduceOp.MEAN, [tf.stop_gradient(own)])
            return own + tf.stop_gradient(mean - own)

        return whole

    def told(self, numbers: Sequence[int]) -> list[int]:
        """Give the numbers of the chief, for which all wait.

        Args:
            numbers: As many in each process.
        """
        own = tf.constant(numbers if self.leads else [0] * len(numbers), tf.int64)
        return [int(each) for each in self._reduced(tf.distribute.ReduceOp.SUM, [own])[0].numpy()]

    def begin(self, epoch: int, end: int, steps: int, variables: Sequence[Any]) -> None:
        """Let the others train along, from the state that there is; told by the chief.

        Args:
            epoch: First epoch, from 0.
            end: Up to which.
            steps: Of each.
            variables: Of network and optimizer.
        """
        self.told([epoch, end, steps])
        self._share(variables)

    def end(self) -> None:
        """Let the others end: the chief has trained."""
        self.told([0, 0, 0])

    def begun(self, variables: Sequence[Any]) -> Begun | None:
        """Wait for the chief to begin, and take over its state.

        Args:
            variables: Of network and optimizer.

        Returns:
            What begins; None when the training is over.
        """
        told = Begun(*self.told([0, 0, 0]))
        if not told.steps:
            return None
        self._share(variables)
        return told

    def _share(self, variables: Sequence[Any]) -> None:
        """Give variables the values that they have in the chief."""
        for variable in variables:
            value = tf.convert_to_tensor(variable)
            wide = value if value.dtype.is_floating else tf.cast(value, tf.int64)
            [chiefs] = self._reduced(tf.distribute.ReduceOp.SUM, [wide if self.leads else tf.zeros_like(wide)])
            if not self.leads:
                variable.assign(tf.cast(chiefs, value.dtype))

    def require_same(self, what: str) -> None:
        """Refuse to train where the processes were asked for different things.

        Args:
            what: What decides the numbers of the training.

        Raises:
            RequestError: Another process has another one.
        """
        own = int.from_bytes(hashlib.sha256(what.encode()).digest()[:4], "big")
        row = [own if index == self.index else 0 for index in range(self.size)]
        [found] = self._reduced(tf.distribute.ReduceOp.SUM, [tf.constant(row, tf.int64)])
        if {int(each) for each in found.numpy()} != {own}:
            raise RequestError(
                "the processes of this training were asked for different things",
                got=f"{self} has {own:08x} of {', '.join(f'{int(each):08x}' for each in found.numpy())}",
                expected="the same configuration, images and precision in each",
                fix="the same command in each process; trainer.precision=float32 where their processors differ",
            )

    def _reduced(self, operation: Any, values: list[Any]) -> list[Any]:
        def reduce(each: list[Any]) -> Any:
            here = [tf.identity(value) for value in each]  # on the device of this strategy, which it asks for
            return tf.distribute.get_replica_context().all_reduce(operation, here)

        found: list[Any] = self._strategy.run(reduce, args=(values,))
        return found


@contextmanager
def lost() -> Iterator[None]:
    """Say what it means that TensorFlow can't reach another process.

    Raises:
        LostError: A process is gone, or its machine can't be reached.
    """
    errors = tf.errors
    gone = (errors.UnavailableError, errors.AbortedError, errors.CancelledError, errors.DeadlineExceededError)
    back = errors.FailedPreconditionError  # as another one
    try:
        yield
    except (*gone, back) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = next((line for line in lines if "aborted" in line or "unhealthy" in line), lines[-1])
        raise LostError(
            "another process of this training is gone, and it can't go on without",
            got=reason.partition(". ")[0].strip(),
            expected="all processes to run until the chief, the first one, has the trained network",
            fix="see there why it ended; resume=RUN_ID, typed for each process, goes on from the last checkpoint",
        ) from error


@functools.cache  # TensorFlow joins processes once in the life of each
def join() -> Team:
    """Wait for the other processes; TensorFlow must not have computed anything before.

    Raises:
        RequestError: The environment doesn't say which they are, or this one has several GPUs.
        SrexpError: They don't come.
    """
    place = environment.named(os.environ[environment.TF_CONFIG]) if environment.TF_CONFIG in os.environ else _in_slurm()
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus > 1:
        raise RequestError(
            "each process of trainer.strategy=multi_worker takes one GPU",
            got=f"{gpus} GPUs",
            expected="one process for each GPU",
            fix="CUDA_VISIBLE_DEVICES=0 and so on, or srun --gpus-per-task=1",
        )
    say(f"{place}, at {place.addresses[place.index]}, waits for the others", stderr=True)
    meet(place)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(place.addresses)}),
        task_type="worker",
        task_id=place.index,
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )
    return Team(place, tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver))


def _in_slurm() -> Place:
    """Ask Slurm's step for the addresses of its processes, and find this one among them."""
    tasks, known = environment.size(), os.environ
    first = _PORTS + int(known["SLURM_JOB_ID"]) % _JOBS
    # What it says of GPUs isn't asked for, and it says nothing where there are none.
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=first, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
    )
    addresses = tuple(resolver.cluster_spec().job_tasks("worker"))
    # In the order of their names, and not in that of Slurm's ranks.
    return Place(addresses, addresses.index(f"{known['SLURMD_NODENAME']}:{first + int(known['SLURM_LOCALID'])}"))
