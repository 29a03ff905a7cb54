"""Degradations that model a machine: an unsharp focus, a flat exposure, a low dose.

Each reduces by antialiased bicubic interpolation too, so that each has every scale from 1 to 4. Strengths are typical
values with a spread, a factor: every image and every patch draws its own, see `drawn`; spread 1 is a fixed strength.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from srexp.data.degradation.degradations import Reduction, reduced
from srexp.errors import RequestError
from srexp.types import Pixels

GAUSSIAN_REACH = 4.0  # sigmas after which a Gaussian is cut off; 6e-5 of its weight lies beyond


@dataclass(frozen=True, kw_only=True)
class Blur(Reduction):
    """Gaussian blur, then bicubic reduction: a large focal spot, motion, a worn screen.

    Args:
        sigma: Typical standard deviation in pixels of `high`.
        spread: Factor within which each image draws its own sigma.

    Raises:
        RequestError: `sigma` isn't positive or `spread` is below 1.
    """

    name: str = "blur"
    sigma: float = 1.2
    spread: float = 1.0

    def __post_init__(self) -> None:
        """Refuse strengths that mean nothing."""
        _require(self.name, "sigma", self.sigma, least=0.01, most=32)
        _require(self.name, "spread", self.spread, least=1, most=100)

    def halo(self, scale: int) -> int:
        """Give the reach of the widest Gaussian and of the reduction after it."""
        reach = math.ceil(GAUSSIAN_REACH * self.sigma * self.spread + 1)
        return super().halo(scale) + math.ceil(reach / scale) * scale

    def _degraded(self, high: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
        """Blur and reduce an image."""
        from scipy.ndimage import gaussian_filter1d

        sigma, blurred = drawn(self.sigma, self.spread, rng), high
        for axis in (0, 1):
            # scipy calls `reflect` what repeats the border pixel, as `resize` does.
            blurred = gaussian_filter1d(blurred, sigma, axis=axis, mode="reflect", truncate=GAUSSIAN_REACH)
        return reduced(blurred, scale)


@dataclass(frozen=True, kw_only=True)
class Contrast(Reduction):
    """Bicubic reduction with all values drawn towards one grey: fog, scatter, poor light.

    `low = grey + level (high - grey)`.

    Args:
        level: Typical contrast that is left; 1 leaves all of it.
        spread: Factor within which each image draws its own level.
        grey: What the values are drawn towards, 0 black to 1 white.

    Raises:
        RequestError: A value lies outside its range, or the level could exceed 1.
    """

    name: str = "contrast"
    level: float = 0.8
    spread: float = 1.0
    grey: float = 0.5

    def __post_init__(self) -> None:
        """Refuse strengths that mean nothing."""
        _require(self.name, "spread", self.spread, least=1, most=100)
        _require(self.name, "level", self.level, least=0.01, most=1 / self.spread)
        _require(self.name, "grey", self.grey, least=0, most=1)

    def degenerate(self, scale: int) -> bool:
        """Say whether neither size nor contrast is lost."""
        return scale == 1 and self.level == 1

    def _degraded(self, high: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
        """Reduce an image and flatten it."""
        level, grey = np.float32(drawn(self.level, self.spread, rng)), np.float32(self.grey)
        return grey + level * (reduced(high, scale) - grey)


@dataclass(frozen=True, kw_only=True)
class Noise(Reduction):
    """Bicubic reduction, then Poisson-Gaussian noise: few quanta and a noisy read-out.

    A value x becomes `Poisson(photons x) / photons + N(0, read_noise^2)`: unbiased, of variance `x / photons +
    read_noise^2` (A. Foi et al.: Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data.
    IEEE Trans. Image Processing 17(10), 2008, equations 1 to 3). Stored values stand for the quanta, whatever curve the
    machine applied to them.

    Args:
        photons: Typical dose: quanta that a white pixel of `low` counts.
        read_noise: Standard deviation of the electronics, as a fraction of white.
        spread: Factor within which each image draws its own dose.

    Raises:
        RequestError: A value lies outside its range.
    """

    name: str = "noise"
    photons: float = 1000.0
    read_noise: float = 0.005
    spread: float = 1.0

    def __post_init__(self) -> None:
        """Refuse strengths that mean nothing."""
        _require(self.name, "photons", self.photons, least=1, most=1e9)
        _require(self.name, "read_noise", self.read_noise, least=0, most=1)
        _require(self.name, "spread", self.spread, least=1, most=100)

    def _degraded(self, high: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
        """Reduce an image and count its quanta."""
        photons = drawn(self.photons, self.spread, rng)
        # Bicubic weights may undershoot black, and nothing counts fewer than no quanta.
        expected = np.maximum(reduced(high, scale), 0) * np.float32(photons)
        counted = rng.poisson(expected).astype(np.float32) / np.float32(photons)
        return counted + rng.standard_normal(counted.shape, np.float32) * np.float32(self.read_noise)


def drawn(typical: float, spread: float, rng: np.random.Generator) -> float:
    """Draw a strength, log-uniform around the typical one.

    Args:
        typical: Middle of the range.
        spread: Factor from the middle to either end, 1 or more.
        rng: Source of randomness; one number is taken, whatever the spread.

    Returns:
        A value in `typical / spread ... typical * spread`.
    """
    return typical * float(spread ** rng.uniform(-1, 1))


def _require(name: str, key: str, value: float, *, least: float, most: float) -> None:
    """Refuse a strength outside its range; not-a-number is outside any."""
    if not least <= value <= most:
        raise RequestError(f"degradation {name}: {key} is out of range", got=value, expected=f"{least:g} to {most:g}")
