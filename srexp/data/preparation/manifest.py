"""One line for each image, and one number for them all: what a run was trained and scored on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from srexp.data.sources.source import Entry
from srexp.system.masking.pseudonyms import pseudonym

COLUMNS = ("image", "patient", "split", "sha256", "height", "width", "channels", "bits", "lossy")


def fingerprint(entries: Iterable[Entry]) -> str:
    """Digest content and split.

    It changes when a pixel, a bit depth, the membership or the split of an image changes, and with nothing else: not
    with names, places, order, dates or the machine.

    Args:
        entries: All images.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> fingerprint([])
        'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    lines = sorted(f"{entry.split} {entry.sha256}{entry.low.sha256 if entry.low else ''}\n" for entry in entries)
    digest = hashlib.sha256()
    for line in lines:  # one by one: joined, those of 100,000 images would be held three times
        digest.update(line.encode())
    return digest.hexdigest()


def manifest_rows(entries: Sequence[Entry]) -> list[dict[str, str | int | bool]]:
    """Describe each image, its patient by a pseudonym.

    Args:
        entries: All images.

    Returns:
        One row with `COLUMNS` for each image.
    """
    return [
        {
            "image": entry.key,
            "patient": pseudonym(entry.patient, "patient"),
            **{column: getattr(entry, column) for column in COLUMNS[2:]},
        }
        for entry in entries
    ]
