"""Which program computes a network, in which precision, what that costs in decibels, and which is the fastest here."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from srexp.enhance.predict import Restore, batch_predictor
from srexp.enhance.runtimes.keras_runtime import KerasRuntime
from srexp.enhance.runtimes.litert_runtime import LiteRt
from srexp.enhance.runtimes.onnxruntime_runtime import OnnxRuntime
from srexp.enhance.runtimes.openvino_runtime import OpenVino
from srexp.enhance.runtimes.race import race, winner
from srexp.enhance.runtimes.runtime import Precision, Runtime
from srexp.errors import RequestError
from srexp.system.files.atomic_files import write_whole
from srexp.system.kernels.choice import in_force
from srexp.system.processor import processor
from srexp.types import Batch, Network, Pixels

RuntimeName: TypeAlias = Literal["keras", "onnxruntime", "openvino", "litert", "auto"]
#: Pairs of a degraded image (h, w, c) and its target (h * scale, w * scale, c), float32 in [0, 1].
Probes: TypeAlias = Sequence[tuple[Pixels, Pixels]]

#: What `auto` may lose against float32.
MAX_LOSS_DB = 0.01
#: Height and width of the largest image that `auto` measures.
FULL = 512

_TRIED = 96
_HOPELESS = 2.0
_UNSEEN = 1 / (12 * 65535**2)  # mean squared error of rounding to 16-bit levels


RUNTIMES: dict[str, Runtime[Any]] = {
    runtime.NAME: runtime for runtime in (KerasRuntime(), OnnxRuntime(), OpenVino(), LiteRt())
}

#: What `auto` chooses from. LiteRT took 3.4 times the memory that a tile is measured by, and OpenVINO was faster.
AUTO = ("keras", "onnxruntime", "openvino")


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
        loss = "" if self.loss_db is None else f", {self.loss_db:z.3f} dB lost against Keras in float32"
        return f"{self.runtime} in {self.precision}{loss}"


def runtime_named(name: str) -> Runtime[Any]:
    """Give a runtime that can be used.

    Args:
        name: Runtime other than `auto`.

    Returns:
        The runtime.

    Raises:
        RequestError: A package is missing.
    """
    runtime = RUNTIMES[name]
    if runtime.missing:
        raise RequestError(
            f"runtime {name} needs a package that is not installed",
            got=f"no {' and no '.join(runtime.missing)}",
            fix=f'pip install "srexp[{runtime.EXTRA}]"',
        )
    return runtime


def choose(
    model: Network,
    *,
    runtime: RuntimeName = "auto",
    precision: Precision = "float32",
    probes: Probes = (),
    shape: tuple[int, int] = (FULL, FULL),
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
    if precision not in RUNTIMES[runtime].PRECISIONS:
        have = [name for name, each in RUNTIMES.items() if precision in each.PRECISIONS]
        raise RequestError(
            f"runtime {runtime} does not compute in {precision}",
            expected=f"one of {', '.join(RUNTIMES[runtime].PRECISIONS)}",
            fix=f"runtime={have[0]}",
        )
    restore = runtime_named(runtime).start(model, precision, _calibration(probes))
    return Chosen(restore, runtime, precision, _loss(model, restore, probes), {})


def loss_db(restore: Restore, reference: Restore, probes: Probes) -> float:
    """Measure how much PSNR a network loses in another runtime or precision.

    Args:
        restore: The network there.
        reference: The network in float32.
        probes: Images with their targets.

    Returns:
        Mean over the images of the reference's PSNR less that of `restore`, in dB; infinite where the reference is
        without error and `restore` isn't. Errors that vanish when 16-bit levels are rounded are none.
    """
    losses = []
    for low, high in probes:
        errors = [
            float(np.mean((np.clip(each(low[np.newaxis])[0], 0, 1) - high) ** 2)) for each in (restore, reference)
        ]
        if errors[0] <= _UNSEEN:  # of a blank image, where all that differs is the last bit of a float
            losses.append(0.0)
        else:  # the range cancels out of the difference of two PSNRs
            losses.append(10 * math.log10(errors[0] / max(errors[1], _UNSEEN)) if errors[1] else math.inf)
    return math.nan if any(map(math.isnan, losses)) else float(np.mean(losses))


def _fastest(
    model: Network, precision: Precision, probes: Probes, shape: tuple[int, int], cache: Path | None
) -> Chosen:
    place = cache and cache / "runtimes" / f"{_key(model, precision, shape, probes)}.json"
    if place and (known := _known(place)):
        runtime, kind, loss_db = known
        return Chosen(runtime_named(runtime).start(model, kind, _calibration(probes)), runtime, kind, loss_db, {})
    chosen = _measured(model, precision, probes, shape)
    if place:
        found = {"runtime": chosen.runtime, "precision": chosen.precision, "loss_db": chosen.loss_db}
        write_whole(place, json.dumps({**found, "seconds": dict(chosen.seconds)}, indent=2))
    return chosen


def _known(place: Path) -> tuple[str, Precision, float | None] | None:
    """Give what was the fastest earlier; a file that is missing or damaged counts as none."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(place.read_text(encoding="utf-8"))
        if known["precision"] in RUNTIMES[known["runtime"]].PRECISIONS:
            return known["runtime"], known["precision"], known["loss_db"]
    return None


