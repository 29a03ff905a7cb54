"""The PSNR by which networks, epochs and trials are put in order: a mean over the same images for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: An image counts as at most so many dB above the PSNR of the network's mean error.
MOST_ABOVE_DB = 40.0


def ranked(psnr: Sequence[float | None], bicubic: Sequence[float | None]) -> list[float | None]:
    """Give the PSNR with which each image counts where networks are put in order by their means.

    An identical image has infinite PSNR, and the published mean leaves it out, so it is a mean over other images for
    each network: who restores a black slice exactly loses that slice, who spoils it a little keeps 48 dB there, and the
    worse network has the higher mean. Here the images are the same for all, and known before any network is: those that
    bicubic interpolation doesn't restore exactly, or all, where there are no such. What a network spoils of the others
    is added to the squared errors of these in equal shares, and an image without error, or nearly so, counts
    `MOST_ABOVE_DB` above the PSNR of the network's mean error.

    So every error lowers the mean, wherever it is made: a restoration that is nowhere worse never comes behind. Where
    the error is equal on all images that count, the order is that of the mean squared error over all images. Where no
    image is restored exactly, each counts with its PSNR as it is.

    Args:
        psnr: PSNR of each image in dB, finite or `inf`; None where there is none. NaN makes all of them NaN.
        bicubic: That of bicubic interpolation, same images in the same order; None where it isn't known.

    Returns:
        PSNR of each image in dB, None for those that don't count; `inf` for all when there is no error anywhere.

    Example:
        >>> inf, bicubic = float("inf"), [30.0, float("inf")]  # the second image is black
        >>> ranked([38.59, inf], bicubic)  # 3 levels off, and exact
        [38.59, None]
        >>> [round(value or 0, 2) for value in ranked([32.57, 48.13], bicubic)]  # 6 levels off, and one level
        [32.45, 0]
    """
    decibels = np.array(psnr, dtype=np.float64)
    known = np.array([value is not None for value in psnr], dtype=bool)
    counts = known & np.array([value != np.inf for value in bicubic], dtype=bool)
    if not counts.any():
        counts = known
    errors = np.where(known, 10 ** (-decibels / 10), 0.0)
    number = max(np.count_nonzero(counts), 1)
    if spoilt := errors[~counts].sum() / number:
        decibels = _decibels(errors + spoilt)
    most = _decibels(errors.sum() / number) + MOST_ABOVE_DB
    return [float(value) if each else None for value, each in zip(np.minimum(decibels, most), counts, strict=True)]


def ranking_mean(psnr: Sequence[float | None], bicubic: Sequence[float | None]) -> float:
    """Give the mean by which a network is put in order, in dB.

    Args:
        psnr: See `ranked`; of one image at least.
        bicubic: See `ranked`.

    Example:
        >>> ranking_mean([31.0, 33.0], [30.0, 30.5])
        32.0
    """
    return float(np.mean([value for value in ranked(psnr, bicubic) if value is not None]))


def _decibels(errors: npt.ArrayLike) -> npt.NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        found: npt.NDArray[np.float64] = -10 * np.log10(errors)
    return found
