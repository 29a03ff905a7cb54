"""The committed table of ratios: read, written, and held against what was measured now."""

from __future__ import annotations

import csv
import datetime as dt
import importlib.metadata
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from srexp.system.kernels.choice import instruction_set
from srexp.system.processor import cores, model_name

COMMITTED = Path(__file__).parents[3] / "docs" / "results" / "ratios.csv"
#: A ratio that grew by more than this share is marked.
LOST = 0.15


class Cost(NamedTuple):
    """Seconds of processors, those of child processes included, and on the clock."""

    processor: float
    clock: float


#: What srexp and its peer took, in turn.
Pairs = Sequence[tuple[Cost, Cost]]


class Row(NamedTuple):
    """What srexp takes by what its peer takes.

    Args:
        part: What was measured.
        peer: Beside what.
        ratio: Median over the pairs, of the processors' time.
        low: Least of them.
        high: Largest of them.
        clock: Median over the pairs, of the time on the clock.
        seconds: What srexp takes on the processors, median.
        pairs: How often both had their turn.
    """

    part: str
    peer: str
    ratio: float
    low: float
    high: float
    clock: float
    seconds: float
    pairs: int


def row(part: str, peer: str, pairs: Pairs) -> Row:
    """Give the row of some pairs.

    Example:
        >>> row("a", "b", [(Cost(2, 3), Cost(1, 1)), (Cost(4, 2), Cost(1, 1)), (Cost(3, 1), Cost(1, 1))])
        Row(part='a', peer='b', ratio=3.0, low=2.0, high=4.0, clock=2.0, seconds=3, pairs=3)
    """
    ratios = [ours.processor / theirs.processor for ours, theirs in pairs]
    return Row(
        part,
        peer,
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        clock=statistics.median(ours.clock / theirs.clock for ours, theirs in pairs),
        seconds=statistics.median(ours.processor for ours, _ in pairs),
        pairs=len(pairs),
    )


def conditions(command: str) -> str:
    """Say by which command, on what, beside how much other work, with which versions and when it is measured."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras", "onnxruntime")
    )
    machine = f"{model_name()}, {cores()} cores, {instruction_set() or 'neither AVX2 nor AVX-512'}"
    load = f"load average {os.getloadavg()[2]:.0f}"
    return f"{command}: {machine}, {load}; {versions}; {dt.date.today().isoformat()}"


def read(path: Path = COMMITTED) -> tuple[list[str], dict[str, Row]]:
    """Read a table.

    Args:
        path: The file; one that isn't there is an empty table.

    Returns:
        Where its rows are from, and the rows by their part.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    about = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    cells = csv.DictReader(line for line in lines if not line.startswith("#"))
    kinds = {"part": str, "peer": str, "pairs": int}
    rows = [Row(**{name: kinds.get(name, float)(cell) for name, cell in each.items()}) for each in cells]
    return about, {each.part: each for each in rows}


def write(rows: Sequence[Row], about: str, path: Path = COMMITTED) -> None:
    """Put rows in the place of those of the same parts, under what says where all of them are from."""
    before, kept = read(path)
    merged = {**kept, **{each.part: each for each in rows}}
    earlier = before if len(merged) > len(rows) else []  # else nothing is left of what it says
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in dict.fromkeys([*earlier, about]))
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Row._fields)
        for each in merged.values():
            table.writerow(f"{value:.3f}" if isinstance(value, float) else value for value in each)


def told(found: Row, committed: Row | None) -> str:
    """Say a row in a line, and mark one that lost."""
    line = f"{found.part:32} {found.ratio:6.2f} ({found.low:.2f} to {found.high:.2f}), on the clock {found.clock:.2f}"
    line += f", {found.seconds:.1f} s of processor"
    if committed is None:
        return f"{line}; no row in the table"
    change = found.ratio / committed.ratio - 1
    return f"{line}; {change:+.0%} against the table" + ("  LOST" if change > LOST else "")
