"""Manifest and fingerprint follow content and membership, and name no patient."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.data.preparation.manifest import COLUMNS, patient_key, project_salt
from srexp.data.sources.source import SPLITS
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


def test_manifest_names_patients_by_salted_hashes_only(root: Path, tmp_path: Path) -> None:
    rows = prepared(root, cache_dir=tmp_path / "cache").manifest()
    assert [tuple(row) for row in rows] == [COLUMNS] * 10
    assert [row["split"] for row in rows] == sorted((row["split"] for row in rows), key=SPLITS.index)
    patients = {row["image"][:2]: row["patient"] for row in rows}
    assert len(set(patients.values())) == 5
    assert not set(patients) & set(patients.values())
    assert rows == prepared(root, cache_dir=tmp_path / "cache").manifest()
    assert {row["patient"] for row in rows}.isdisjoint(row["patient"] for row in prepared(root).manifest())


def test_salt_is_made_once_and_kept_private(tmp_path: Path) -> None:
    salt = project_salt(tmp_path / "cache")
    assert project_salt(tmp_path / "cache") == salt
    assert (tmp_path / "cache" / "patient-salt").stat().st_mode & 0o077 == 0
    assert patient_key("p", salt) != patient_key("p", project_salt(tmp_path / "other"))
