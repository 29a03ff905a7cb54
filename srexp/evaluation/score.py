"""PSNR and SSIM of a model beside a baseline, image by image, under one protocol."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from srexp.errors import RequestError
from srexp.evaluation.statistics import Comparison, compare, mean_and_std, mean_ci95
from srexp.metrics.protocol import Protocol
from srexp.metrics.psnr import psnr
from srexp.metrics.ssim import ssim
from srexp.types import Pixels, Sample

Predict: TypeAlias = Callable[[Pixels], Pixels]
"""Degraded image (h, w, c) in, restored image (h * scale, w * scale, c) out."""

METRICS: Mapping[str, Callable[..., float]] = {"psnr": psnr, "ssim": ssim}
"""What is measured on every image; each takes (restored, high, max_value=) in grey levels, higher is better."""

Who: TypeAlias = Literal["model", "baseline"]


@dataclass(frozen=True, slots=True)
class Row:
    """One scored image.

    Args:
        key: Name of the image in its data set.
        height: Height of the target in pixels, border included.
        width: Width of the target in pixels, border included.
        bits: Stored bit depth, which sets the data range.
        model: Value of each metric for the model; PSNR may be `inf`.
        baseline: The same for the baseline; empty when none was scored.
    """

    key: str
    height: int
    width: int
    bits: int
    model: Mapping[str, float]
    baseline: Mapping[str, float]


OnImage: TypeAlias = Callable[[Sample, Pixels, Pixels | None, Row], None]
"""Called after each image with (sample, restored, baseline's image or None, row), for panels and progress."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All rows of one evaluation with the protocol they were made under."""

    rows: tuple[Row, ...]
    protocol: Mapping[str, Any]

    def values(self, metric: str, who: Who = "model") -> list[float]:
        """Values of one metric, in the order of the rows."""
        return [getattr(row, who)[metric] for row in self.rows]

    def means(self, who: Who = "model") -> dict[str, float | None]:
        """Mean of each metric over the images where it is finite; None where it is finite nowhere."""
        return {metric: mean_and_std(self.values(metric, who))[0] for metric in METRICS}

    def summary(self, who: Who = "model", *, seed: int = 0) -> dict[str, Any]:
        """Mean, standard deviation and bootstrap 95 % interval of each metric.

        Args:
            who: The model or the baseline.
            seed: Seed of the bootstrap.

        Returns:
            JSON-ready: for each metric `NAME` (mean), `NAME_std`, `NAME_ci95`, with None for what is not available;
            `n_images`, and `n_infinite`, the images with infinite PSNR, which take no part in the PSNR figures.
        """
        result: dict[str, Any] = {}
        for metric in METRICS:
            values = self.values(metric, who)
            result[metric], result[f"{metric}_std"] = mean_and_std(values)
            result[f"{metric}_ci95"] = mean_ci95([value for value in values if math.isfinite(value)], seed=seed)
        infinite = sum(math.isinf(value) for value in self.values("psnr", who))
        return {**result, "n_images": len(self.rows), "n_infinite": infinite}

    def gain(self, metric: str = "psnr", *, seed: int = 0) -> Comparison:
        """The model against the baseline, paired by image."""
        return compare(self.values(metric, "model"), self.values(metric, "baseline"), seed=seed)

    def table(self) -> list[dict[str, Any]]:
        """One flat dictionary per image: key, height, width, bits, metrics of the model, metrics of the baseline.

        A missing baseline is None; PSNR may be `inf`. Patients are left out.
        """
        return [
            {
                "key": row.key,
                "height": row.height,
                "width": row.width,
                "bits": row.bits,
                **{metric: row.model[metric] for metric in METRICS},
                **{f"baseline_{metric}": row.baseline.get(metric) for metric in METRICS},
            }
            for row in self.rows
        ]

    def write_csv(self, path: Path) -> None:
        """Write the table; infinite PSNR as `inf`, a missing baseline as an empty cell.

        Args:
            path: File to write; its folder must exist.
        """
        table = self.table()
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(table[0]))
            writer.writeheader()
            writer.writerows(table)


def score(
    predict: Predict,
    samples: Iterable[Sample],
    protocol: Protocol,
    scale: int,
    *,
    baseline: Predict | None = None,
    intensity: str = "bits",
    on_image: OnImage | None = None,
) -> Scores:
    """Score a model, and a baseline beside it, on every image.

    Images are taken one by one, so a set that doesn't fit in memory is scored too.

    Args:
        predict: The model: (h, w, c) float32 in [0, 1] to (h * scale, w * scale, c).
        samples: Degraded images with their targets.
        protocol: How to score.
        scale: Ratio of the high to the low resolution.
        baseline: Scored on the same images, usually bicubic interpolation.
        intensity: How stored values became the data range; part of the protocol's description.
        on_image: Called after each image, for panels and progress.

    Returns:
        One row per image with the protocol's description.

    Raises:
        RequestError: There is no image, one is too small, or sizes differ; the image is named.
        SrexpError: A restored image holds NaN; the image is named.

    Example:
        >>> import numpy as np
        >>> high = np.random.default_rng(0).random((20, 20, 1), dtype=np.float32)
        >>> sample = Sample(key="a.png", patient="p", bits=8, low=high, high=high)
        >>> scores = score(lambda low: low, [sample], Protocol(), scale=1)
        >>> scores.summary()["n_infinite"], scores.means()
        (1, {'psnr': None, 'ssim': 1.0})
    """
    rows = []
    for sample in samples:
        restored = predict(sample.low)
        reference = baseline(sample.low) if baseline else None
        row = Row(
            key=sample.key,
            height=int(sample.high.shape[0]),
            width=int(sample.high.shape[1]),
            bits=sample.bits,
            model=_measure(restored, sample, protocol, scale),
            baseline=_measure(reference, sample, protocol, scale) if reference is not None else {},
        )
        rows.append(row)
        if on_image:
            on_image(sample, restored, reference, row)
    if not rows:
        raise RequestError(
            "there is no image to score", expected="at least one", fix="check the data set and its split"
        )
    return Scores(rows=tuple(rows), protocol=protocol.describe(scale, intensity=intensity))


def _measure(restored: Pixels, sample: Sample, protocol: Protocol, scale: int) -> dict[str, float]:
    found, wanted = protocol.levels(restored, sample.high, bits=sample.bits, scale=scale, key=sample.key)
    return {name: metric(found, wanted, max_value=2**sample.bits - 1) for name, metric in METRICS.items()}
