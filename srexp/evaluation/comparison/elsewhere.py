"""What models gain on other test images than those of a comparison: test sets in rows, models in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from srexp.evaluation.grid import Cell, Grid
from srexp.metrics.table import NONE, counted, figure, interval
from srexp.system.masking import redaction


@dataclass(frozen=True, slots=True)
class Gain:
    """What one model gains on a test set.

    Args:
        gain: Over bicubic interpolation, in dB of PSNR; None where no image has a finite one.
        ci95: Its 95 % interval; None where there are too few images.
        seen: Images of the set that the model was trained on or chosen by; None where that isn't known.
    """

    gain: float | None
    ci95: tuple[float, float] | None
    seen: int | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A test set that models were evaluated on.

    Args:
        task: Data set, degradation and scale.
        images: Number of images.
        part: Which part of them was scored.
        gains: By the names of models; those are missing that weren't evaluated on it.
    """

    task: str
    images: int
    part: str
    gains: Mapping[str, Gain]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def table(sets: Sequence[Elsewhere], models: Sequence[str]) -> Grid:
    """Arrange the gains.

    Args:
        sets: The test sets.
        models: Names, in the order of the columns.

    Returns:
        One row for each test set; of several models the best gain of a row is marked.
    """
    rows = []
    for each in sets:
        known = {name: gain.gain for name, gain in each.gains.items() if gain.gain is not None}
        best = max(known.values(), default=None) if len(known) > 1 else None
        cells = [_cell(each.gains.get(name), best) for name in models]
        rows.append([Cell(each.task, f"{counted(each.images, 'image')}, {each.part}"), *cells])
    return Grid([Cell("test set"), *(Cell(name, "gain dB [95 %]") for name in models)], rows)


def comma_separated(sets: Sequence[Elsewhere]) -> str:
    """Write all figures, unrounded, one row for each model on each test set."""
    rows: list[dict[str, object]] = []
    for each in sets:
        for name, gain in each.gains.items():
            low, high = gain.ci95 or (None, None)
            known = {"task": each.task, "images": each.images, "part": each.part, "model": name}
            rows.append({**known, "gain_db": gain.gain, "gain_low": low, "gain_high": high, "seen": gain.seen})
    return redaction.comma_separated(rows)


def _cell(gain: Gain | None, best: float | None) -> Cell:
    if gain is None or gain.gain is None:
        return Cell(NONE)
    told = [interval(gain.ci95, sign=True)] if gain.ci95 else []
    told += [f"saw {gain.seen} of them"] if gain.seen else ["may have seen them"] if gain.seen is None else []
    return Cell(figure(gain.gain, sign=True), ", ".join(told), best is not None and gain.gain == best)
