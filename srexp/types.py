"""Values that pass between the parts: arrays with their shapes, a scored sample, a trial of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.lazy_imports import keras

if TYPE_CHECKING:
    from matplotlib import axes, figure

#: One image, (h, w, c), float32 in [0, 1]; c is 1 or 3.
Pixels: TypeAlias = npt.NDArray[np.float32]

#: Several images or patches of one size, (n, h, w, c), float32 in [0, 1].
Batch: TypeAlias = npt.NDArray[np.float32]


#: A Keras model that restores images, (n, h, w, c) to (n, h * scale, w * scale, c), float32; named without Keras.
Network: TypeAlias = "keras.Model"

#: A figure of Matplotlib, and one of the panels in it; named without Matplotlib.
Figure: TypeAlias = "figure.Figure"
Axes: TypeAlias = "axes.Axes"


@dataclass(frozen=True, slots=True)
class Sample:
    """One image ready for scoring: the degraded input beside its target.

    Args:
        key: Stable name of the image in its data set.
        patient: Patient key of the image, never logged as it is.
        bits: Stored bit depth; the data range of the metrics is `2**bits - 1`.
        low: Degraded image, (h, w, c), float32 in [0, 1].
        high: Target, (h * scale, w * scale, c), float32 in [0, 1].
        sha256: Digest of the stored image that the target comes from; empty where it isn't known.
    """

    key: str
    patient: str
    bits: int
    low: Pixels
    high: Pixels
    sha256: str = ""


#: How far a trial of a search got; only `finished` and `pruned` ones count towards the number that was asked for.
TrialState: TypeAlias = Literal["waiting", "running", "finished", "pruned", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial of a search, as its engine remembers it.

    Args:
        number: Number in the study, from 0, never used twice.
        state: How far it got.
        values: Configuration keys to what the engine chose for them.
        objectives: Final value of each objective; only of a finished trial.
        curve: Epoch, from 1, to validation PSNR in dB, as far as it was reported.
        facts: What the worker noted besides: run id, output folder, process, reason of a failure, steps, seconds.
        started: When the worker began; None while it waits.
        ended: When it ended; None before.
    """

    number: int
    state: TrialState
    values: Mapping[str, Any]
    objectives: tuple[float, ...] | None = None
    curve: Mapping[int, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None
    ended: datetime | None = None
