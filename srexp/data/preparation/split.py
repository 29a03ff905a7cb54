"""Training, validation and test: whole patients, drawn by the seed alone."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

from srexp.data.sources.source import SPLITS, Split
from srexp.errors import RequestError

_ROUNDING = 1e-6


def draw_splits(
    patients: Sequence[str], fractions: Sequence[float], seed: int, *, among: Sequence[Split] = SPLITS
) -> dict[str, Split]:
    """Give each patient to one split, so that the shares of images come near the fractions.

    Patients are taken in the order of a hash of seed and name, each for the split that lacks most images, so the
    result depends on neither the order nor the place of the files. Every split gets at least one patient.

    Args:
        patients: The patient of each image.
        fractions: Shares of training, validation and test; positive, summing to 1.
        seed: Any number; another one draws another split.
        among: The splits that are drawn, their shares in the ratio of their fractions; the others the data set fixes.

    Returns:
        The split of each patient.

    Raises:
        RequestError: Fewer patients than splits, or fractions that aren't shares of a whole.

    Example:
        >>> sorted(draw_splits(["a", "b", "b", "c"], (0.8, 0.1, 0.1), seed=0).values())
        ['test', 'train', 'validation']
    """
    _check_fractions(fractions)
    images = Counter(patients)
    if len(images) < len(among):
        raise RequestError(
            f"too few patients for a split: {len(images)} with {len(patients)} images",
            expected=f"at least {len(among)} patients, one each for {', '.join(among)}",
            fix="add images of other patients, or check dataset.patients (null: each file is its own patient)",
        )
    shares = {split: fraction for split, fraction in zip(SPLITS, fractions, strict=True) if split in among}
    lacking = {split: share / math.fsum(shares.values()) * len(patients) for split, share in shares.items()}
    drawn: dict[str, Split] = {}
    empty = list(among)
    order = sorted(images, key=lambda patient: hashlib.sha256(f"{seed}\n{patient}".encode()).digest())
    for index, patient in enumerate(order):
        choices = empty if len(order) - index == len(empty) else among
        split = max(choices, key=lacking.__getitem__)
        drawn[patient] = split
        lacking[split] -= images[patient]
        if split in empty:
            empty.remove(split)
    return drawn


def _check_fractions(fractions: Sequence[float]) -> None:
    what, expected = "can't be used", "three positive shares that sum to 1: training, validation, test"
    if len(fractions) != len(SPLITS):
        what, expected = "has not three numbers", "shares of training, validation and test images"
    elif all(fraction > 0 for fraction in fractions) and abs(sum(fractions) - 1) <= _ROUNDING:
        return
    raise RequestError(
        f"dataset.fractions {what}", got=list(fractions), expected=expected, fix="dataset.fractions=[0.8,0.1,0.1]"
    )
