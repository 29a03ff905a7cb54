"""How much fine detail an image has, beside its target: what smoothness hides from every other metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.metrics.operands import Plane, planes, require_alike, strips


def detail_energy(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float | None:
    """Energy of the finest detail of a restored image over that of its target; 1 is right.

    Detail is what 2 x 2 pixels are without their mean: the three detail bands of one level of the Haar transform, whose
    energy is `sum(x^2) - sum(x)^2 / 4` over the four. All such squares count, at even and odd places. Below 1 an image
    is smoother than its target, above 1 it shows detail (or noise) that nothing in the target corresponds to. 1 doesn't
    say that the detail is the right one: look at it beside a metric that compares.

    Source: Mallat, "A theory for multiresolution signal decomposition: the wavelet representation", IEEE Trans. Pattern
    Analysis and Machine Intelligence 11 (7), 1989, doi:10.1109/34.192463, for the transform; the ratio is our own.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range, as for the other metrics; the ratio doesn't depend on it.

    Returns:
        Ratio, 0 or more, over all channels together; None for a target without any detail.

    Raises:
        RequestError: The shapes differ, the images are empty or the range isn't positive.

    Example:
        >>> high = np.indices((8, 8)).sum(axis=0) % 2 * 255.0
        >>> detail_energy(high / 2, high, max_value=255), detail_energy(high, high * 0, max_value=255)
        (0.25, None)
    """
    require_alike("energy of detail", restored, high, max_value)
    wanted = sum(map(_energy, planes(high)))
    return sum(map(_energy, planes(restored))) / wanted if wanted > 0 else None


def _energy(plane: Plane) -> float:
    """Energy of the detail bands, from sums and differences of rows first."""
    energy = 0.0
    for (strip,) in strips(2, plane):
        sums, differences = strip[1:] + strip[:-1], strip[1:] - strip[:-1]
        bands = (
            sums[:, 1:] - sums[:, :-1],
            differences[:, 1:] + differences[:, :-1],
            differences[:, 1:] - differences[:, :-1],
        )
        energy += sum(float(np.sum(band * band)) for band in bands) / 4
    return energy
