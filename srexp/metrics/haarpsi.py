"""Haar wavelet-based perceptual similarity index of Reisenhofer et al. 2018."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.metrics.operands import Plane, eight_bit_planes, halved, require_alike

_C, _ALPHA = 30.0, 4.2
_FINEST, _MIDDLE, _COARSEST = 2, 4, 8  # sides of the Haar filters in pixels of the halved image


def haarpsi(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float) -> float:
    """Similarity of edges at two fine scales, weighted by how strong they are at a coarser one, at most 1.

    Both images are halved (2 x 2 means). In each place and for each of two directions, S is the mean over Haar filters
    of 2 and 4 pixels of `(2 |a| |b| + C) / (a^2 + b^2 + C)`, a and b being their answers in the two images, and the
    weight W is the stronger answer to the filter of 8 pixels. The index is `(logit(sum(W logistic(S)) / sum(W)))^2`
    with the logistic function `1 / (1 + exp(-4.2 x))` and its inverse. C = 30 belongs to grey levels of 255, to which
    other depths are brought. Beyond the border are zeros, as in the authors' own program. Several channels are measured
    apart and averaged, without the authors' weights for colour.

    Source: Reisenhofer, Bosse, Kutyniok, Wiegand, "A Haar wavelet-based perceptual similarity index for image quality
    assessment", Signal Processing: Image Communication 61, 2018, section 2, doi:10.1016/j.image.2017.11.001.

    Args:
        restored: Network output in grey levels, (h, w) or (h, w, c), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].

    Returns:
        Mean over the channels, 0..1; 1 for identical images, up to rounding.

    Raises:
        RequestError: The shapes differ, the images are empty or the range isn't positive.

    Example:
        >>> high = np.indices((32, 32)).sum(axis=0) % 16 * 17.0
        >>> round(haarpsi(high, high, max_value=255), 6), haarpsi(high / 2, high, max_value=255) < 1
        (1.0, True)
    """
    require_alike("HaarPSI", restored, high, max_value)
    pairs = eight_bit_planes(restored, high, max_value)
    return float(np.mean([_of_plane(halved(a, "constant"), halved(b, "constant")) for a, b in pairs]))


def _of_plane(restored: Plane, high: Plane) -> float:
    similar = total = 0.0
    for down in (True, False):
        a, b = (_integral(image if down else image.T) for image in (restored, high))
        fine = _similarity(a, b, _FINEST) + _similarity(a, b, _MIDDLE)
        weight = np.maximum(_haar(a, _COARSEST), _haar(b, _COARSEST))
        similar += float(np.sum(weight / (1 + np.exp(-_ALPHA / 2 * fine))))
        total += float(weight.sum())
    if total == 0:  # both are black, since what isn't stands out against the zeros beyond the border
        return 1.0
    share = similar / total
    return float((np.log(share / (1 - share)) / _ALPHA) ** 2)


def _similarity(restored: Plane, high: Plane, side: int) -> Plane:
    a, b = _haar(restored, side), _haar(high, side)
    similarity: Plane = (2 * a * b + _C) / (a**2 + b**2 + _C)
    return similarity


def _integral(plane: Plane) -> Plane:
    """Sum of all that lies above and to the left, with room for the largest filter in zeros."""
    around = (
        _COARSEST // 2,
        _COARSEST // 2,
    )  # an even filter has no middle; it reaches further down, as MATLAB's conv2
    return np.pad(plane, around).cumsum(axis=0).cumsum(axis=1)


def _haar(integral: Plane, side: int) -> Plane:
    """Size of the answer to a square filter of plus one in its upper half and minus one in its lower half."""
    half, room = side // 2, (_COARSEST - side) // 2
    inside = integral[room : integral.shape[0] - room, room : integral.shape[1] - room]
    sums = inside[:, side:] - inside[:, :-side]
    answer: Plane = np.abs(sums[:-side] - 2 * sums[half:-half] + sums[side:])
    return answer / side
