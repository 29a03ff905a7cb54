"""How sure a mean and a difference are: bootstrap intervals and a paired test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from srexp.errors import RequestError

RESAMPLES = 9999
#: With 5 pairs the two-sided Wilcoxon test can't go below p = 2 / 2**5 = 0.06, so it could never find anything.
FEWEST_PAIRS = 6
_VALUES_AT_ONCE = 2_000_000  # bounds the bootstrap's memory to 16 MB, however many images there are


def mean_ci95(values: Sequence[float], *, seed: int = 0) -> list[float] | None:
    """Bootstrap 95 % interval of a mean (percentile method, images drawn with replacement).

    Source: Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Args:
        values: One finite value per image.
        seed: Seed of the draws: equal values give an equal interval.

    Returns:
        `[low, high]`, or None for fewer than two values, which tell nothing about spread.

    Example:
        >>> mean_ci95([30.0, 30.0, 30.0])
        [30.0, 30.0]
        >>> mean_ci95([30.0]) is None
        True
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size < 2:  # noqa: PLR2004 - see Returns
        return None
    if np.ptp(data) == 0:
        return [float(data[0]), float(data[0])]

    from scipy.stats import bootstrap

    interval = bootstrap(
        (data,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, _VALUES_AT_ONCE // data.size),
        confidence_level=0.95,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return [float(interval.low), float(interval.high)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One predictor against another on the same images.

    Args:
        gain: Mean of the paired differences a - b; None when no pair is finite.
        ci95: Bootstrap interval of that mean, `[low, high]`; None for fewer than two pairs.
        p_value: Two-sided paired Wilcoxon test; None when there are too few pairs.
        p_reason: Why there is no p value; empty when there is one.
        wins: Images on which a is better than b.
        n_pairs: Pairs that were used.
        n_infinite: Pairs left out because one of the two values is infinite.
    """

    gain: float | None
    ci95: list[float] | None
    p_value: float | None
    p_reason: str
    wins: int
    n_pairs: int
    n_infinite: int

    def as_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return asdict(self)


def compare(a: Sequence[float | None], b: Sequence[float | None], *, seed: int = 0) -> Comparison:
    """Compare two predictors, image by image.

    Source of the test: Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (6), 1945. It asks
    for no normal distribution, which PSNR over a handful of images doesn't have.

    Args:
        a: Values of the predictor in question (higher is better), one per image, finite or `inf`; an image for which
            one of the two has None takes no part.
        b: Values of the other one, same images in the same order.
        seed: Seed of the bootstrap.

    Returns:
        Mean gain, its interval, the p value and how many pairs they rest on.

    Raises:
        RequestError: The numbers of images differ or a value is NaN.

    Example:
        >>> compare([31, 32, 33], [30, 31, 32]).ci95
        [1.0, 1.0]
    """
    if len(a) != len(b):
        raise RequestError("a paired comparison needs the same images twice", got=f"{len(a)} and {len(b)} values")
    known = [pair for pair in zip(a, b, strict=True) if None not in pair]
    left, right = np.asarray(known, dtype=np.float64).reshape(-1, 2).T
    if np.isnan(left).any() or np.isnan(right).any():
        raise RequestError("a paired comparison can't use NaN", expected="a finite value or inf for each image")
    finite = np.isfinite(left) & np.isfinite(right)
    gains = left[finite] - right[finite]
    p_value, p_reason = _wilcoxon(gains)
    return Comparison(
        gain=float(gains.mean()) if gains.size else None,
        ci95=mean_ci95(gains.tolist(), seed=seed),
        p_value=p_value,
        p_reason=p_reason,
        wins=int(np.count_nonzero(left > right)),
        n_pairs=int(gains.size),
        n_infinite=int(np.count_nonzero(~finite)),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for their number, so that among all of them a false find is as rare as for a single test.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

    Args:
        p_values: One for each test of the family.

    Returns:
        Corrected values, in the same order.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)  # equal ones in any order: the first decides for all of them
    corrected = np.empty(len(p_values))
    tests_left = np.arange(len(p_values), 0, -1)
    corrected[order] = np.minimum(1, np.maximum.accumulate(tests_left * np.asarray(p_values)[order]))
    return [float(value) for value in corrected]


def mean_and_std(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of the finite values; None where there are too few of them."""
    finite = [value for value in values if math.isfinite(value)]
    mean = float(np.mean(finite)) if finite else None
    std = float(np.std(finite, ddof=1)) if len(finite) > 1 else None
    return mean, std


def _wilcoxon(gains: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float | None, str]:
    if gains.size < FEWEST_PAIRS:
        return None, f"{gains.size} pairs; the Wilcoxon test needs at least {FEWEST_PAIRS} to say anything"
    if not gains.any():  # SciPy has no ranks to work with and answers NaN
        return 1.0, ""

    from scipy.stats import wilcoxon

    return float(wilcoxon(gains, alternative="two-sided").pvalue), ""
