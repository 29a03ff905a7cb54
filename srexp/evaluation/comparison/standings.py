"""Several models on the same test images: means, gains, wins, and which differences are more than chance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from srexp.evaluation.cost import Cost
from srexp.evaluation.statistics import Comparison, compare, holm, mean_and_std, mean_ci95
from srexp.evaluation.timing import Timing
from srexp.metrics.ranking import ranked, ranking_mean
from srexp.metrics.suite import DECIBELS
from srexp.metrics.table import merits

BASELINE = "bicubic"
RANKED_BY = "psnr"


@dataclass(frozen=True, slots=True)
class Point:
    """One epoch on a learning curve.

    Args:
        epoch: Number of the epoch, from 1.
        seconds: Wall time since training began.
        psnr: Validation PSNR in dB.
    """

    epoch: int
    seconds: float
    psnr: float


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One model among several; what isn't known of it is None or empty.

    Args:
        name: What it is called, different from all others.
        values: Metric to its value on each test image, all in the same order; PSNR may be `inf`.
        timings: What was timed (`image 256`) to the times.
        cost: Size of the network.
        train_seconds: Wall time of training, validation included.
        patches_per_second: Speed of training.
        curve: Learning curve.
        bicubic_val_psnr: What bicubic interpolation scores on the images of that curve, in dB.
        invents: Whether it was taught to invent detail.
    """

    name: str
    values: Mapping[str, Sequence[float]]
    timings: Mapping[str, Timing] = field(default_factory=dict)
    cost: Cost | None = None
    train_seconds: float | None = None
    patches_per_second: float | None = None
    curve: Sequence[Point] = ()
    bicubic_val_psnr: float | None = None
    invents: bool = False


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over test images, never without its spread.

    Args:
        mean: Over the images where the value is finite; None when there is none.
        std: Sample standard deviation; None for fewer than two images.
        ci95: Bootstrap 95 % interval; None for fewer than two images.
        n_infinite: Images left out because their value is infinite.
    """

    mean: float | None
    std: float | None
    ci95: list[float] | None
    n_infinite: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One row of the table.

    Args:
        contender: Whose row it is.
        means: Metric to its mean, as published.
        ranking_psnr: Mean PSNR that puts the rows in order, over the same images for all; see `metrics.ranking`.
        gains: Metric to the comparison with bicubic; empty for bicubic itself.
        wins: Images on which its PSNR is higher than everybody else's.
        p_best: Corrected p value of the difference to the best one; None for the best itself, or without a test.
    """

    contender: Contender
    means: Mapping[str, Mean]
    ranking_psnr: float
    gains: Mapping[str, Comparison]
    wins: int
    p_best: float | None

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.contender.name


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on the same images, by PSNR.

    Args:
        better: The one that ranks higher.
        worse: The other one.
        difference: The first against the second.
        p_holm: p value of their Wilcoxon test after Holm's correction over all pairs; None without a test.
    """

    better: str
    worse: str
    difference: Comparison
    p_holm: float | None


@dataclass(frozen=True, slots=True)
class Standings:
    """All models on the same images.

    Args:
        keys: Names of the images.
        rows: Models by falling `ranking_psnr`; bicubic wherever it belongs.
        pairs: Every two of them.
    """

    keys: Sequence[str]
    rows: Sequence[Standing]
    pairs: Sequence[Pair]

    @property
    def best(self) -> Standing:
        """The model that ranks highest."""
        return self.rows[0]

    @property
    def models(self) -> list[Standing]:
        """Rows without bicubic."""
        return [row for row in self.rows if row.name != BASELINE]

    def row(self, name: str) -> Standing:
        """Give the row of a model."""
        return next(row for row in self.rows if row.name == name)

    def pair(self, one: str, other: str) -> Pair:
        """Give the pair of two models, whichever is better."""
        return next(pair for pair in self.pairs if {pair.better, pair.worse} == {one, other})

    def as_dict(self) -> dict[str, Any]:
        """Rows and pairs, ready for JSON."""
        return {
            "best": self.best.name,
            "models": [_row_as_dict(row) for row in self.rows],
            "pairs": [asdict(pair) for pair in self.pairs],
        }


def standings(keys: Sequence[str], contenders: Sequence[Contender], *, seed: int = 0) -> Standings:
    """Rank models by their mean PSNR over the same images, and test every difference.

    All pairs are one family for Holm's correction, bicubic included, so that no choice of whom to compare with whom is
    left to the reader.

    Args:
        keys: Names of the test images.
        contenders: The models; the one named `bicubic` is what gains are counted from.
        seed: Of the bootstrap.

    Returns:
        Rows and pairs.

    Example:
        >>> found = standings(["a", "b"], [Contender(name="bicubic", values={"psnr": [30, 31]}),
        ...                                Contender(name="srcnn", values={"psnr": [31, 33]})])
        >>> found.best.name, found.best.gains["psnr"].gain, found.best.wins
        ('srcnn', 1.5, 2)
    """
    baseline = next((each for each in contenders if each.name == BASELINE), None)
    counting = {each.name: _counting(each, baseline) for each in contenders}
    rank = {each.name: ranking_mean(each.values[RANKED_BY], _bicubic(each, baseline, RANKED_BY)) for each in contenders}
    ordered = sorted(contenders, key=lambda each: rank[each.name], reverse=True)
    pairs = _pairs({each.name: counting[each.name][RANKED_BY] for each in ordered}, seed)
    rows = [
        Standing(
            contender=each,
            means={metric: _mean(values, seed) for metric, values in each.values.items()},
            ranking_psnr=rank[each.name],
            gains={} if baseline is None or each is baseline else _gains(counting[each.name], counting[BASELINE], seed),
            wins=_wins(each, ordered),
            p_best=next(
                (pair.p_holm for pair in pairs if (pair.better, pair.worse) == (ordered[0].name, each.name)), None
            ),
        )
        for each in ordered
    ]
    return Standings(tuple(keys), rows, pairs)


def _counting(contender: Contender, baseline: Contender | None) -> dict[str, Sequence[float | None]]:
    """Give the values with which each image counts where means are compared: decibels over the same images for all."""
    return {
        metric: ranked(values, _bicubic(contender, baseline, metric)) if metric in DECIBELS else values
        for metric, values in contender.values.items()
    }


def _bicubic(contender: Contender, baseline: Contender | None, metric: str) -> Sequence[float | None]:
    known = baseline.values if baseline else {}
    return known.get(metric) or [None] * len(contender.values[metric])


def _pairs(psnr: Mapping[str, Sequence[float | None]], seed: int) -> list[Pair]:
    two = list(itertools.combinations(psnr, 2))
    found = [compare(psnr[better], psnr[worse], seed=seed) for better, worse in two]
    corrected = iter(holm([each.p_value for each in found if each.p_value is not None]))
    return [
        Pair(better, worse, difference, None if difference.p_value is None else next(corrected))
        for (better, worse), difference in zip(two, found, strict=True)
    ]


def _mean(values: Sequence[float], seed: int) -> Mean:
    finite = [value for value in values if math.isfinite(value)]
    return Mean(*mean_and_std(finite), mean_ci95(finite, seed=seed), len(values) - len(finite))


def _gains(
    counting: Mapping[str, Sequence[float | None]], baseline: Mapping[str, Sequence[float | None]], seed: int
) -> dict[str, Comparison]:
    return {
        metric: compare(merits(counting[metric], metric), merits(baseline[metric], metric), seed=seed)
        for metric in counting
        if metric in baseline
    }


def _wins(contender: Contender, everybody: Sequence[Contender]) -> int:
    others = [each.values[RANKED_BY] for each in everybody if each is not contender]
    own = contender.values[RANKED_BY]
    return sum(all(value > other[place] for other in others) for place, value in enumerate(own))


def _row_as_dict(row: Standing) -> dict[str, Any]:
    contender = row.contender
    return {
        "name": row.name,
        "means": {metric: asdict(mean) for metric, mean in row.means.items()},
        "ranking_psnr": row.ranking_psnr if math.isfinite(row.ranking_psnr) else None,
        "gains": {metric: gain.as_dict() for metric, gain in row.gains.items()},
        "wins": row.wins,
        "p_best": row.p_best,
        "parameters": contender.cost and contender.cost.parameters,
        "multiply_adds_per_megapixel": contender.cost and contender.cost.multiply_adds,
        "train_seconds": contender.train_seconds,
        "train_patches_per_second": contender.patches_per_second,
        "inference": {label: timing.as_dict() for label, timing in contender.timings.items()},
    }
