"""The choice between oneDNN's and Eigen's convolution kernels, by network, job and processor.

TensorFlow reads `TF_ENABLE_ONEDNN_OPTS` once, when it is imported, and by itself goes by the processor alone. Which
kind is the faster one depends on the network and on what is done with it, too. The two round differently in the last
digits, so a run keeps which kind it used.
"""

from __future__ import annotations

import csv
import functools
import logging
import os
import sys
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from srexp.system.processor import flags, has_bfloat16

Job: TypeAlias = Literal["training", "restoring"]

#: The variable by which TensorFlow is told, and what its values mean.
SWITCH = "TF_ENABLE_ONEDNN_OPTS"
KINDS = {"onednn": "1", "eigen": "0"}
#: Said of a process that has not imported TensorFlow and leaves the kind to it.
DEFAULT = "default"
#: Tag and parameter of a run.
KERNELS = "srexp.kernels"
JOBS: tuple[Job, ...] = get_args(Job)
MEASURED = Path(__file__).parent / "measured.csv"
#: How many times as long the other kind must take for TensorFlow to be told: what is less isn't measured surely.
WORTH = 1.15
#: The sets of instructions that are measured, the widest first, and the flags by which Linux names them.
SETS = {"avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}, "avx2": {"avx2", "fma"}}

logger = logging.getLogger(__name__)


def settle(network: str | None, job: Job, *, precision: str = "float32") -> None:
    """Let this process, and those that it starts, use the faster kind; what TensorFlow began with stays.

    Args:
        network: Name of the network, as `model.name` has it; None where it isn't known.
        job: What is done with it.
        precision: `trainer.precision` of a training.
    """
    _put(environment_for(network, job, precision=precision))


def settle_as(kind: str | None) -> None:
    """Let this process use the kind that a run was begun with.

    Args:
        kind: From the run's tag; None of a run that has none.
    """
    _put(environment_as(kind))


def environment_as(kind: str | None) -> dict[str, str]:
    """Give what the environment of a process has to have besides, where a run goes on that was begun with a kind.

    Args:
        kind: From the run's tag; None of a run that has none.

    Returns:
        `TF_ENABLE_ONEDNN_OPTS` and its value; nothing where the user has set it, or the run left it to TensorFlow.
    """
    return {SWITCH: KINDS[kind]} if kind in KINDS and not _given() else {}


def environment_for(network: str | None, job: Job, *, precision: str = "float32") -> dict[str, str]:
    """Give what the environment of a process has to have besides, before TensorFlow is imported there.

    Args:
        network: Name of the network, as `model.name` has it; None where it isn't known.
        job: What is done with it.
        precision: `trainer.precision` of a training; only float32 is measured.

    Returns:
        `TF_ENABLE_ONEDNN_OPTS` and its value. Nothing where the user has set it; where the network, the processor or
        the precision wasn't measured; or where neither kind is clearly faster: then TensorFlow chooses.
    """
    if _given() or not (precision == "float32" or (precision == "auto" and not has_bfloat16())):
        return {}
    ratio = _ratios().get((network or "", job, instruction_set() or ""))
    if ratio is None or 1 / WORTH <= ratio <= WORTH:
        return {}
    return {SWITCH: KINDS["onednn" if ratio < 1 else "eigen"]}


def in_force() -> str:
    """Say which kind this process uses.

    Returns:
        `onednn` or `eigen`; `default` where TensorFlow isn't imported yet and nothing tells it which to take.
    """
    if "tensorflow" in sys.modules:
        from tensorflow.python.util import _pywrap_util_port

        return "onednn" if _pywrap_util_port.IsMklEnabled() else "eigen"
    value = os.environ.get(SWITCH)
    return next((kind for kind, known in KINDS.items() if known == value), DEFAULT)


def instruction_set(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Name the widest measured set of instructions that the processor has; None where there is none, or no Linux."""
    there = flags(cpuinfo)
    return next((name for name, needed in SETS.items() if needed <= there), None)


def measured() -> tuple[list[str], list[dict[str, str]]]:
    """Read what is committed.

    Returns:
        What was measured with and on, a line for each time; and the rows, `ratio` being oneDNN's time by Eigen's.
    """
    lines = MEASURED.read_text(encoding="utf-8").splitlines()
    about = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return about, list(csv.DictReader(line for line in lines if not line.startswith("#")))


class _Decided:
    """What this process was told by `settle`, and not by its user or by the process that started it."""

    value: str | None = None


def _given() -> bool:
    return SWITCH in os.environ and os.environ[SWITCH] != _Decided.value


def _put(environment: dict[str, str]) -> None:
    """Put a decision into the environment in place of an earlier one; too late where TensorFlow is imported."""
    if "tensorflow" in sys.modules or _given():
        return
    os.environ.pop(SWITCH, None)
    os.environ.update(environment)
    _Decided.value = environment.get(SWITCH)
    logger.info("convolution kernels: %s", in_force())


@functools.cache
def _ratios() -> dict[tuple[str, str, str], float]:
    """Read the table: network, job and set of instructions to oneDNN's time by Eigen's."""
    return {(row["network"], row["job"], row["instructions"]): float(row["ratio"]) for row in measured()[1]}
