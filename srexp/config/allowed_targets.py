"""Which builders a `_target_` may name, and what those of older runs are called today."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from srexp.errors import RequestError

#: What the builders of each section are called; whatever else is in srexp and Keras may open files or load code.
BUILDERS = {
    "dataset": ("srexp.data.sources.MODULE.CLASS",),
    "degradation": ("srexp.data.degradation.MODULE.CLASS", "srexp.data.degradation.chain.chain"),
    "augmentation": ("srexp.data.batches.MODULE.CLASS",),
    "model": ("srexp.models.MODULE.build",),
    "loss": ("srexp.training.losses.FUNCTION", "srexp.training.MODULE.build", "keras.losses.CLASS"),
    "optimizer": ("srexp.training.optimizers.FUNCTION", "srexp.training.MODULE.build", "keras.optimizers.CLASS"),
    "training": ("srexp.training.courses.MODULE.build",),
    "schedule": ("srexp.training.schedules.FUNCTION", "srexp.training.MODULE.build"),
    "protocol": ("srexp.metrics.MODULE.CLASS",),
    "tracking": ("srexp.tracking.runs.MODULE.CLASS",),
    "search": ("srexp.search.MODULE.engine.CLASS",),
    "promote": ("srexp.evaluation.MODULE.CLASS",),
}
#: Names under which stores, presets and studies of older versions know builders. An entry is never taken out.
RENAMED = {
    "srexp.data.augment.Affine": "srexp.data.batches.augment.Affine",
    "srexp.data.augment.Dihedral": "srexp.data.batches.augment.Dihedral",
    "srexp.data.augment.Plain": "srexp.data.batches.augment.Plain",
    "srexp.data.chain.chain": "srexp.data.degradation.chain.chain",
    "srexp.data.chestmnist.ChestMnist": "srexp.data.sources.chestmnist.ChestMnist",
    "srexp.data.degrade.Bicubic": "srexp.data.degradation.degradations.Bicubic",
    "srexp.data.degrade.Identity": "srexp.data.degradation.degradations.Identity",
    "srexp.data.folder.Folder": "srexp.data.sources.folder.Folder",
    "srexp.data.imaging.Blur": "srexp.data.degradation.acquisition.Blur",
    "srexp.data.imaging.Contrast": "srexp.data.degradation.acquisition.Contrast",
    "srexp.data.imaging.Noise": "srexp.data.degradation.acquisition.Noise",
    "srexp.data.montgomery.Montgomery": "srexp.data.sources.montgomery.Montgomery",
    "srexp.data.nih_sample.NihSample": "srexp.data.sources.nih_sample.NihSample",
    "srexp.data.paired.Given": "srexp.data.degradation.given.Given",
    "srexp.data.paired.Paired": "srexp.data.sources.paired.Paired",
    "srexp.data.samples.Samples": "srexp.data.sources.samples.Samples",
    "srexp.evaluation.gate.Gate": "srexp.evaluation.promotion_gate.Gate",
    "srexp.search.with_keras_tuner.KerasTuner": "srexp.search.keras_tuner.engine.KerasTuner",
    "srexp.search.with_optuna.Optuna": "srexp.search.optuna.engine.Optuna",
    "srexp.tracking.start.Tracking": "srexp.tracking.runs.tracking.Tracking",
}
_FIRST = {today: first for first, today in RENAMED.items()}
_NAMES = {"MODULE": r"[a-z]\w*", "CLASS": r"[A-Z]\w*", "FUNCTION": r"[a-z]\w*"}


def current(target: str) -> str:
    """Give the name that a builder has today.

    Example:
        >>> current("srexp.data.folder.Folder"), current("srexp.models.vdsr.build")
        ('srexp.data.sources.folder.Folder', 'srexp.models.vdsr.build')
    """
    return RENAMED.get(target, target)


def renewed(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """Give a configuration that an older version kept with today's names of its builders."""
    return {
        str(key): current(value) if key == "_target_" and isinstance(value, str) else _renewed(value)
        for key, value in tree.items()
    }


def _renewed(value: Any) -> Any:
    return renewed(value) if isinstance(value, Mapping) else value


def first(target: str) -> str:
    """Give the name that a builder had first: what a run is recognised by must not change when a file moves."""
    return _FIRST.get(target, target)


def require_allowed(group: str, target: str, extensions: Sequence[str]) -> None:
    """Refuse a target that builds nothing for its section.

    Args:
        group: Configuration group, such as `optimizer`.
        target: Dotted path, as it is called today.
        extensions: Packages beside srexp and keras whose builders the user allows.

    Raises:
        RequestError: It isn't among the builders of this group, nor in one of the packages.
    """
    package = target.partition(".")[0]
    if package not in extensions and not _builds(group, target):
        raise not_allowed(group, target, extensions)


def not_allowed(group: str, target: str, extensions: Sequence[str]) -> RequestError:
    """Say which targets a section may have."""
    package = target.partition(".")[0]
    return RequestError(
        f"{group}._target_ is not allowed",
        got=target,
        expected=" or ".join([*BUILDERS.get(group, ()), *(f"what is in {each}" for each in extensions)]),
        fix="" if package in ("srexp", "keras") else f"extensions=[{package}], if you trust that package",
    )


def _builds(group: str, target: str) -> bool:
    patterns = (r"\.".join(_NAMES.get(part, part) for part in each.split(".")) for each in BUILDERS.get(group, ()))
    return any(re.fullmatch(pattern, target) for pattern in patterns)
