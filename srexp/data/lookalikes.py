"""Propose, among very many images, the pairs that may show the same picture; `srexp.data.likeness` decides on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.data.likeness import SIGNATURE_SIZE, WHOLE, Floats, Signatures, Window, cells

# What a copy may have lost at each side; within 2 % of a trim that is not among these, descriptors still agree.
_TRIMS = ((0.0, 1.0), (0.04, 1.0), (0.0, 0.96), (0.04, 0.96))

# Correlation of descriptors on 150 radiographs of 150 patients (NIH ChestX-ray14): at least 0.89 with any copy of the
# same image (half size, JPEG of quality 80, 5 % trimmed, gamma 0.9 or 1.1, brighter, all of it together); 0.92 at
# most between strangers, and above 0.85 in one of a thousand pairs.
_PROPOSED_FROM = 0.86

_DESCRIBED_SIZE, _SMOOTHING, _LEAST_DETAIL = 16, 1.0, 1e-2
_COMPONENTS, _LEARNT_FROM, _CHUNK, _NEIGHBOURS = 10, 4096, 8192, 4

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pair:
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


def propose(signatures: Signatures, groups: Rows) -> list[Pair]:
    """Propose pairs of images of different groups that may show the same picture.

    Each image, whole and trimmed in fifteen ways, looks for its nearest neighbours among the whole images of the other
    groups, in k-d trees over the principal components of their descriptors: some n log n steps for n images.

    Args:
        signatures: (n, 24, 24), see `srexp.data.likeness.decoded`.
        groups: (n,), the group of each.

    Returns:
        The pairs, each once, most alike first.
    """
    from scipy.spatial import cKDTree

    if len(np.unique(groups)) < 2:  # noqa: PLR2004 - copies lie in two groups
        return []
    whole = np.concatenate(list(_described(signatures, WHOLE)))
    axes = _principal_axes(whole)
    detailed = np.flatnonzero(whole.any(axis=1))
    members = {group: detailed[groups[detailed] == group] for group in np.unique(groups[detailed])}
    trees = {group: cKDTree(whole[rows] @ axes) for group, rows in members.items()}
    best: dict[tuple[int, int], Pair] = {}
    for window in ((*rows, *columns) for rows, columns in product(_TRIMS, repeat=2)):
        start = 0
        for trimmed in _described(signatures, window):
            for group, tree in trees.items():
                asking = np.flatnonzero((groups[start : start + len(trimmed)] != group) & trimmed.any(axis=1))
                place, near = _nearest(tree, trimmed[asking] @ axes)
                asked, found = asking[place], members[group][near]
                alike = np.einsum("ij,ij->i", trimmed[asked], whole[found])
                for at in np.flatnonzero(alike >= _PROPOSED_FROM):
                    pair = Pair(start + int(asked[at]), int(found[at]), window, float(alike[at]))
                    ends = min(pair.first, pair.second), max(pair.first, pair.second)
                    best[ends] = max(best.get(ends, pair), pair, key=lambda each: each.correlation)
            start += len(trimmed)
    return sorted(best.values(), key=lambda pair: (-pair.correlation, pair.first, pair.second))


def _nearest(tree: Any, points: Floats) -> tuple[Rows, Rows]:
    """Find the neighbours of points; gives the positions of the points and those of their neighbours in the tree."""
    reach = np.sqrt(2 - 2 * _PROPOSED_FROM)  # of unit vectors that correlate so; less in fewer dimensions
    ranks = list(range(1, _NEIGHBOURS + 1))
    _, near = tree.query(points, k=ranks, distance_upper_bound=reach, workers=-1)
    asked, rank = np.nonzero(near < tree.n)
    return asked, near[asked, rank]


def _described(signatures: Signatures, window: Window) -> Iterator[Floats]:
    """Describe a part of each image: its details as a unit vector, or zeros where it has none; chunk by chunk."""
    from scipy.ndimage import gaussian_filter1d

    rows, columns = (cells(SIGNATURE_SIZE, _DESCRIBED_SIZE, *part) for part in (window[:2], window[2:]))
    smooth: Floats = gaussian_filter1d(np.eye(_DESCRIBED_SIZE, dtype=np.float32), _SMOOTHING, axis=0, mode="nearest")
    detail: Floats = np.kron(rows, columns) - np.kron(smooth @ rows, smooth @ columns)
    detail -= detail.mean(axis=0)
    for start in range(0, len(signatures), _CHUNK):
        flat = signatures[start : start + _CHUNK].reshape(-1, SIGNATURE_SIZE**2).astype(np.float32) / 255
        vectors = flat @ detail.T
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        yield np.where(lengths > _LEAST_DETAIL * _DESCRIBED_SIZE, vectors / np.maximum(lengths, 1e-9), 0)


def _principal_axes(vectors: Floats) -> Floats:
    """Give the directions in which vectors differ most, (dimensions, components); distances only shrink along them."""
    some = vectors[:: max(1, len(vectors) // _LEARNT_FROM)]
    centred = some - some.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return axes[:, : -_COMPONENTS - 1 : -1]
