"""A model beside a baseline, image by image, under one protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from srexp.errors import RequestError
from srexp.evaluation.statistics import Comparison, compare, mean_and_std, mean_ci95
from srexp.metrics.protocol import Protocol
from srexp.metrics.ranking import ranked, ranking_mean
from srexp.metrics.suite import DECIBELS, measure
from srexp.metrics.table import merits
from srexp.system.masking.redaction import comma_separated
from srexp.types import Pixels, Sample

#: Degraded image (h, w, c) in, restored image (h * scale, w * scale, c) out.
Predict: TypeAlias = Callable[[Pixels], Pixels]

Who: TypeAlias = Literal["model", "baseline"]


@dataclass(frozen=True, slots=True)
class Row:
    """One scored image.

    Args:
        key: Name of the image in its data set.
        height: Height of the target in pixels, border included.
        width: Width of the target in pixels, border included.
        bits: Stored bit depth, which sets the data range.
        model: Value of each metric for the model; PSNRs may be `inf`, None says that this image has no such value.
        baseline: The same for the baseline; empty when none was scored.
        sha256: Digest of the stored image; empty where it isn't known.
    """

    key: str
    height: int
    width: int
    bits: int
    model: Mapping[str, float | None]
    baseline: Mapping[str, float | None]
    sha256: str = ""


#: Called after each image with (sample, restored, baseline's image or None, row), for panels and progress.
OnImage: TypeAlias = Callable[[Sample, Pixels, Pixels | None, Row], None]


@dataclass(frozen=True, slots=True)
class Scores:
    """All rows of one evaluation."""

    rows: tuple[Row, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what was measured."""
        return tuple(self.rows[0].model)

    def values(self, metric: str, who: Who = "model") -> list[float | None]:
        """Values of one metric, in the order of the rows; None where an image has none."""
        return [getattr(row, who).get(metric) for row in self.rows]

    def ranked(self, metric: str = "psnr", who: Who = "model") -> list[float | None]:
        """Decibels with which each image counts where means are compared; None for one that doesn't count."""
        return ranked(self.values(metric, who), self.values(metric, "baseline"))

    def ranking_mean(self, who: Who = "model") -> float:
        """Mean PSNR by which models are put in order, over the same images for all of them."""
        return ranking_mean(self.values("psnr", who), self.values("psnr", "baseline"))

    def means(self, who: Who = "model") -> dict[str, float | None]:
        """Mean of each metric over the images where it is finite, as published; None where it is finite nowhere."""
        return {metric: mean_and_std(self._known(metric, who))[0] for metric in self.metrics}

    def summary(self, who: Who = "model", *, seed: int = 0) -> dict[str, Any]:
        """Mean, standard deviation and bootstrap 95 % interval of each metric.

        Args:
            who: The model or the baseline.
            seed: Seed of the bootstrap.

        Returns:
            JSON-ready: for each metric `NAME` (mean), `NAME_std`, `NAME_ci95`, with None for what is not available, and
            `NAME_n`, the images that these rest on; `n_images`, and `n_infinite`, the images with infinite PSNR, which
            take no part in the PSNR figures.
        """
        result: dict[str, Any] = {}
        for metric in self.metrics:
            spread = self.spread(metric, who, seed=seed)
            result |= {metric: spread["mean"], **{f"{metric}_{name}": spread[name] for name in ("std", "ci95", "n")}}
        infinite = sum(math.isinf(value) for value in self._known("psnr", who))
        return {**result, "n_images": len(self.rows), "n_infinite": infinite}

    def spread(self, metric: str, who: Who = "model", *, seed: int = 0) -> dict[str, Any]:
        """Mean of one metric over the images where it is finite, and how sure it is.

        Args:
            metric: Which.
            who: The model or the baseline.
            seed: Seed of the bootstrap.

        Returns:
            JSON-ready: `mean`, `std`, `ci95`, None for what is not available; `n`, the images that they rest on;
            `n_infinite` and `n_missing`, those left out because the value is infinite or doesn't exist.
        """
        known = self._known(metric, who)
        finite = [value for value in known if math.isfinite(value)]
        mean, std = mean_and_std(finite)
        return {
            "mean": mean,
            "std": std,
            "ci95": mean_ci95(finite, seed=seed),
            "n": len(finite),
            "n_infinite": len(known) - len(finite),
            "n_missing": len(self.rows) - len(known),
        }

    def gain(self, metric: str = "psnr", *, seed: int = 0) -> Comparison:
        """What the model is better by than the baseline, paired by image; images without a value take no part."""
        take = self.ranked if metric in DECIBELS else self.values
        return compare(*(merits(take(metric, who), metric) for who in ("model", "baseline")), seed=seed)

    def table(self) -> list[dict[str, Any]]:
        """One flat dictionary per image: key, height, width, bits, sha256, metrics of the model and of the baseline.

        What is not available is None; PSNRs may be `inf`. Patients are left out.
        """
        return [
            {
                **{name: getattr(row, name) for name in ("key", "height", "width", "bits", "sha256")},
                **{metric: row.model[metric] for metric in self.metrics},
                **{f"baseline_{metric}": row.baseline.get(metric) for metric in self.metrics},
            }
            for row in self.rows
        ]

    def _known(self, metric: str, who: Who) -> list[float]:
        return [value for value in self.values(metric, who) if value is not None]

    def write_csv(self, path: Path) -> None:
        """Write the table; infinite PSNR as `inf`, what is not available as an empty cell.

        Args:
            path: File to write; its folder must exist.
        """
        path.write_text(comma_separated(self.table()), encoding="utf-8", newline="")

    def write_parquet(self, path: Path) -> None:
        """Write the table with its types; infinite PSNR as infinity, what is not available as null.

        Args:
            path: File to write; its folder must exist.
        """
        import pyarrow as pa
        from pyarrow import parquet

        kinds = {"key": pa.string(), "sha256": pa.string()}
        kinds |= dict.fromkeys(("height", "width", "bits"), pa.int32())
        table = self.table()
        schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in table[0]])
        parquet.write_table(pa.Table.from_pylist(table, schema=schema), path)


