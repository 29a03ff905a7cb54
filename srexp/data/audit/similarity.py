"""Tell whether two images show the same picture, be one of them shrunk, compressed, trimmed or brightened.

Chest radiographs all look alike, so hashes of 64 bits either miss trimmed copies or accuse strangers. What decides here
are the details of two thumbnails, laid over each other as well as shifting and stretching can.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.data.image import Stored, to_channel

#: Real numbers, float32 wherever there are many.
Floats: TypeAlias = npt.NDArray[Any]

Places: TypeAlias = npt.NDArray[np.bool_]
Signatures: TypeAlias = npt.NDArray[np.uint8]
#: Top, bottom, left and right of a part of an image, as shares of its height and width.
Window: TypeAlias = tuple[float, float, float, float]

WHOLE: Window = (0.0, 1.0, 0.0, 1.0)
SIGNATURE_SIZE, COMPARED_SIZE = 24, 128

_SAMPLED = 512
_LEVELS, _ROUNDS = (4, 2, 1), 6
_LARGEST_TRIM, _LEAST_DETAIL = 0.2, 0.1
_FAINT = 0.02  # of an image's range: fainter detail is as likely noise


def signature(image: Stored) -> str:
    """Keep what is needed to look for similar images: a thumbnail of 24 x 24 pixels, stretched, as text.

    Args:
        image: The image as stored.

    Returns:
        768 characters.
    """
    step = max(1, min(image.pixels.shape[:2]) // _SAMPLED)
    small = thumbnail(Stored(image.pixels[::step, ::step], image.bits, image.lossy), SIGNATURE_SIZE)
    low, high = np.percentile(small, (1, 99))
    unit = np.clip((small - low) / max(high - low, 1.0), 0, 1)
    return base64.b64encode(np.rint(255 * unit).astype(np.uint8).tobytes()).decode()


def decoded(signatures: Sequence[str]) -> Signatures:
    """Give the thumbnails that signatures hold.

    Args:
        signatures: See `signature`.

    Returns:
        (n, 24, 24).
    """
    held = np.frombuffer(b"".join(map(base64.b64decode, signatures)), np.uint8)
    return held.reshape(len(signatures), SIGNATURE_SIZE, SIGNATURE_SIZE)


def thumbnail(image: Stored, size: int = COMPARED_SIZE) -> Floats:
    """Average the image over the cells of a square grid.

    Args:
        image: The image as stored.
        size: Cells along each side.

    Returns:
        (size, size), in stored values.
    """
    grey = to_channel(image, "grey").pixels[..., 0].astype(np.float32)
    height, width = grey.shape
    return _whole(height, size) @ grey @ _whole(width, size).T


def similarity(first: Floats, second: Floats, window: Window = WHOLE) -> float:
    """Correlate the details of two thumbnails after laying one over the other.

    The part of the first that the second shows is found by Gauss-Newton steps from coarse to fine, with brightness and
    contrast free (Lucas and Kanade 1981; Evangelidis and Psarakis 2008, doi 10.1109/TPAMI.2008.113).

    Args:
        first: (n, n), see `thumbnail`; n is a multiple of 4.
        second: (n, n).
        window: The part of the first that the second shows, about.

    Returns:
        Correlation in 0..1; 0 where there is no detail, or where nothing fits.

    Example:
        >>> noise = np.random.default_rng(0).random((128, 128), np.float32)
        >>> similarity(noise, 3 * noise + 1) > 0.99, similarity(noise, noise.T) < 0.2
        (True, True)
    """
    found = 0.0
    for coarseness in _LEVELS:
        shrink = _whole(len(first), len(first) // coarseness)
        a, b = (_detail(shrink @ image @ shrink.T) for image in (first, second))
        window, found = _fit(a, b, window)
    return found


def cells(given: int, wanted: int, start: float = 0.0, stop: float = 1.0) -> Floats:
    """Average the part of a row between two places into cells of equal width.

    Args:
        given: Pixels in the row.
        wanted: Number of cells.
        start: Where the part begins, as a share of the row; beyond the row its end pixels go on.
        stop: Where it ends.

    Returns:
        (wanted, given), the weights of the pixels in each cell.

    Example:
        >>> cells(4, 2).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    edges = np.linspace(start * given, stop * given, wanted + 1)[:, np.newaxis]
    left, right = np.arange(given, dtype=float), np.arange(1, given + 1, dtype=float)
    left[0], right[-1] = -np.inf, np.inf
    overlap = np.clip(np.minimum(edges[1:], right) - np.maximum(edges[:-1], left), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=32)
def _whole(given: int, wanted: int) -> Floats:
    return cells(given, wanted)


def _detail(image: Floats) -> Floats:
    """Keep what stands out from its surroundings, strong and faint edges nearly alike."""
    from scipy.ndimage import gaussian_filter

    band = (gaussian_filter(image, 1.0) - gaussian_filter(image, 3.0)) / max(float(np.ptp(image)), 1e-9)
    return np.asarray(band / (np.sqrt(gaussian_filter(band**2, 4.5)) + _FAINT))


def _fit(first: Floats, second: Floats, window: Window) -> tuple[Window, float]:
    """Refine the window; give the best one with its correlation."""
    size = len(first)
    down, right = np.gradient(first)
    middles = (np.arange(size, dtype=np.float32) + 0.5) / size
    edges, best, reached = np.array(window), window, 0.0
    for _ in range(_ROUNDS):
        top, bottom, start, stop = edges
        rows, columns = cells(size, size, top, bottom), cells(size, size, start, stop)
        seen, dy, dx = (rows @ image @ columns.T for image in (first, down, right))
        usable = _inside(middles, top, bottom)[:, np.newaxis] & _inside(middles, start, stop)
        a, b = seen[usable], second[usable]
        if min(a.std(), b.std()) < _LEAST_DETAIL:
            break
        correlation = float(np.corrcoef(a, b)[0, 1])
        if correlation <= reached:
            break
        best, reached = (float(top), float(bottom), float(start), float(stop)), correlation
        moves = (dy * (1 - middles[:, np.newaxis]), dy * middles[:, np.newaxis], dx * (1 - middles), dx * middles)
        design = np.stack([*(move[usable] for move in moves), a, np.ones_like(a)], axis=1)
        *shifts, contrast, _ = np.linalg.lstsq(design.T @ design, design.T @ b)[0]
        if contrast <= 0:
            break
        edges = edges + np.array(shifts) / contrast / size
        if np.abs(edges - WHOLE).max() > _LARGEST_TRIM:
            break
    return best, reached


def _inside(middles: Floats, start: float, stop: float) -> Places:
    """Tell which cells of the second lie in both images, without their rims, where detail has no surroundings."""
    rim = 2 / len(middles)
    places = start + (stop - start) * middles
    return np.asarray((np.minimum(middles, places) > rim) & (np.maximum(middles, places) < 1 - rim))
