"""`trainer.batch_size=auto`: a size that fits and is fast, found once for a network and a machine, then remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from srexp.config.builders import build
from srexp.config.sections.base import Config
from srexp.errors import SrexpError
from srexp.experiment import network
from srexp.experiment.preflight import course_of
from srexp.experiment.task import Task
from srexp.lazy_imports import psutil
from srexp.system import child_process
from srexp.system.files.atomic_files import write_whole
from srexp.system.kernels import choice
from srexp.system.memory import free_bytes, peak_bytes
from srexp.training import memory

log = logging.getLogger(__name__)

#: No further size is tried after this time.
TRYING_SECONDS = 60.0
_TIMED = 2
_DECIDING = ("model", "loss", "training", "optimizer", "scale")
_DECIDING_OF_TRAINER = ("patch_size", "scales", "patches_per_image", "precision", "strategy", "deterministic")


def sized(task: Task) -> Task:
    """Give a task whose batch size is a number.

    Steps are taken in a process of their own: it may end for want of memory, and training begins as if the number had
    been typed. The number is in the run's parameters and configuration, so going on with the run takes it, too.

    Args:
        task: Data and configuration, perhaps with `trainer.batch_size=auto`.

    Raises:
        SrexpError: Not even the smallest batch fits.
    """
    if task.config.trainer.batch_size != "auto":
        return task
    place = task.config.paths.cache / "batch_sizes" / f"{_key(task)}.json"
    if (size := _known(place)) is None:
        size = _remember(place, _tried(task))
    log.info("trainer.batch_size=auto: %d, from %s", size, place)
    return task.with_batch_size(size)


def try_sizes(config: Config, channels: int, found: Path) -> int:
    """Take training steps with ever larger batches, in a process that has no other purpose.

    Args:
        config: Checked configuration.
        channels: Of the images.
        found: File that gets a line for each size.

    Returns:
        The exit code, 0.
    """
    trainer = config.trainer
    network.prepare(config)
    design = network.float32_network(config, channels, scale=config.inner_scale)
    course, precision = course_of(config, channels), network.precision_of(config, design)
    with network.trained_network(config, channels, precision=precision, one_device=course.one_device) as trained:
        stepping = course.stepping(trained)
        stepping.compile(optimizer=build(config.optimizer), loss=build(config.loss), jit_compile=False)
        course.try_out()
    before, began = peak_bytes(), time.perf_counter()

    def cost(size: int) -> memory.Measured:
        low, high = _batch(size, trainer.patch_size, config.inner_scale, channels)
        seconds = []
        for _ in range(1 + _TIMED):  # the first one traces the graph
            start = time.perf_counter()
            stepping.train_on_batch(low, high)
            seconds.append(time.perf_counter() - start)
        return memory.Measured(size, min(seconds[1:]), peak_bytes() - before)

    with found.open("w", encoding="utf-8") as lines:
        for each in memory.measure(cost, memory.sizes(trainer.patches_per_image), free=free_bytes()):
            lines.write(json.dumps({"size": each.size, "seconds": each.seconds, "grown": each.grown}) + "\n")
            lines.flush()
            if time.perf_counter() - began > TRYING_SECONDS:
                break
    return 0


def _tried(task: Task) -> list[memory.Measured]:
    config = task.config
    if not network.float32_network(config, task.channels).trainable_weights:
        return [memory.Measured(memory.sizes(config.trainer.patches_per_image)[0], 1.0, 0)]  # nothing will be trained
    found = config.run_dir / "batch_sizes.jsonl"
    found.parent.mkdir(parents=True, exist_ok=True)
    found.unlink(missing_ok=True)
    code = child_process.run_alone(try_sizes, config, task.channels, found)
    lines = found.read_text(encoding="utf-8").splitlines() if found.is_file() else []
    if not lines:
        raise SrexpError(
            "trainer.batch_size=auto: no size could be tried" if code else "not even the smallest batch fits",
            got=f"trainer.patch_size={config.trainer.patch_size}, the process that tried {child_process.died(code)}",
            fix="a smaller trainer.patch_size or network, or type trainer.batch_size=16 to see why",
        )
    return [memory.Measured(**json.loads(line)) for line in lines]


def _known(place: Path) -> int | None:
    """Give the size that was found earlier; a file that is missing or damaged counts as none."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        return int(json.loads(place.read_text(encoding="utf-8"))["batch_size"])
    return None


def _remember(place: Path, measured: list[memory.Measured]) -> int:
    content = {
        "batch_size": (size := memory.choose(measured)),
        "patches_per_second": {each.size: round(each.rate, 1) for each in measured},
        "grown_mb": {each.size: each.grown // 2**20 for each in measured},
    }
    write_whole(place, json.dumps(content, indent=2) + "\n")
    return size


def _key(task: Task) -> str:
    """Name what decides the answer: network, batch and machine."""
    resolved = task.config.resolved
    known: dict[str, Any] = {key: resolved[key] for key in _DECIDING}
    known |= {key: resolved["trainer"][key] for key in _DECIDING_OF_TRAINER}
    known |= {"channels": task.channels, "machine": platform.node(), "processors": psutil.cpu_count()}
    known |= {"kernels": choice.in_force()}
    known |= {"memory": psutil.virtual_memory().total, "devices": os.environ.get("CUDA_VISIBLE_DEVICES")}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def _batch(size: int, patch: int, scale: int, channels: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    low = rng.random((size, patch // scale, patch // scale, channels), dtype=np.float32)
    return low, rng.random((size, patch, patch, channels), dtype=np.float32)