def score(
    predict: Predict,
    samples: Iterable[Sample],
    protocol: Protocol,
    scale: int,
    *,
    baseline: Predict | None = None,
    full: bool = False,
    on_image: OnImage | None = None,
) -> Scores:
    """Score a model, and a baseline beside it, on every image.

    Images are taken one by one, so a set that doesn't fit in memory is scored too. An image is measured while the next
    one is restored, which changes no figure.

    Args:
        predict: The model: (h, w, c) float32 in [0, 1] to (h * scale, w * scale, c).
        samples: Degraded images with their targets.
        protocol: How to score.
        scale: Ratio of the high to the low resolution.
        baseline: Scored on the same images, usually bicubic interpolation.
        full: All metrics, those that the protocol asks for as well, or PSNR and SSIM alone, for validation.
        on_image: Called after each image, for panels and progress.

    Returns:
        One row per image.

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
    for sample, restored, reference, row in _measured(predict, samples, protocol, scale, baseline, full=full):
        rows.append(row)
        if on_image:
            on_image(sample, restored, reference, row)
    if not rows:
        raise RequestError(
            "there is no image to score", expected="at least one", fix="check the data set and its split"
        )
    return Scores(tuple(rows))


_Measured: TypeAlias = tuple[Sample, Pixels, Pixels | None, Row]


def _measured(
    predict: Predict,
    samples: Iterable[Sample],
    protocol: Protocol,
    scale: int,
    baseline: Predict | None,
    *,
    full: bool,
) -> Iterator[_Measured]:
    """Restore images in this thread, and measure the one before meanwhile: its filters leave the interpreter free."""
    with ThreadPoolExecutor(max_workers=2) as pool:

        def begin(sample: Sample) -> Callable[[], _Measured]:
            restored = predict(sample.low)
            reference = baseline(sample.low) if baseline else None
            model, other = (
                None if image is None else pool.submit(_measure, image, sample, protocol, scale, full=full)
                for image in (restored, reference)
            )

            def end() -> _Measured:
                row = Row(
                    key=sample.key,
                    height=int(sample.high.shape[0]),
                    width=int(sample.high.shape[1]),
                    bits=sample.bits,
                    model=model.result() if model else {},
                    baseline=other.result() if other else {},
                    sha256=sample.sha256,
                )
                return sample, restored, reference, row

            return end

        end_of_last = None
        for sample in samples:
            end_of_this = begin(sample)
            if end_of_last:
                yield end_of_last()
            end_of_last = end_of_this
        if end_of_last:
            yield end_of_last()


def _measure(
    restored: Pixels, sample: Sample, protocol: Protocol, scale: int, *, full: bool
) -> Mapping[str, float | None]:
    found, wanted = protocol.levels(restored, sample.high, bits=sample.bits, scale=scale, key=sample.key)
    white = 2**sample.bits - 1
    learned = protocol.learned if full else {}
    return {
        **measure(found, wanted, max_value=white, full=full),
        **{name: metric(found, wanted, max_value=white) for name, metric in learned.items()},
    }
