"""Patches for training and whole images for scoring, both made by the same degradation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt

from srexp.data.batches.augment import Augmentation, Raster, window
from srexp.data.degradation.degradations import Degradation, quantize
from srexp.data.image import Stored
from srexp.data.sources.source import Entry
from srexp.errors import RequestError
from srexp.types import Batch, Pixels, Sample

# First word of the entropy of a random stream: streams for different uses never meet.
VISITS, PATCHES, SCORING = range(3)


@dataclass(frozen=True)
class Pairing:
    """Where the two images of a pair come from, and how they belong together.

    Args:
        read: Gives the decoded image of an entry; it decides what stays in memory. Called from several threads.
        degrade: Makes `low` from `high`.
        scale: Factor between `high` and `low`.
        quantize_low: Round `low` to the stored bit depth.
        read_low: Gives `low` in place of `degrade`, where it comes from a file of its own.
    """

    read: Callable[[Entry], Stored]
    degrade: Degradation
    _: KW_ONLY
    scale: int
    quantize_low: bool
    read_low: Callable[[Entry], Stored] | None = None


@dataclass(eq=False)
class PatchSampler:
    """Batches of training patches as a pure function of (seed, epoch, step).

    No state is carried from one batch to the next: any batch can be made at any time and by any worker, and after a
    resume it is what it would have been. Images are visited in an order that is drawn anew for every pass; an image of
    `k` times the median area is visited `k` times per pass, and each visit gives `patches_per_image` patches.

    Args:
        entries: Images to cut patches from.
        pairing: Where `low` and `high` come from.
        augment: Cuts a patch.
        patch_size: Side of a patch in pixels of `high`.
        batch_size: Patches in a batch.
        patches_per_image: Patches per visit.
        seed: Decides everything random.
        steps_per_epoch: Batches in an epoch.

    Raises:
        RequestError: No images, an image smaller than a patch, a patch that `scale` doesn't divide, or a scale that the
            degradation doesn't have.
    """

    entries: Sequence[Entry]
    pairing: Pairing
    augment: Augmentation
    _: KW_ONLY
    patch_size: int
    batch_size: int
    patches_per_image: int
    seed: int
    steps_per_epoch: int

    def __post_init__(self) -> None:
        """Refuse what can't be cut into patches."""
        require_divisible(self.patch_size, self.pairing.scale)
        self._margin = self.pairing.degrade.halo(self.pairing.scale)
        _require_room(self.entries, self.patch_size, self.pairing.scale)
        self._visits = visits(self.entries)
        # Workers are at most a pass apart.
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def batch(self, epoch: int, step: int) -> tuple[Batch, Batch]:
        """Make one batch.

        Args:
            epoch: Epoch, from 0.
            step: Step within the epoch, from 0.

        Returns:
            `low` (n, p / scale, p / scale, c) and `high` (n, p, p, c), float32 in [0, 1].
        """
        rng = stream(PATCHES, self.seed, epoch, step)
        first = (epoch * self.steps_per_epoch + step) * self.batch_size
        lows, highs = [], []
        for visit, patches in groupby(range(first, first + self.batch_size), lambda n: n // self.patches_per_image):
            low, high = self._visit(visit, len(list(patches)), rng)
            lows.append(low)
            highs.append(high)
        return np.concatenate(lows), np.concatenate(highs)

    def shapes(self) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
        """Give the shapes of `low` and `high` in every batch; decodes one image, for its channels."""
        channels = self.pairing.read(self.entries[0]).pixels.shape[-1]
        side = self.patch_size // self.pairing.scale
        return (self.batch_size, side, side, channels), (self.batch_size, self.patch_size, self.patch_size, channels)

    def _visit(self, visit: int, patches: int, rng: np.random.Generator) -> tuple[Batch, Batch]:
        """Cut patches out of one image and degrade them together with their surroundings."""
        entry, pairing, scale = self._visited(visit), self.pairing, self.pairing.scale
        stored = pairing.read(entry)
        image = divisible(stored.pixels, scale)
        if pairing.read_low:
            return self._cut_pairs(stored, pairing.read_low(entry), patches, rng)
        cuts = [self.augment.cut(image, self.patch_size, rng, margin=self._margin, align=scale) for _ in range(patches)]
        around = as_float(np.stack(cuts), stored.bits)
        low = np.stack([pairing.degrade(region, scale, rng) for region in around])
        low = _inner(low, self._margin // scale)
        return quantize(low, stored.bits) if pairing.quantize_low else low, _inner(around, self._margin)

    def _cut_pairs(self, high: Stored, low: Stored, patches: int, rng: np.random.Generator) -> tuple[Batch, Batch]:
        """Cut the same places out of two images: an augmentation that draws the same numbers finds them in both."""
        twin, scale = copy.deepcopy(rng), self.pairing.scale
        image, size = divisible(high.pixels, scale), self.patch_size // scale
        highs = [self.augment.cut(image, self.patch_size, rng, align=scale) for _ in range(patches)]
        small = given_low(low, image, scale)
        lows = [self.augment.cut(small, size, twin) for _ in range(patches)]
        return as_float(np.stack(lows), low.bits), as_float(np.stack(highs), high.bits)

    def _visited(self, visit: int) -> Entry:
        """Give the image of a visit, counted from the start of training."""
        order = self._order(visit // len(self._visits))
        return self.entries[int(order[visit % len(self._visits)])]

    def _draw_order(self, number: int) -> npt.NDArray[np.int64]:
        """Draw the order of a pass."""
        return stream(VISITS, self.seed, number).permutation(self._visits)


def scored_samples(entries: Sequence[Entry], pairing: Pairing, *, crop: int | None = None) -> Iterator[Sample]:
    """Give whole images for scoring, one at a time; the degradation of an image is the same in every run.

    Args:
        entries: Images to score.
        pairing: Where `low` and `high` come from. What the degradation draws is decided by the image's hash, not by the
            seed of the run; `high` loses rows and columns at the bottom and right until the scale divides it.
        crop: Side in pixels of `high` of the part in the middle that is given instead of the whole image.

    Yields:
        One sample per entry, in order.

    Raises:
        RequestError: The degradation has no such scale, or the image is smaller than `scale`.
    """
    scale = pairing.scale
    margin = 0 if crop is None else pairing.degrade.halo(scale)
    for entry in entries:
        stored = pairing.read(entry)
        whole = divisible(stored.pixels, scale)
        if 0 in whole.shape:
            raise RequestError(f"{entry.key} is smaller than scale={scale}", got=stored.pixels.shape)
        around = as_float(_middle(whole, crop, scale, margin), stored.bits)
        high = _inner(around, margin)
        if pairing.read_low:
            given = pairing.read_low(entry)
            small = given_low(given, whole, scale)
            low = as_float(_middle(small, crop and crop // scale, 1, 0), given.bits)
        else:
            degraded = pairing.degrade(around, scale, stream(SCORING, int(entry.sha256, 16)))
            low = _inner(degraded, margin // scale)
            low = quantize(low, stored.bits) if pairing.quantize_low else low
        yield Sample(entry.key, entry.patient, stored.bits, low, high, sha256=entry.sha256)


def visits(entries: Sequence[Entry]) -> npt.NDArray[np.int64]:
    """Say how often a pass over the data visits each image: large images have more to show.

    Args:
        entries: Images with `height` and `width`.

    Returns:
        Indices of entries, each `max(1, round(area / median area))` times.
    """
    areas = np.array([entry.height * entry.width for entry in entries], dtype=np.float64)
    times = np.maximum(1, np.rint(areas / np.median(areas))).astype(np.int64)
    return np.repeat(np.arange(len(entries)), times)


def stream(*entropy: int) -> np.random.Generator:
    """Open the random stream that belongs to some numbers, such as (use, seed, epoch, step).

    Philox is counter-based: streams of different keys are independent (J. K. Salmon et al., Parallel random numbers: as
    easy as 1, 2, 3. SC 2011).

    Args:
        *entropy: Whole numbers from 0.

    Returns:
        A generator of its own.

    Example:
        >>> stream(1, 2, 3).random() == stream(1, 2, 3).random()
        True
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))


def as_float(pixels: Raster, bits: int) -> Pixels:
    """Bring stored values to [0, 1] by their bit depth.

    Args:
        pixels: Any shape, from 0 to `2**bits - 1`.
        bits: Stored bit depth.

    Returns:
        The same shape, float32 in [0, 1].
    """
    return np.asarray(pixels, dtype=np.float32) / np.float32(2**bits - 1)


def divisible(image: Raster, scale: int) -> Raster:
    """Leave out rows at the bottom and columns at the right until `scale` divides the size.

    Args:
        image: (h, w, c).
        scale: Factor between `high` and `low`.

    Returns:
        A view of the image.
    """
    height, width = image.shape[:2]
    return image[: height - height % scale, : width - width % scale]


def given_low(low: Stored, high: Raster, scale: int) -> Raster:
    """Leave out the row and column of a given `low` that belong to what `divisible` left out of its `high`.

    Args:
        low: The partner of `high`.
        high: (h, w, c), divisible by `scale`.
        scale: Factor between `high` and `low`.

    Returns:
        (h / scale, w / scale, c), a view of the partner.
    """
    return low.pixels[: high.shape[0] // scale, : high.shape[1] // scale]


def require_divisible(patch_size: int, scale: int) -> None:
    """Refuse a patch that has no whole number of low-resolution pixels.

    Args:
        patch_size: Side of a patch in pixels of `high`.
        scale: Factor between `high` and `low`.

    Raises:
        RequestError: `scale` doesn't divide `patch_size`.
    """
    if patch_size % scale or patch_size < scale:
        below, above = patch_size // scale * scale, -(-patch_size // scale) * scale
        nearest = [size for size in (below, above) if size > 0]
        raise RequestError(
            "trainer.patch_size is no multiple of scale",
            got=patch_size,
            expected=f"a multiple of scale={scale}; the nearest are {' and '.join(map(str, nearest))}",
            fix=f"trainer.patch_size={nearest[-1]}",
        )


def _require_room(entries: Sequence[Entry], patch_size: int, scale: int) -> None:
    """Refuse a data set that has no patch to give."""
    if not entries:
        raise RequestError("there are no images to train on", expected="at least one in the training split")
    small = [entry for entry in entries if min(entry.height, entry.width) < patch_size]
    if small:
        least = min(small, key=lambda entry: min(entry.height, entry.width))
        fitting = min(least.height, least.width) // scale * scale
        raise RequestError(
            f"{len(small)} of {len(entries)} training images are smaller than a patch, {least.key} the smallest",
            got=f"{least.width} x {least.height}",
            expected=f"at least trainer.patch_size={patch_size} each way",
            fix=f"trainer.patch_size={fitting}, or leave these images out",
        )


def _middle(image: Raster, crop: int | None, scale: int, margin: int) -> Raster:
    """Cut the middle of an image, as far as there is so much, on the pixels of its `low`, with a margin."""
    if crop is None:
        return image
    size = [min(length, max(crop // scale, 1) * scale) for length in image.shape[:2]]
    top, left = ((length - part) // 2 // scale * scale for length, part in zip(image.shape[:2], size, strict=True))
    return window(image, (top, left), (size[0], size[1]), margin)


def _inner(images: Pixels, margin: int) -> Pixels:
    """Take a margin off one image, (h, w, c), or several."""
    height, width = images.shape[-3:-1]
    return images[..., margin : height - margin, margin : width - margin, :]
