"""Restore a large image in tiles that together equal the whole, in bounded memory.

A tile overlaps its neighbours by a halo as wide as the network sees. Inside the halo the tile's own edge disturbs the
result (zero padding, resampling), so that part is thrown away. At a true edge of the image there is no halo: the tile
ends where the image ends, and the network pads there as it would for the whole.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from srexp.types import Batch, Pixels


@dataclass(frozen=True, slots=True)
class Window:
    """One tile along one axis, in low-resolution pixels.

    Args:
        start: First pixel that the network sees.
        keep_from: First pixel whose restoration is kept.
        keep_to: One past the last pixel whose restoration is kept.
    """

    start: int
    keep_from: int
    keep_to: int


def windows(length: int, tile: int, halo: int) -> list[Window]:
    """Cover an axis with windows of one size, whose kept parts neither overlap nor leave gaps.

    Args:
        length: Pixels of the axis.
        tile: Pixels that a window may have; more than two halos. The windows may come out smaller, see `fitted`.
        halo: Pixels to throw away at each end of a window that isn't an end of the image.

    Returns:
        Windows in order; all see `fitted(length, tile, halo)` pixels.

    Example:
        >>> windows(10, tile=6, halo=1)
        [Window(start=0, keep_from=0, keep_to=5), Window(start=4, keep_from=5, keep_to=10)]
    """
    size = fitted(length, tile, halo)
    starts = [*range(0, length - size, max(1, size - 2 * halo)), length - size]
    cuts = [0, *(start + halo for start in starts[1:]), length]
    return [Window(start, *kept) for start, kept in zip(starts, itertools.pairwise(cuts), strict=True)]


def fitted(length: int, tile: int, halo: int) -> int:
    """Shrink a tile so that its windows share an axis evenly: 900 of 921 pixels would cost twice 900, not twice 461.

    Args:
        length: Pixels of the axis.
        tile: Pixels that a window may have.
        halo: Overlap at each inner end.

    Returns:
        Pixels that every window has; the whole axis if it fits.

    Example:
        >>> fitted(921, tile=900, halo=0), fitted(500, tile=900, halo=6)
        (461, 500)
    """
    if length <= tile:
        return length
    count = math.ceil((length - 2 * halo) / (tile - 2 * halo))
    return math.ceil((length - 2 * halo) / count) + 2 * halo


def tile_shape(shape: tuple[int, int], *, halo: int, bytes_per_pixel: float, memory_mb: float) -> tuple[int, int]:
    """Choose the largest tile whose activations fit in memory.

    Args:
        shape: Height and width of the low-resolution image.
        halo: Overlap at each inner end, in low-resolution pixels.
        bytes_per_pixel: What the network holds at once for each low-resolution pixel.
        memory_mb: MiB that the activations may take.

    Returns:
        Height and width of a tile, shared evenly. Where memory is too small for a useful tile, it holds the smallest
        useful one: as wide inside as both its halos together, and at least 16 pixels.

    Example:
        >>> tile_shape((1000, 3000), halo=6, bytes_per_pixel=1024, memory_mb=1024)
        (1000, 1008)
    """
    least = 2 * halo + max(2 * halo, 16)
    pixels = int(memory_mb * 2**20 / bytes_per_pixel)
    height = fitted(shape[0], max(least, math.isqrt(pixels)), halo)
    width = fitted(shape[1], max(least, pixels // height), halo)
    return fitted(shape[0], max(least, pixels // width), halo), width  # a narrow image leaves room for a taller tile


def restore_in_strips(
    restore: Callable[[Batch], Batch], low: Pixels, *, scale: int, halo: int, tile: tuple[int, int]
) -> Iterator[Pixels]:
    """Restore an image tile by tile, and give it from top to bottom, so that the whole need never be in memory.

    All tiles have one shape, so that a network is compiled once for an image.

    Args:
        restore: The network: (1, h, w, c) to (1, h * scale, w * scale, c).
        low: Degraded image, (h, w, c).
        scale: Ratio of the high to the low resolution.
        halo: Low-resolution pixels that the network sees to each side.
        tile: Largest height and width of a tile, each more than two halos or the whole axis.

    Yields:
        Strips (rows, w * scale, c), float32, that together equal `restore` on the whole image up to rounding; one that
        is kept must be copied.

    Example:
        >>> image = np.random.default_rng(0).random((40, 30, 1), dtype=np.float32)
        >>> strips = restore_in_strips(lambda batch: batch * 2, image, scale=1, halo=3, tile=(16, 16))
        >>> bool((joined(strips, height=40) == image * 2).all())
        True
    """
    height, width, _ = low.shape
    if not low.size:
        raise ValueError(f"an image without pixels can't be restored: {low.shape}")
    tall, wide = fitted(height, tile[0], halo), fitted(width, tile[1], halo)
    columns = windows(width, tile[1], halo)
    for row in windows(height, tile[0], halo):
        strip: Pixels | None = None
        for column in columns:
            seen = low[row.start : row.start + tall, column.start : column.start + wide]
            part = restore(seen[np.newaxis])[0][_inner(row, scale), _inner(column, scale)]
            if len(columns) == 1:
                strip = part
                continue
            if strip is None:
                strip = np.empty((len(part), width * scale, part.shape[-1]), np.float32)
            strip[:, column.keep_from * scale : column.keep_to * scale] = part
        if strip is not None:
            yield strip


def joined(strips: Iterable[Pixels], height: int) -> Pixels:
    """Put strips together, holding no more than the image and one strip.

    Args:
        strips: Parts (rows, w, c) from top to bottom.
        height: Rows of all of them.

    Returns:
        The image, (height, w, c).
    """
    whole: Pixels | None = None
    filled = 0
    for strip in strips:
        if len(strip) == height:
            return strip
        if whole is None:
            whole = np.empty((height, *strip.shape[1:]), np.float32)
        whole[filled : filled + len(strip)] = strip
        filled += len(strip)
    if whole is None:
        raise ValueError("there is no strip")
    return whole


def _inner(window: Window, scale: int) -> slice:
    return slice((window.keep_from - window.start) * scale, (window.keep_to - window.start) * scale)
