"""What limits the worth of scores: leaks between the splits, and images that can't show what is claimed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import log10
from pathlib import Path
from statistics import median

import numpy as np

from srexp.data.audit import near_duplicates
from srexp.data.audit.findings import MOST_IMAGES, Finding, Kind
from srexp.data.audit.registration import shift_of
from srexp.data.audit.similarity import signature
from srexp.data.image import Stored
from srexp.data.preparation.prepare import Prepared
from srexp.data.sources.source import SPLITS, Entry, Facts
from srexp.errors import some
from srexp.system.masking.pseudonyms import pseudonym

#: Fewer test images than this carry no claim about images nobody tested: no paired test on them can reach p < 0.05.
FEW_TEST_IMAGES = 6

_HALF_OF_RANGE = 0.5
_MEASURED, _LARGEST_SHIFT = 20, 0.5
_SAMPLED = 512
_TAILS = (0.001, 0.999)


def facts(image: Stored) -> Facts:
    """Note what the audit needs of an image, in a few milliseconds whatever its size.

    Args:
        image: The image as stored.

    Returns:
        `lowest`, `highest`: extreme values, as shares of the stored range; `low`, `high`: the same without the
        outermost tenth of a percent of the pixels; `constant`; `signature`: see `similarity.signature`, empty for a
        constant image.

    Example:
        >>> ramp = Stored(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), bits=8, lossy=False)
        >>> {name: fact for name, fact in facts(ramp).items() if name != "signature"}
        {'lowest': 0.0, 'highest': 1.0, 'low': 0.0, 'high': 1.0, 'constant': False}
    """
    lowest, highest = int(image.pixels.min()), int(image.pixels.max())
    constant = lowest == highest
    step = max(1, min(image.pixels.shape[:2]) // _SAMPLED)
    counts = np.bincount(image.pixels[::step, ::step].ravel())
    reached = np.cumsum(counts) / counts.sum()
    low, high = (int(np.searchsorted(reached, tail)) for tail in _TAILS)
    shares = {"lowest": lowest, "highest": highest, "low": low, "high": high}
    return {
        **{name: round(value / image.max_value, 5) for name, value in shares.items()},
        "constant": constant,
        "signature": "" if constant else signature(image),
    }


def fill(entry: Entry) -> float:
    """Give the share of the stored range that an image fills, its outermost tenth of a percent of pixels left aside.

    Args:
        entry: An image with `facts`.

    Returns:
        0 for a constant image to 1.
    """
    return float(entry.facts["high"] or 0) - float(entry.facts["low"] or 0)


def audit(
    prepared: Prepared,
    *,
    degenerate: bool = False,
    notes: Sequence[str] = (),
    most: int = 200,
    cache_dir: Path | None = None,
) -> list[Finding]:
    """Look for what limits the worth of scores on a data set.

    Args:
        prepared: The data set, scanned with `facts`.
        degenerate: Whether the input equals the target, which the caller knows.
        notes: What the data set says of itself.
        most: How many pairs of similar images are compared in full.
        cache_dir: Keeps the near-duplicates of this content and split; nothing is kept when None.

    Returns:
        What was found, warnings first.
    """
    found = [
        *_degenerate(prepared, whole=degenerate),
        *_patients(prepared),
        *_duplicates(prepared),
        *_near_duplicates(prepared, most, cache_dir),
        *_misregistered(prepared),
        *_test_images(prepared),
        *_skipped(prepared),
        *(Finding("source", "note", note) for note in notes),
    ]
    return sorted(found, key=lambda finding: finding.severity != "warning")


def _warning(kind: Kind, message: str, entries: Sequence[Entry]) -> Finding:
    return Finding(kind, "warning", message, _keys(entries))


def _degenerate(prepared: Prepared, *, whole: bool) -> Iterator[Finding]:
    """Say that inputs are their own targets: all of them by construction, or some pairs of a paired data set."""
    same = [entry for entry in _all(prepared) if entry.low and entry.low.sha256 == entry.sha256]
    if whole or same:
        which = "" if whole else f" in {_count(len(same), 'pair')}"
        message = f"degenerate: the input equals the target{which}, so the scores say nothing about restoration"
        yield _warning("degenerate", message, same)


def _patients(prepared: Prepared) -> Iterator[Finding]:
    """Hold the patients of the splits against each other."""
    entries = _all(prepared)
    if entries and all(entry.patient in (entry.item.key, entry.item.key.rpartition("#")[0]) for entry in entries):
        message = (
            "patients are unknown: each file counts as a patient of its own, so images of one patient may lie in "
            "several splits (fix: dataset.patients)"
        )
        yield Finding("unknown-patients", "note", message)
        return
    of_patient: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        of_patient[entry.patient].append(entry)
    shared = {name: theirs for name, theirs in of_patient.items() if len({entry.split for entry in theirs}) > 1}
    if shared:
        names = some([pseudonym(name, "patient") for name in shared])
        message = f"{_count(len(shared), 'patient')} with images in more than one split: {names}"
        yield _warning("patients", message, list(chain.from_iterable(shared.values())))


def _duplicates(prepared: Prepared) -> Iterator[Finding]:
    """Find identical pixels in several splits; between validation and test they also decide which weights are kept."""
    if same := near_duplicates.exact(prepared, SPLITS):
        pairs = some([" = ".join(_placed(entry) for entry in _one_each(entries)) for entries in same])
        message = f"{_count(len(same), 'image')} with identical pixels in more than one split: {pairs}"
        yield _warning("duplicates", message, list(chain.from_iterable(same)))
    if selecting := near_duplicates.exact(prepared, ("validation", "test")):
        images = [entry for entries in selecting for entry in entries if entry.split == "test"]
        message = f"{_count(len(images), 'test image')} used for selection: the validation images hold the same pixels"
        yield _warning("selection", message, images)


def _near_duplicates(prepared: Prepared, most: int, cache_dir: Path | None) -> Iterator[Finding]:
    found, left = near_duplicates.near(prepared, most=most, cache_dir=cache_dir)
    if not found:
        return
    pairs = some([f"{_placed(pair.first)} ~ {_placed(pair.second)} ({pair.similarity:.2f})" for pair in found])
    more = f"; {left} further similar pairs were not compared" if left else ""
    message = (
        f"{'at least ' if left else ''}{_count(len(found), 'pair')} of images in different splits that show the same "
        f"picture, rescaled, compressed, trimmed or brightened: {pairs}{more}"
    )
    yield _warning("near-duplicates", message, [entry for pair in found for entry in (pair.first, pair.second)])


def _misregistered(prepared: Prepared) -> Iterator[Finding]:
    """Measure how far low and high lie apart in some pairs of a paired data set."""
    paired = [entry for entry in reversed(_all(prepared)) if entry.low]  # test images first
    measured = paired[:: max(1, len(paired) // _MEASURED)][:_MEASURED]
    shifted = []
    for entry in measured:
        low, high = prepared.read_low(entry).to_float(), prepared.read(entry).to_float()
        down, right = shift_of(low, high)
        if max(abs(down), abs(right)) > _LARGEST_SHIFT * high.shape[0] / low.shape[0]:
            shifted.append((entry, f"{_placed(entry)} by {down:+z.1f} down and {right:+z.1f} right"))
    if shifted:
        message = (
            f"{len(shifted)} of {_count(len(measured), 'measured pair')} shifted by more than half a pixel of the low "
            f"image, which scores take for errors; in pixels of the high image: {some([text for _, text in shifted])}"
        )
        yield _warning("misregistered", message, [entry for entry, _ in shifted])


def _test_images(prepared: Prepared) -> Iterator[Finding]:
    """Ask whether the images can show what is claimed."""
    entries, test = _all(prepared), prepared.entries["test"]
    if lossy := [entry for entry in entries if entry.lossy]:
        message = f"{len(lossy)} of {len(entries)} targets come out of lossy compression, whose traces count as detail"
        yield _warning("lossy", message, lossy)
    if len(test) < FEW_TEST_IMAGES:
        message = f"{_count(len(test), 'test image')}: no interval or test can support a claim"
        yield _warning("few-test-images", message, test)
    if constant := [entry for entry in entries if entry.facts.get("constant")]:
        message = f"{_count(len(constant), 'image')} of one value only, which teach and show nothing"
        yield _warning("constant", message, constant)
    filled = [share for share in map(fill, test) if share > 0]
    if filled and (share := median(filled)) < _HALF_OF_RANGE:
        message = (
            f"test images fill {100 * share:.0f} % of their stored range (median): their PSNR is some "
            f"{-20 * log10(share):.0f} dB higher than if they filled it"
        )
        yield Finding("range", "note", message, _keys(test))


def _skipped(prepared: Prepared) -> Iterator[Finding]:
    if prepared.skipped:
        keys = tuple(key for key, _ in prepared.skipped[:MOST_IMAGES])
        which = some([f"{key} {reason}" for key, reason in prepared.skipped])
        yield Finding("skipped", "note", f"{_count(len(prepared.skipped), 'unusable image')} left out: {which}", keys)


def _all(prepared: Prepared) -> list[Entry]:
    return [entry for split in SPLITS for entry in prepared.entries[split]]


def _one_each(entries: Sequence[Entry]) -> list[Entry]:
    """Take the first entry of each split."""
    first: Mapping[str, Entry] = {entry.split: entry for entry in reversed(entries)}
    return [first[split] for split in SPLITS if split in first]


def _placed(entry: Entry) -> str:
    return f"{entry.key} ({entry.split})"


def _keys(entries: Sequence[Entry]) -> tuple[str, ...]:
    return tuple(entry.key for entry in entries[:MOST_IMAGES])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