def _measured(model: Network, precision: Precision, probes: Probes, shape: tuple[int, int]) -> Chosen:
    """Start what is installed, leave out what loses too much, race the rest: on a small image, then in earnest."""
    keras = Chosen(RUNTIMES["keras"].start(model), "keras", "float32", 0.0 if probes else None, {})
    candidates = {"keras/float32": keras}
    image = np.random.default_rng(0).random((1, *shape, model.input_shape[-1]), dtype=np.float32)
    image = image[:, :FULL, :FULL]
    small = image[:, :_TRIED, :_TRIED]
    reference = keras.restore(small)
    for name, kind in _possible(precision):
        try:
            restore = runtime_named(name).start(model, kind, _calibration(probes))
        except RequestError:  # a layer or a processor that this runtime can't deal with
            continue
        loss = _loss(model, restore, probes)
        same = float(np.abs(restore(small) - reference).max()) < 1e-4  # noqa: PLR2004 - as `export` asks for
        if same if loss is None else loss <= MAX_LOSS_DB:
            candidates[f"{name}/{kind}"] = Chosen(restore, name, kind, loss, {})
    restorers = {name: each.restore for name, each in candidates.items()}
    costs = race(restorers, small)
    bound = _HOPELESS * min(cost.seconds for cost in costs.values())
    left = {name: restorers[name] for name, cost in costs.items() if cost.seconds <= bound}
    if len(left) > 1:
        costs = race(left, image)
    best = winner({name: costs[name] for name in left})
    return replace(candidates[best], seconds={name: cost.seconds for name, cost in costs.items()})


def _possible(precision: Precision) -> list[tuple[str, Precision]]:
    kinds: list[Precision] = ["float32"] if precision == "float32" else ["float32", precision]
    return [
        (name, kind)
        for name in AUTO
        for kind in kinds
        if (name, kind) != ("keras", "float32") and kind in RUNTIMES[name].PRECISIONS and not RUNTIMES[name].missing
    ]


def _calibration(probes: Probes) -> list[Batch]:
    return [low[np.newaxis] for low, _ in probes]


def _loss(model: Network, restore: Restore, probes: Probes) -> float | None:
    return loss_db(restore, batch_predictor(model), probes) if probes else None


def _key(model: Network, precision: str, shape: tuple[int, int], probes: Probes) -> str:
    """Name what a choice depends on: processor, kernels, model with weights, precision, shape, images, versions."""
    digest = hashlib.sha256()
    packages = {package for each in RUNTIMES.values() for package in each.PACKAGES.values()}
    versions = [f"{package} {_version(package)}" for package in sorted(packages)]
    digest.update(json.dumps([processor(), in_force(), model.to_json(), precision, shape, versions]).encode())
    for array in (*model.get_weights(), *(image for pair in probes for image in pair)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
