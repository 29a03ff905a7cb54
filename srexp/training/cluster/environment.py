"""Which processes train together, as TF_CONFIG or Slurm has it in the environment: read without TensorFlow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srexp.errors import RequestError

TF_CONFIG = "TF_CONFIG"
#: What Slurm tells each process of a step; the first says that there is one.
_SLURM = (
    "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE", "SLURM_JOB_ID",
    "SLURMD_NODENAME", "SLURM_LOCALID",
)  # fmt: skip
_EXAMPLE = '{"cluster": {"worker": ["ONE:2222", "OTHER:2222"]}, "task": {"type": "worker", "index": 0}}'
_FIX = f"{TF_CONFIG}='{_EXAMPLE}' on ONE, the same with index 1 on OTHER; or trainer.strategy=single"


@dataclass(frozen=True)
class Place:
    """A process among those that train together.

    Args:
        addresses: HOST:PORT of each, that of the chief first.
        index: Which of them this process is.
    """

    addresses: tuple[str, ...]
    index: int

    def __str__(self) -> str:
        """Say which process this is."""
        return f"process {self.index + 1} of {len(self.addresses)}"


def size(environ: Mapping[str, str] = os.environ) -> int:
    """Give the number of processes that train together.

    Args:
        environ: Environment variables.

    Raises:
        RequestError: They don't say it, or there is but one.
    """
    if TF_CONFIG in environ:
        return len(named(environ[TF_CONFIG]).addresses)
    return _tasks(environ)


def named(text: str) -> Place:
    """Read what TF_CONFIG says.

    Args:
        text: JSON, see https://www.tensorflow.org/guide/distributed_training#tf_config.

    Returns:
        All processes, a `chief` before the `worker`s, and which of them this one is.

    Raises:
        RequestError: It says something else.

    Example:
        >>> named('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}')
        Place(addresses=('a:1', 'b:1'), index=1)
    """
    try:
        place = _read(json.loads(text))
    except (ValueError, TypeError, LookupError, AttributeError):
        raise RequestError(
            f"{TF_CONFIG} doesn't say which processes train together, and which of them this one is",
            got=text,
            expected=f"{_EXAMPLE}, with different addresses, and the index of one of them",
            fix=_FIX,
        ) from None
    _require_several(len(place.addresses))
    return place


def _read(tree: Any) -> Place:
    cluster, kind, index = tree["cluster"], tree["task"]["type"], tree["task"]["index"]
    jobs = {job: _addresses(cluster.pop(job, [])) for job in ("chief", "worker")}
    own = jobs[kind][index]
    addresses = (*jobs["chief"], *jobs["worker"])
    if cluster or len(jobs["chief"]) > 1 or len(set(addresses)) < len(addresses) or index < 0:
        raise ValueError(tree)
    return Place(addresses, addresses.index(own))


def _addresses(listed: object) -> Sequence[str]:
    if not isinstance(listed, list) or not all(re.fullmatch(r"[^\s/]+:\d+", str(each)) for each in listed):
        raise ValueError(listed)
    return [str(each) for each in listed]


def _require_several(processes: int) -> None:
    if processes < 2:  # noqa: PLR2004 - one alone
        raise RequestError(
            "trainer.strategy=multi_worker is for several processes",
            got=f"{processes} in {TF_CONFIG}, or in the step of Slurm",
            expected="2 or more",
            fix=_FIX,
        )


def _tasks(environ: Mapping[str, str]) -> int:
    if missing := [name for name in _SLURM if name not in environ]:
        raise RequestError(
            "trainer.strategy=multi_worker isn't told which processes train together",
            expected=f"{TF_CONFIG} in the environment of each, or a step of Slurm: srun python -m srexp ...; this one "
            f"is without {TF_CONFIG}, and without {missing[0]}",
            fix=_FIX,
        )
    processes = int(environ[_SLURM[0]])
    _require_several(processes)
    return processes
