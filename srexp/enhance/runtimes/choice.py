"""Which program computes a network, in which precision, what that costs in decibels, and which is the fastest here."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from srexp.enhance.predict import Restore, batch_predictor
from srexp.errors import RequestError
from srexp.system.atomic_files import write_whole
from srexp.system.processor import processor
from srexp.types import Batch, Pixels

if TYPE_CHECKING:
    import keras

RuntimeName: TypeAlias = Literal["keras", "onnxruntime", "openvino", "litert", "auto"]
Precision: TypeAlias = Literal["float32", "bfloat16", "int8"]
Probes: TypeAlias = Sequence[tuple[Pixels, Pixels]]
"""Pairs of a degraded image (h, w, c) and its target (h * scale, w * scale, c), float32 in [0, 1]."""

MAX_LOSS_DB = 0.01
"""What `auto` may lose against float32."""

_TRIED, _FULL = 96, 512
_HOPELESS, _NEAR = 2.0, 1.25
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Runtime:
    """A program that computes networks.

    Args:
        packages: Modules to import, with the name of what is installed for them.
        extra: Extra of srexp that installs them; empty where srexp needs them anyway.
        precisions: What it can compute in.
    """

    packages: Mapping[str, str]
    extra: str
    precisions: tuple[Precision, ...]


RUNTIMES: dict[str, Runtime] = {
    "keras": Runtime({"tensorflow": "tensorflow"}, "", ("float32", "bfloat16")),
    "onnxruntime": Runtime({"onnx": "onnx", "onnxruntime": "onnxruntime"}, "onnx", ("float32", "int8")),
    "openvino": Runtime({"onnx": "onnx", "openvino": "openvino"}, "openvino", ("float32", "bfloat16")),
    "litert": Runtime({"ai_edge_litert": "ai-edge-litert"}, "litert", ("float32", "int8")),
}


AUTO = ("keras", "onnxruntime", "openvino")
"""What `auto` chooses from. LiteRT took 3.4 times the memory that a tile is measured by, and OpenVINO was faster."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A network in the runtime that computes it.

    Args:
        restore: Function of batches.
        runtime: Name of the runtime.
        precision: What it computes in.
        loss_db: PSNR that it loses against Keras in float32 on the probes; None where that was not measured.
        seconds: Time for one probe batch in every runtime that was tried; empty unless `auto` measured just now.
    """

    restore: Restore
    runtime: str
    precision: str
    loss_db: float | None
    seconds: Mapping[str, float]

    def told(self) -> str:
        """Say it in a line.

        Returns:
            Such as `openvino in float32, 0.000 dB lost against Keras in float32`.
        """
        loss = "" if self.loss_db is None else f", {self.loss_db:.3f} dB lost against Keras in float32"
        return f"{self.runtime} in {self.precision}{loss}"


def installed(name: str) -> bool:
    """Say whether a runtime can be imported, without importing it."""
    return all(importlib.util.find_spec(module) for module in RUNTIMES[name].packages)


def module_of(name: str) -> ModuleType:
    """Import the module of a runtime.

    Args:
        name: Runtime other than `auto`.

    Returns:
        `srexp.enhance.with_NAME`, which has `start`, `write`, `read` and `FILE`.

    Raises:
        RequestError: A package is missing.
    """
    if not installed(name):
        missing = [
            package for module, package in RUNTIMES[name].packages.items() if not importlib.util.find_spec(module)
        ]
        raise RequestError(
            f"runtime {name} needs a package that is not installed",
            got=f"no {' and no '.join(missing)}",
            fix=f'pip install "srexp[{RUNTIMES[name].extra}]"',
        )
    return importlib.import_module(f"srexp.enhance.runtimes.{name}_runtime")


def choose(
    model: keras.Model,
    *,
    runtime: RuntimeName = "auto",
    precision: Precision = "float32",
    probes: Probes = (),
    shape: tuple[int, int] = (_FULL, _FULL),
    cache: Path | None = None,
) -> Chosen:
    """Start a network in a runtime.

    `auto` measures Keras and what is installed of ONNX Runtime and OpenVINO on an image of the given shape, and takes
    the fastest that loses at most 0.01 dB; at worst that is Keras in float32. It measures once for a processor, a
    model, a precision and a shape.

    Args:
        model: Built Keras model.
        runtime: A runtime, or `auto`.
        precision: What it shall compute in.
        probes: Images that the loss is measured on, and that int8 is calibrated with.
        shape: Height and width of the low-resolution tiles that are to come, for `auto`.
        cache: Folder that remembers what `auto` chose; None measures anew.

    Returns:
        The network with its runtime.

    Raises:
        RequestError: The runtime is not installed, hasn't this precision, or can't compute this model.
    """
    if runtime == "auto":
        return _fastest(model, precision, probes, shape, cache)
    if precision not in RUNTIMES[runtime].precisions:
        have = [name for name, each in RUNTIMES.items() if precision in each.precisions]
        raise RequestError(
            f"runtime {runtime} does not compute in {precision}",
            expected=f"one of {', '.join(RUNTIMES[runtime].precisions)}",
            fix=f"runtime={have[0]}",
        )
    restore = module_of(runtime).start(model, precision, _calibration(probes))
    return Chosen(restore, runtime, precision, _loss(model, restore, probes), {})


def loss_db(restore: Restore, reference: Restore, probes: Probes) -> float:
    """Measure how much PSNR a network loses in another runtime or precision.

    Args:
        restore: The network there.
        reference: The network in float32.
        probes: Images with their targets.

    Returns:
        Mean over the images of the reference's PSNR less that of `restore`, in dB; infinite where the reference is
        without error and `restore` isn't.
    """
    losses = []
    for low, high in probes:
        errors = [
            float(np.mean((np.clip(each(low[np.newaxis])[0], 0, 1) - high) ** 2)) for each in (restore, reference)
        ]
        # The range cancels out of the difference of two PSNRs.
        losses.append(10 * math.log10(errors[0] / errors[1]) if all(errors) else math.inf if errors[0] else 0.0)
    return math.nan if any(map(math.isnan, losses)) else float(np.mean(losses))


class Cost(NamedTuple):
    """What one call took.

    Args:
        seconds: Time on the clock.
        processor: Time of all cores together.
    """

    seconds: float
    processor: float


def race(candidates: Mapping[str, Restore], batch: Batch, rounds: int = _ROUNDS) -> dict[str, Cost]:
    """Time networks on one batch in turn, after one call that doesn't count.

    Args:
        candidates: Name to network.
        batch: What they compute, (n, h, w, c).
        rounds: Times that each one's turn comes.

    Returns:
        Name to shortest times: a busy machine makes everything slower and nothing faster.
    """
    costs = dict.fromkeys(candidates, Cost(math.inf, math.inf))
    for turn in range(rounds + 1):
        for name, restore in candidates.items():
            start, worked = time.perf_counter(), time.process_time()
            restore(batch)
            took = Cost(time.perf_counter() - start, time.process_time() - worked)
            if turn:
                costs[name] = Cost(*map(min, costs[name], took))
    return costs


def winner(costs: Mapping[str, Cost]) -> str:
    """Choose the fastest, and of those near it the one that works least.

    Where other processes compute, times on the clock scatter by tens of per cent; the processor's own time does not.

    Args:
        costs: From `race`.

    Returns:
        Its name.

    Example:
        >>> winner({"a": Cost(1.0, 2.0), "b": Cost(1.2, 1.5), "c": Cost(2.0, 1.0)})
        'b'
    """
    bound = _NEAR * min(cost.seconds for cost in costs.values())
    return min((name for name, cost in costs.items() if cost.seconds <= bound), key=lambda name: costs[name].processor)


def _fastest(
    model: keras.Model, precision: Precision, probes: Probes, shape: tuple[int, int], cache: Path | None
) -> Chosen:
    place = cache and cache / "runtimes" / f"{_key(model, precision, shape, probes)}.json"
    if place and place.is_file():
        known = json.loads(place.read_text(encoding="utf-8"))
        restore = module_of(known["runtime"]).start(model, known["precision"], _calibration(probes))
        return Chosen(restore, known["runtime"], known["precision"], known["loss_db"], {})
    chosen = _measured(model, precision, probes, shape)
    if place:
        found = {"runtime": chosen.runtime, "precision": chosen.precision, "loss_db": chosen.loss_db}
        write_whole(place, json.dumps({**found, "seconds": dict(chosen.seconds)}, indent=2))
    return chosen


def _measured(model: keras.Model, precision: Precision, probes: Probes, shape: tuple[int, int]) -> Chosen:
    """Start what is installed, leave out what loses too much, race the rest: on a small image, then in earnest."""
    candidates = {
        ("keras", "float32"): importlib.import_module("srexp.enhance.runtimes.keras_runtime").start(model, "float32")
    }
    losses: dict[tuple[str, str], float | None] = {("keras", "float32"): 0.0 if probes else None}
    image = np.random.default_rng(0).random((1, *shape, model.input_shape[-1]), dtype=np.float32)
    image = image[:, :_FULL, :_FULL]
    small = image[:, :_TRIED, :_TRIED]
    reference = candidates["keras", "float32"](small)
    for name, kind in _possible(precision):
        try:
            restore = module_of(name).start(model, kind, _calibration(probes))
        except RequestError:  # a layer or a processor that this runtime can't deal with
            continue
        loss = _loss(model, restore, probes)
        same = float(np.abs(restore(small) - reference).max()) < 1e-4  # noqa: PLR2004 - as `export` asks for
        if same if loss is None else loss <= MAX_LOSS_DB:
            candidates[name, kind], losses[name, kind] = restore, loss
    named = {"/".join(pair): pair for pair in candidates}
    costs = race({name: candidates[pair] for name, pair in named.items()}, small)
    bound = _HOPELESS * min(cost.seconds for cost in costs.values())
    left = {name: candidates[named[name]] for name, cost in costs.items() if cost.seconds <= bound}
    if len(left) > 1:
        costs = race(left, image)
    best = winner({name: costs[name] for name in left})
    seconds = {name: cost.seconds for name, cost in costs.items()}
    return Chosen(left[best], *named[best], losses[named[best]], seconds)


def _possible(precision: Precision) -> list[tuple[str, Precision]]:
    kinds: list[Precision] = ["float32"] if precision == "float32" else ["float32", precision]
    return [
        (name, kind)
        for name in AUTO
        for kind in kinds
        if (name, kind) != ("keras", "float32") and kind in RUNTIMES[name].precisions and installed(name)
    ]


def _calibration(probes: Probes) -> list[Batch]:
    return [low[np.newaxis] for low, _ in probes]


def _loss(model: keras.Model, restore: Restore, probes: Probes) -> float | None:
    return loss_db(restore, batch_predictor(model), probes) if probes else None


def _key(model: keras.Model, precision: str, shape: tuple[int, int], probes: Probes) -> str:
    """Name what a choice depends on: processor, model, weights, precision, shape, images, and installed versions."""
    digest = hashlib.sha256()
    packages = {package for each in RUNTIMES.values() for package in each.packages.values()}
    versions = [f"{package} {_version(package)}" for package in sorted(packages)]
    digest.update(json.dumps([processor(), model.to_json(), precision, shape, versions]).encode())
    for array in (*model.get_weights(), *(image for pair in probes for image in pair)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
