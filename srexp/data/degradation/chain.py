"""Degradations one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from srexp.data.degradation.acquisition import Blur, Contrast, Noise
from srexp.data.degradation.degradations import Bicubic, Degradation
from srexp.errors import RequestError, did_you_mean
from srexp.types import Pixels

KINDS: dict[str, Callable[..., Degradation]] = {"bicubic": Bicubic, "blur": Blur, "contrast": Contrast, "noise": Noise}


@dataclass(frozen=True)
class Chain:
    """Degradations one after the other; all but the last at full size, and the last one reduces.

    Args:
        name: Short name of the whole.
        steps: The degradations in their order, at least one.
    """

    name: str
    steps: tuple[Degradation, ...]

    def degenerate(self, scale: int) -> bool:
        """Say whether no step changes anything."""
        return all(step.degenerate(at) for step, at in self._scaled(scale))

    def halo(self, scale: int) -> int:
        """Give how far the steps see together."""
        reach = sum(step.halo(at) for step, at in self._scaled(scale))
        return -(-reach // scale) * scale

    def __call__(self, high: Pixels, scale: int, rng: np.random.Generator) -> Pixels:
        """Degrade an image step by step."""
        image = high
        for step, at in self._scaled(scale):
            image = step(image, at, rng)
        return image

    def _scaled(self, scale: int) -> list[tuple[Degradation, int]]:
        """Pair every step with the scale that it works at."""
        *before, last = self.steps
        return [*((step, 1) for step in before), (last, scale)]


def chain(*, name: str, steps: Mapping[str, Mapping[str, float]]) -> Chain:
    """Build a chain from a recipe: the degradations in their order, each with the options that are not left at default.

    Args:
        name: Short name of the whole.
        steps: For each step its kind (bicubic, blur, contrast or noise) and its options.

    Returns:
        The chain.

    Raises:
        RequestError: No steps, an unknown kind or option, or an option outside its range.

    Example:
        >>> chain(name="worn", steps={"blur": {"sigma": 2.0}, "noise": {}}).steps
        (Blur(name='blur', sigma=2.0, spread=1.0), Noise(name='noise', photons=1000.0, read_noise=0.005, spread=1.0))
    """
    if not steps:
        raise RequestError(f"degradation {name} has no steps", expected=f"some of {', '.join(KINDS)}")
    return Chain(name, tuple(_step(kind, options) for kind, options in steps.items()))


def _step(kind: str, options: Mapping[str, float]) -> Degradation:
    """Build one step."""
    where = f"degradation.steps.{kind}"
    if kind not in KINDS:
        raise RequestError(f"{where} does not exist", expected=", ".join(KINDS), fix=did_you_mean(kind, KINDS))
    known = [key for key in inspect.signature(KINDS[kind]).parameters if key != "name"]
    for key in options:
        if key not in known:
            raise RequestError(
                f"{where}.{key} does not exist", expected=", ".join(known) or "no options", fix=did_you_mean(key, known)
            )
    return KINDS[kind](**options)
