"""Runs, registered models and splits as a person reads them: some lines each from 80 columns on; or one run in full."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from srexp.commands.printing.console import warnings
from srexp.metrics.table import counted, figure
from srexp.system.terminal import Terminal

#: Letters of a run's id; a name that is longer is cut where a terminal has no room, and `runs id=` has it whole.
_ID = 32
#: Tag of what MLflow's page of a run shows first: it is written for that page, and has nothing that isn't here.
_PAGE = "mlflow.note.content"
#: Columns from which on a row has room for cells beside each other.
_ROOM = 80


def models(result: Mapping[str, Any]) -> None:
    """Print the registered models.

    Args:
        result: What the verb `models` returns.
    """
    console = Terminal()
    rows = []
    for row in result["models"]:
        audit = "degenerate" if row["degenerate"] else row["audit"] or "-"
        aliases = ", ".join([*row["aliases"], *(["(forced)"] if row["forced"] else [])])
        rows.append(
            (
                (row["name"], f"{row['version']}, {row['model'] or 'unknown'}, {ago(row['age_seconds'])}"),
                (aliases or "-", audit),
                (figure(row["psnr"], fine=True), figure(row["gain_db"], sign=True, fine=True)),
                (counted(row["n_images"] or "?", "image"), _under(row["protocol"])),
            )
        )
    table = listing(console, ("name; version, age", "aliases; audit", "PSNR; gain", "scored on"), rows, whole=(0, 2))
    console.print(table if result["models"] else "no model was registered yet: train one with `python -m srexp`")
    warnings(console, result)


def runs(result: Mapping[str, Any]) -> None:
    """Print runs, and what was ended.

    Args:
        result: What the verb `runs` returns.
    """
    console = Terminal()
    rows = []
    for row in result["runs"]:
        figures = {"test": row["test_psnr"], "val": row["val_psnr"]}
        gain = {"test": f" {figure(row['gain_db'], sign=True)}" if row["gain_db"] is not None else ""}
        told = [
            f"{each:<4} {figure(value)}{gain.get(each, '')}" for each, value in figures.items() if value is not None
        ]
        rows.append(
            (
                (row["run_id"], row["name"] or "-"),
                (row["experiment_name"], f"{_since(row)}, {row['model'] or '-'}"),
                tuple(told),
                (row["state"], row["note"] or ago(row["seconds"])),
            )
        )
    longest = max((len(line) for row in rows for line in row[0]), default=0)
    first = max(_ID, min(longest, _ID + console.width - _ROOM))
    table = listing(console, ("run; name", "task; age", "PSNR", "state"), rows, whole=(0, 2), first=first)
    console.print(table if result["runs"] else "no run was kept yet: begin one with `python -m srexp`")
    for each in result["synced"]:
        left = f", {each['left']} wait still: {each['reason']}" if each["left"] else ""
        console.about("sent", f"{each['records']} records of {each['run_id']}{left}")
        for text in each["refused"]:
            console.about("refused", text)
    if result.get("relocated"):
        console.about("relocated", f"{result['relocated']} addresses of artifacts; before: {result['backup']}")
    for run_id in result["reaped"]:
        console.about("ended", run_id)
    for each in result["elsewhere"]:
        host = each["host"]
        hint = f" (reap_hosts=[{host}] ends it)" if host else ""
        console.about("left open", f"{each['run_id']}, of {host or 'an unknown machine'}{hint}")


def run(row: Mapping[str, Any]) -> None:
    """Print all that is known of one run.

    Args:
        row: Of the verb `runs` with `id`.
    """
    console = Terminal()
    console.about("run", row["run_id"])
    console.about("name", row["name"] or "-")
    console.about("task", row["experiment_name"])
    console.about("did", " ".join(str(each) for each in (row["verb"], row["model"]) if each) or "-")
    console.about("state", f"{row['state']}, took {ago(row['seconds'])}" + (f", {row['note']}" if row["note"] else ""))
    console.about("began", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["started"] / 1000)))
    console.about("page", row["page"], link=row["page"])
    console.about("artifacts", row["artifacts"], link=Path(row["artifacts"]) if row["artifacts"][:1] == "/" else None)
    for kind in ("metrics", "tags"):
        value = Column("value", overflow="fold")
        table = Table(Column(kind[:-1], overflow="fold"), value, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name, known in sorted(row[kind].items()):
            if name == _PAGE:
                continue
            table.add_row(name, f"{known:.6g}" if isinstance(known, float) else known)
        if row[kind]:
            console.print(table)


def ago(seconds: float) -> str:
    """Write a time in its largest unit.

    Example:
        >>> ago(42.4), ago(754), ago(7290), ago(200_000)
        ('42 s', '13 min', '2.0 h', '2.3 d')
    """
    for unit, length, digits in (("d", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= length:
            return f"{seconds / length:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def _since(row: Mapping[str, Any]) -> str:
    return f"{ago(max(time.time() - row['started'] / 1000, 0))} ago"


def _under(protocol: Mapping[str, Any] | None) -> str:
    """Say under which protocol in a few letters; result.json has it whole."""
    if not protocol:
        return "-"
    rounding = "" if protocol.get("quantize", True) else ", not rounded"
    return f"{protocol.get('channel', '?')}, border {protocol.get('shave', '?')}{rounding}"


def listing(
    console: Terminal,
    headings: Sequence[str],
    rows: Sequence[Sequence[Sequence[str]]],
    *,
    whole: Collection[int],
    first: int | None = None,
) -> Table:
    """Arrange cells of one or two lines beside each other; on a narrow terminal below each other, with nothing cut.

    Args:
        console: Where they are shown.
        headings: Of the columns.
        rows: Cells, each of its lines.
        whole: Columns that aren't cut where there is too little room.
        first: Width of the first column; None for what its lines need.
    """
    if console.width < _ROOM:
        table = Table(
            Column("; ".join(headings), overflow="fold"), box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False
        )
        for row in rows:
            table.add_row(Group(*(Text(line, overflow="fold") for cell in row for line in cell), ""))
        return table
    # Rich takes no room from those that don't wrap.
    columns = [Column(title, overflow="ellipsis", no_wrap=place in whole) for place, title in enumerate(headings)]
    columns[0].width = first
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*(Group(*(Text(line, no_wrap=True) for line in cell)) for cell in row))
    return table
