"""One line for each image, and one number for them all: what a run was trained and scored on."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from srexp.data.sources.source import Entry

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


def manifest_rows(entries: Sequence[Entry], salt: str) -> list[dict[str, str | int | bool]]:
    """Describe each image, its patient as a salted hash.

    Args:
        entries: All images.
        salt: Secret that makes the hash of a patient useless to others, see `project_salt`.

    Returns:
        One row with `COLUMNS` for each image.
    """
    return [
        {
            "image": entry.key,
            "patient": patient_key(entry.patient, salt),
            **{column: getattr(entry, column) for column in COLUMNS[2:]},
        }
        for entry in entries
    ]


def patient_key(patient: str, salt: str) -> str:
    """Name a patient in a way that groups images and tells nothing else.

    Args:
        patient: The true key.
        salt: See `manifest_rows`.

    Returns:
        12 hexadecimal digits.
    """
    return hashlib.sha256(f"{salt}\n{patient}".encode("utf-8", "surrogateescape")).hexdigest()[:12]


def project_salt(cache_dir: Path | None) -> str:
    """Give the secret of this project, made once: hashes of patients agree between its runs and with no one else's.

    Args:
        cache_dir: Where the secret is kept; a fresh one each time when None or when it can't be written.

    Returns:
        64 hexadecimal digits.
    """
    salt = secrets.token_hex(32)
    if cache_dir is None:
        return salt
    path = cache_dir / "patient-salt"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), path.open("x", encoding="ascii") as file:
            path.chmod(0o600)
            file.write(salt)
        return path.read_text(encoding="ascii").strip() or salt
    except OSError:
        return salt
