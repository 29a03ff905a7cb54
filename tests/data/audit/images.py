"""Images with splits and patients as a test says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from srexp.data.audit.audit import facts
from srexp.data.audit.findings import Finding
from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources.source import Item


@dataclass
class Given:
    """A data set whose splits are fixed by the test."""

    listed: list[Item]
    name: str = "given"
    attribution: str = ""
    intensity: str = "bits"
    on_error: str = "fail"
    memory_mb: int = 256
    fractions: list[float] = field(default_factory=lambda: [0.6, 0.2, 0.2])

    def items(self) -> list[Item]:
        return self.listed


def picture(number: int, side: int = 160) -> Image.Image:
    """A picture unlike any other: smooth shapes of several sizes."""
    rng = np.random.default_rng(number)
    noise = sum(size * gaussian_filter(rng.standard_normal((side, side)), size) for size in (2, 4, 8, 16))
    low, high = noise.min(), noise.max()
    return Image.fromarray(np.uint8(np.rint(20 + 200 * (noise - low) / (high - low))))


class Folder:
    """Images with their splits and patients, written as a test says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.items: list[Item] = []

    def add(self, split: str, image: Image.Image, patient: str | None = None, suffix: str = "png") -> str:
        key = f"{len(self.items):03d}.{suffix}"
        image.save(self.root / key)
        self.items.append(Item(key, self.root / key, 0, f"P{key}" if patient is None else patient, split))
        return key

    def prepared(self, **options: object) -> Prepared:
        given = {"seed": 1, "channel": "grey", "scale": 2, "patch_size": 48, "facts": facts, "names": True} | options
        return prepare(Given(sorted(self.items, key=lambda item: item.key)), Preparation(**given))


def by_kind(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.kind: finding for finding in findings}
