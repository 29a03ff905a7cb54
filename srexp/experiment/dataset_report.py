"""What `data` tells of a data set: counts of its splits, and pictures of its images and degradations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.config.builders import build
from srexp.config.compose import alternative
from srexp.config.paths import config_home
from srexp.config.sections.base import Config
from srexp.data.audit.audit import fill
from srexp.data.audit.findings import Finding
from srexp.data.batches.patches import SCORING, as_float, divisible, stream
from srexp.data.degradation.degradations import quantize, reduced
from srexp.data.degradation.given import Given
from srexp.data.degradation.imresize import resize
from srexp.data.preparation.prepare import Prepared
from srexp.data.sources.source import SPLITS, Entry
from srexp.evaluation.figures.detail import Square, in_low, worst_square
from srexp.evaluation.figures.overview import Shown, contact_sheet, details, histograms
from srexp.evaluation.figures.panel import window
from srexp.system.masking.redaction import comma_separated
from srexp.types import Figure, Pixels

SHOWN = {"train": 24, "validation": 12, "test": 12}
SHOWN_PAIRS = 6
_COUNTED_IMAGES, _PARTS = 50, 256
_THUMBNAIL = 300


def split_summary(entries: Sequence[Entry]) -> dict[str, Any]:
    """Count what a split holds; of patients only their number is told.

    Args:
        entries: The images of the split, scanned with `srexp.data.audit.audit.facts`.

    Returns:
        What `result.json` says of a split: counts, sizes, bit depths, and the share of the stored range that is filled.
    """
    sizes = sorted({entry.size for entry in entries}, key=lambda size: (size[0] * size[1], size))
    filled = [round(fill(entry), 4) for entry in entries]
    return {
        "images": len(entries),
        "patients": len({entry.patient for entry in entries}),
        "smallest": list(sizes[0]) if sizes else None,
        "largest": list(sizes[-1]) if sizes else None,
        "bits": {str(bits): count for bits, count in sorted(Counter(entry.bits for entry in entries).items())},
        "colour": sum(entry.channels > 1 for entry in entries),
        "lossy": sum(entry.lossy for entry in entries),
        "fill": {"least": min(filled), "median": median(filled), "most": max(filled)} if filled else None,
    }


def write_overview(folder: Path, prepared: Prepared, findings: Sequence[Finding], name: str) -> list[str]:
    """Write the manifest, a contact sheet of the images, and histograms of their values.

    Args:
        folder: Existing folder to write to.
        prepared: The data set, scanned with `srexp.data.audit.audit.facts`.
        findings: What the audit found: near-duplicates are shown side by side.
        name: Name of the data set.

    Returns:
        The names of the files.
    """
    manifest = comma_separated(prepared.manifest())
    (folder / "manifest.csv").write_text(manifest, encoding="utf-8", newline="")
    images = sum(map(len, prepared.entries.values()))
    title = f"{name}: {images} images, each stretched for display"
    contact_sheet(_groups(prepared, findings), title).savefig(folder / "contact_sheet.png")
    counts = {}
    for split in SPLITS:
        if some := _spread(prepared.entries[split], _COUNTED_IMAGES):
            heading = f"{split}: {len(some)} of {len(prepared.entries[split])} images"
            counts[heading] = sum((_counts(prepared, entry) for entry in some), np.zeros(_PARTS, np.int64))
    histograms(counts, f"{name}: values as stored").savefig(folder / "histograms.png")
    return ["manifest.csv", "contact_sheet.png", "histograms.png"]


def _groups(prepared: Prepared, findings: Sequence[Finding]) -> dict[str, list[Shown]]:
    """Choose images for the contact sheet, under their headings."""
    groups = {}
    for split in SPLITS:
        entries = prepared.entries[split]
        if some := _spread(entries, SHOWN[split]):
            groups[f"{split}: {len(some)} of {len(entries)} images"] = [
                _shown(prepared, entry, f"{_size(entry)}, {entry.bits} bit, fills {100 * fill(entry):.0f} %")
                for entry in some
            ]
    by_key = {entry.key: entry for split in SPLITS for entry in prepared.entries[split]}
    for finding in findings:
        if finding.kind == "near-duplicates":
            pairs = [by_key[key] for key in finding.images[: 2 * SHOWN_PAIRS]]
            groups["near-duplicates, pair by pair"] = [
                _shown(prepared, entry, f"{entry.split}, {_size(entry)}") for entry in pairs
            ]
    return groups


def _spread(entries: Sequence[Entry], most: int) -> list[Entry]:
    """Take images from beginning to end, at equal distances."""
    places = np.linspace(0, len(entries) - 1, min(most, len(entries)))
    return [entries[round(place)] for place in places]


def _shown(prepared: Prepared, entry: Entry, detail: str) -> Shown:
    image = prepared.read(entry)
    step = max(1, max(image.pixels.shape[:2]) // _THUMBNAIL)
    pixels = image.pixels[::step, ::step].astype(np.float32) / image.max_value
    return Shown(entry.key, detail, pixels if pixels.shape[-1] > 1 else pixels[..., 0])


def _size(entry: Entry) -> str:
    return f"{entry.height} x {entry.width}"


def _counts(prepared: Prepared, entry: Entry) -> npt.NDArray[np.int64]:
    """Count the pixels in equal parts of the stored range."""
    image = prepared.read(entry)
    return np.bincount(image.pixels.ravel().astype(np.int64) * _PARTS >> image.bits, minlength=_PARTS)


def degradation_figure(config: Config, prepared: Prepared) -> Figure:
    """Show what each degradation makes of a detail of a test image, the chosen one as it is configured.

    Args:
        config: Checked configuration.
        prepared: Its data set; a paired one has no degradations to show.

    Returns:
        A figure with the target and one picture for each degradation.
    """
    entry = max(prepared.entries["test"], key=lambda each: min(each.height, each.width))
    stored = prepared.read(entry)
    high = as_float(divisible(stored.pixels, config.scale), stored.bits)
    lost = high - resize(reduced(high, config.scale), scale=Fraction(config.scale))
    square = worst_square(np.abs(lost).mean(axis=-1), high, window(high), scale=config.scale)
    pictures = {"target": _grey_detail(high, square, 1)}
    for name in sorted(path.stem for path in (config_home() / "conf" / "degradation").glob("*.yaml")):
        chosen = name == config.choices["degradation"]
        degrade = build(config.degradation if chosen else alternative(config, "degradation", name))
        if isinstance(degrade, Given):
            continue
        same = degrade.degenerate(config.scale)
        low = high if same else degrade(high, config.scale, stream(SCORING, int(entry.sha256, 16)))
        caption = f"{name}{', chosen' * chosen}"
        pictures[caption] = _grey_detail(quantize(low, stored.bits), square, 1 if same else config.scale)
    title = f"{entry.key}: a detail, and what each degradation at x{config.scale} leaves of it"
    footnote = "Each pixel is drawn as a square; all pictures share the display window of the target."
    return details(pictures, title, footnote)


def _grey_detail(image: Pixels, square: Square, scale: int) -> Pixels:
    """Cut the place that a square of the target shows out of an image, (h, w)."""
    return np.asarray(image[in_low(square, scale)].mean(axis=-1))
