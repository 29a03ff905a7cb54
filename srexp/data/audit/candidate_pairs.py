"""Propose, among very many images, the pairs that may show the same picture; `similarity` then decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.data.audit.similarity import SIGNATURE_SIZE, WHOLE, Floats, Signatures, Window, cells

# What a copy may have lost at each side; within 2 % of a trim that is not among these, descriptors still agree.
_TRIMS = ((0.0, 1.0), (0.04, 1.0), (0.0, 0.96), (0.04, 0.96))

# Correlation of descriptors on 150 radiographs of 150 patients (NIH ChestX-ray14): at least 0.89 with any copy of the
# same image (half size, JPEG of quality 80, 5 % trimmed, gamma 0.9 or 1.1, brighter, all of it together); 0.92 at
# most between strangers, and above 0.85 in one of a thousand pairs.
_PROPOSED_FROM = 0.86

_DESCRIBED_SIZE, _SMOOTHING, _LEAST_DETAIL = 16, 1.0, 1e-2
_COMPONENTS, _LEARNT_FROM, _CHUNK, _NEIGHBOURS = 8, 4096, 8192, 8
# How much further than one that is left out a neighbour may be, as a share: it spares half of the look-up among many.
_INEXACT = 0.5

Rows: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two images that may show the same.

    Args:
        first: Position of one of them.
        second: Position of the other.
        window: The part of the first that the second shows, about.
        correlation: Of their descriptors.
    """

    first: int
    second: int
    window: Window
    correlation: float


def propose(signatures: Signatures, groups: Rows) -> list[Candidate]:
    """Propose pairs of images of different groups that may show the same picture.

    Each image is trimmed in sixteen ways. For each trimmed image, the nearest whole images of the other groups are
    looked up, in a k-d tree over the principal components of their descriptors. That takes 6 seconds of the processors
    for 10,000 images of noise, which are the dearest ones, and 58 for 100,000. Looked up exactly, 2 % of the trimmed
    copies among 100,000 simulated pictures were missed; inexactly, the same pairs came of 27,500.

    Args:
        signatures: (n, 24, 24), see `srexp.data.audit.similarity.decoded`.
        groups: (n,), the group of each.

    Returns:
        The pairs, each once, most alike first.
    """
    whole = _described(signatures, WHOLE)
    detailed = whole.any(axis=1)
    by_size = sorted((np.flatnonzero(detailed & (groups == group)) for group in np.unique(groups[detailed])), key=len)
    if len(by_size) < 2:  # noqa: PLR2004 - copies lie in two groups
        return []
    axes = _principal_axes(whole)
    best: dict[tuple[int, int], Candidate] = {}
    for window in ((*rows, *columns) for rows, columns in product(_TRIMS, repeat=2)):
        trimmed = _described(signatures, window)
        for few, many in combinations(by_size, 2):
            found = [*_nearest(trimmed, few, whole, many, axes)]
            found += [(held, asked, alike) for asked, held, alike in _nearest(whole, few, trimmed, many, axes)]
            for first, second, alike in found:
                pair = Candidate(first, second, window, alike)
                ends = min(pair.first, pair.second), max(pair.first, pair.second)
                best[ends] = max(best.get(ends, pair), pair, key=lambda each: each.correlation)
    return sorted(best.values(), key=lambda pair: (-pair.correlation, pair.first, pair.second))


def _nearest(asking: Floats, few: Rows, holding: Floats, many: Rows, axes: Floats) -> Iterator[tuple[int, int, float]]:
    """Find neighbours among some rows for each of some others; gives both and the correlation of their descriptors."""
    from scipy.spatial import cKDTree

    asked, held = asking[few], holding[many]
    tree = cKDTree(held @ axes, balanced_tree=False, compact_nodes=False)
    reach = np.sqrt(2 - 2 * _PROPOSED_FROM)  # of unit vectors that correlate so; less in fewer dimensions
    ranks = list(range(1, _NEIGHBOURS + 1))
    bound = reach * (1 + _INEXACT)  # the tree leaves out what is beyond a share of it
    _, near = tree.query(asked @ axes, k=ranks, eps=_INEXACT, distance_upper_bound=bound, workers=-1)
    for rank in range(_NEIGHBOURS):
        rows = np.flatnonzero(near[:, rank] < len(held))
        alike = np.einsum("ij,ij->i", asked[rows], held[near[rows, rank]])
        for at in np.flatnonzero(alike >= _PROPOSED_FROM):
            yield int(few[rows[at]]), int(many[near[rows[at], rank]]), float(alike[at])


def _described(signatures: Signatures, window: Window) -> Floats:
    """Describe a part of each image: its details as a unit vector, or zeros where it has none, (n, 256)."""
    from scipy.ndimage import gaussian_filter1d

    rows, columns = (cells(SIGNATURE_SIZE, _DESCRIBED_SIZE, *part) for part in (window[:2], window[2:]))
    smooth: Floats = gaussian_filter1d(np.eye(_DESCRIBED_SIZE, dtype=np.float32), _SMOOTHING, axis=0, mode="nearest")
    detail: Floats = np.kron(rows, columns) - np.kron(smooth @ rows, smooth @ columns)
    detail -= detail.mean(axis=0)
    vectors: Floats = np.empty((len(signatures), _DESCRIBED_SIZE**2), np.float32)
    for start in range(0, len(signatures), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        unit = signatures[chunk].reshape(-1, SIGNATURE_SIZE**2).astype(np.float32) / 255
        vectors[chunk] = _unit(unit @ detail.T)
    return vectors


def _unit(vectors: Floats) -> Floats:
    """Give each row the length 1, or 0 where an image has no detail but noise."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    detailed = lengths > _LEAST_DETAIL * _DESCRIBED_SIZE
    unit: Floats = vectors * detailed / np.where(detailed, lengths, 1)
    return unit


def _principal_axes(vectors: Floats) -> Floats:
    """Give the directions in which vectors differ most, (dimensions, components); distances only shrink along them."""
    some = vectors[:: max(1, len(vectors) // _LEARNT_FROM)]
    centred = some - some.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return axes[:, : -_COMPONENTS - 1 : -1]
