"""Manifest and fingerprint follow content and membership, and name no patient."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.data.preparation.manifest import COLUMNS
from srexp.data.sources.source import SPLITS
from srexp.system.masking.pseudonyms import pseudonym
from tests.data.preparation.images import picture, prepared


def test_fingerprint_does_not_follow_names_places_dates_or_format(root: Path, tmp_path: Path) -> None:
    reference = prepared(root).fingerprint
    other = tmp_path / "other"
    for number, path in enumerate(sorted(root.iterdir(), reverse=True)):
        target = other / f"sub{number % 3}" / f"{path.stem[:2]}_{number:03}.bmp"
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.save(target)
        os.utime(target, (0, 0))
    assert prepared(other).fingerprint == reference


@pytest.mark.parametrize(
    "change",
    [
        lambda root: picture(root / "p0_0.png", 99),
        lambda root: picture(root / "p4_x.png", 99),
        lambda root: picture(root / "p4_x.png", 8),
        lambda root: (root / "p0_0.png").unlink(),
        lambda root: Image.fromarray(np.asarray(Image.open(root / "p0_0.png")).astype(np.uint16)).save(
            root / "p0_0.png"
        ),
    ],
    ids=["pixels", "another image", "a second copy", "one image less", "bit depth"],
)
def test_fingerprint_follows_content_and_membership(root: Path, change: Callable[[Path], object]) -> None:
    before = prepared(root).fingerprint
    change(root)
    assert prepared(root).fingerprint != before


def test_one_pixel_changes_the_fingerprint(root: Path) -> None:
    before = prepared(root).fingerprint
    path = root / "p1_2.png"
    pixels = np.array(Image.open(path))
    pixels[31, 39] ^= 1
    Image.fromarray(pixels).save(path)
    assert prepared(root).fingerprint != before


def test_manifest_names_neither_images_nor_patients(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [entry.item.key for split in SPLITS for entry in prepared(root).entries[split]]
    rows = prepared(root, names=False).manifest()
    assert [tuple(row) for row in rows] == [COLUMNS] * 10
    assert [row["split"] for row in rows] == sorted((row["split"] for row in rows), key=SPLITS.index)
    assert [row["image"] for row in rows] == [pseudonym(name) for name in names]
    patients = {name[:2]: row["patient"] for name, row in zip(names, rows, strict=True)}
    assert len(set(patients.values())) == 5
    assert not any(name in str(rows) for name in (*names, *patients))
    assert rows == prepared(root, names=False).manifest()
    monkeypatch.setenv("SREXP_PSEUDONYM_KEY", "the key of somebody else")
    others = prepared(root, names=False).manifest()
    assert {row["patient"] for row in rows}.isdisjoint(row["patient"] for row in others)
