"""What lies in an output folder and how it was made, so that a second run does what the first one did not."""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil
import stat
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias

from srexp.enhance.manifest_parts import join, part_of
from srexp.errors import RequestError, SrexpError
from srexp.system.files.atomic_files import itself, whole_file, write_whole
from srexp.system.files.digests import sha256
from srexp.system.masking.pseudonyms import note
from srexp.system.masking.redaction import as_cell, from_cell

NAME = "enhanced.csv"
COLUMNS = ("input", "input_sha256", "output", "output_sha256", "model", "settings")
_LOST, _MARKED = "not_kept", "marked"
#: What is measured of a file: how far it is from its input when it is reduced again, in all and at the worst place, and
#: how far the restorations of a self-ensemble lie apart.
DISTANCE, PLACE = "distance_grey_levels", "worst_place_percent"
SPREAD_MEAN, SPREAD_P99 = "spread_mean_grey_levels", "spread_p99_grey_levels"
_LATER = (_LOST, DISTANCE, SPREAD_MEAN, SPREAD_P99, PLACE, _MARKED)  # lists of earlier versions go on without them

#: Of the files that an input becomes: none is there, all are, some are, or one is there that was made otherwise.
State: TypeAlias = Literal["new", "finished", "incomplete", "foreign"]


class OutputManifest:
    """The list `enhanced.csv` of an output folder: a row for each file written, with the digests of both.

    A row is written before its file gets its name. So a file without a row was made by someone else, and a row without
    a file by a run that was stopped.

    Args:
        folder: Output folder; made when the first row is added.
        model: What a reader calls the model.
        settings: Digest of what decides the result: the model's weights and the options.
        shard: Name of the shard whose part rows are added to, see `manifest_parts`; None for the list itself.

    Raises:
        RequestError: There is a list that another program has changed, that is a link, or that can't be read.
    """

    def __init__(self, folder: Path, *, model: str, settings: str, shard: str | None = None) -> None:
        self.folder, self.model, self.settings = folder, model, settings
        self._file = part_of(folder, shard) if shard else folder / NAME
        self._rows: dict[str, dict[str, str]] = {}  # by output; the last row counts
        self._columns: Sequence[str] = (*COLUMNS, *_LATER)
        path = folder / NAME
        if path.exists() or path.is_symlink():
            self._columns, rows = _read(path)
            note(name for row in rows for name in (row["input"], row["output"]) if name)
            self._rows = {row["output"]: row for row in rows if all(row.get(column) for column in COLUMNS)}

    def others(self, inputs: Collection[str]) -> list[str]:
        """Name the models that made what some inputs became, with other settings than these.

        Args:
            inputs: Relative names of the files that will be read.

        Returns:
            Models as a reader calls them; only of files that are still there.
        """
        made = [row for row in self._rows.values() if row["settings"] != self.settings and row["input"] in inputs]
        return sorted({row["model"] for row in made if (self.folder / row["output"]).exists()})

    def state(self, source: str, digest: str, outputs: Sequence[str]) -> State:
        """Tell how far an input got.

        Args:
            source: Relative name of the input.
            digest: SHA-256 of its content.
            outputs: Relative names of all files that it becomes.

        Returns:
            The state; files are held against their digests.
        """
        there = [name for name in outputs if (self.folder / name).exists()]
        for name in there:
            row = self._rows.get(name, {})
            same = (row.get("input"), row.get("input_sha256"), row.get("settings")) == (source, digest, self.settings)
            if not same or row.get("output_sha256") != sha256(self.folder / name):
                return "foreign"
        if not there:
            return "new"
        return "finished" if len(there) == len(outputs) else "incomplete"

    def measured(self, outputs: Sequence[str], wanted: Collection[str]) -> dict[str, float] | None:
        """Give what was measured of files.

        Args:
            outputs: Relative names of what an input became.
            wanted: Columns; one that the list hasn't, being of an earlier version, is not asked for.

        Returns:
            Value by column; None where one of them isn't known, though it could be noted.
        """
        row = self._rows.get(outputs[0], {})
        kept = [column for column in wanted if column in self._columns]
        return {column: float(row[column]) for column in kept} if all(map(row.get, kept)) else None

    def of_another(self, source: str, outputs: Sequence[str]) -> tuple[str, str] | None:
        """Find a file that is what another input became.

        Args:
            source: Relative name of an input.
            outputs: Relative names of all files that it becomes.

        Returns:
            The first such file and its input; None where there is none.
        """
        made = [(name, self._rows[name]) for name in outputs if name in self._rows]
        others = [
            (name, row["input"])
            for name, row in made
            if row["input"] != source and (path := self.folder / name).exists() and row["output_sha256"] == sha256(path)
        ]
        return others[0] if others else None

    def add(
        self,
        source: str,
        digest: str,
        outputs: Mapping[str, str],
        lost: Sequence[str] = (),
        measured: Mapping[str, float] | None = None,
        *,
        marks: Sequence[str] = (),
    ) -> None:
        """Note files that are about to get their names.

        Args:
            source: Relative name of the input.
            digest: SHA-256 of its content.
            outputs: Relative name to SHA-256.
            lost: What of the input the files can't hold.
            measured: Column to value.
            marks: What of that is beyond its bound.
        """
        known = {column: f"{value:.4g}" for column, value in (measured or {}).items()}
        last = _last_byte(self._file)
        with open(self._file, "a", newline="", encoding="utf-8", opener=itself) as file:
            writer = _writer(file, self._columns, head=not last)
            if last not in (b"", b"\n"):  # a run was killed while it wrote
                file.write("\n")
            for name, output_digest in outputs.items():
                row = dict(zip(COLUMNS, (source, digest, name, output_digest, self.model, self.settings), strict=True))
                row |= {_LOST: "; ".join(lost), _MARKED: "; ".join(marks), **known}
                writer.writerow(_cells(row))
                self._rows[name] = row

    def place(self, made: Mapping[str, Path], *sources: Path) -> None:
        """Give files their names, which lead nowhere out of the folder, and no more readers than their sources have.

        A link that has such a name is replaced, and what it leads to stays as it was.

        Args:
            made: Relative name to the finished file.
            sources: The files that they were made of.

        Raises:
            SrexpError: A folder within the output folder is a link that leads out of it.
        """
        allowed = reduce(and_, map(_readers, sources))
        for name, path in made.items():
            self.make_folder(name)
            path.chmod(path.stat().st_mode & allowed)
            _move(path, self.folder / name)

    def make_folder(self, name: str) -> None:
        """Make the folder of a file, within the output folder.

        Args:
            name: Relative name of the file.

        Raises:
            SrexpError: That would lead out of the output folder.
        """
        parent = (self.folder / name).parent
        # Unlike `Path.resolve` this takes a link to itself, which leads nowhere.
        if not Path(os.path.realpath(parent)).is_relative_to(os.path.realpath(self.folder)):
            raise SrexpError(
                "a link in output leads out of it", got=str(parent), fix="remove the link, or output= another folder"
            )
        parent.mkdir(parents=True, exist_ok=True)


def join_parts(folder: Path, inputs: Sequence[str]) -> list[str]:
    """Put the parts of shards that have ended, or died, into the list of an output folder.

    Args:
        folder: Output folder.
        inputs: Relative names of files, in whose order their rows stand as those of one process do; others come first.

    Returns:
        Names of the shards that are at work.

    Raises:
        RequestError: The list or a part can't be used.
    """
    order = {name: place for place, name in enumerate(inputs)}

    def put(parts: Sequence[Path]) -> None:
        lists = [_read(path) for path in (folder / NAME, *parts) if path.exists() or path.is_symlink()]
        rows = [row for _, each in lists for row in each if all(row.get(column) for column in COLUMNS)]
        columns = list(dict.fromkeys(name for names, _ in lists for name in names))
        text = io.StringIO(newline="")
        writer = _writer(text, columns, head=True)
        writer.writerows(_cells(row) for row in sorted(rows, key=lambda row: order.get(row["input"], -1)))
        write_whole(folder / NAME, text.getvalue())

    return join(folder, put)


def _writer(file: TextIO, columns: Sequence[str], *, head: bool) -> csv.DictWriter[str]:
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\r\n")
    if head:
        writer.writeheader()
    return writer


def _cells(row: Mapping[str, str]) -> dict[str, Any]:
    return {key: as_cell(cell) for key, cell in row.items()}


def _move(made: Path, target: Path) -> None:
    """Give a file its name, also where that lies on another file system than the rest of the output."""
    try:
        made.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with made.open("rb") as content, whole_file(target, durable=False) as file:
            os.fchmod(file.fileno(), made.stat().st_mode)
            shutil.copyfileobj(content, file)


def _readers(source: Path) -> int:
    """Give the mode bits that a file may have of which a source's readers may see the content."""
    found = source.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_gid != os.getegid():  # another group would read it
        mode &= ~stat.S_IRWXG | (mode & stat.S_IRWXO) << 3
    return mode | stat.S_IRWXU


def _read(path: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    """Give the columns of a list and its whole rows; a torn line, and what is no UTF-8 in it, harms no other."""
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="replace", opener=itself) as file:
            reader = csv.DictReader(file)
            whole = (row for row in reader if None not in row.values())
            rows = [{key: from_cell(cell) for key, cell in row.items() if key} for row in whole]
            columns = reader.fieldnames or (*COLUMNS, *_LATER)
        reason = "" if {*COLUMNS} <= {*columns} else f"it begins with {','.join(columns)[:80]}"
    except csv.Error as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or "no reason is given"
    if reason:
        raise RequestError(
            f"{NAME} in output, the list of what was made, can't be used: {reason}",
            got=str(path),
            expected=f"a first line {','.join(COLUMNS)}, with commas, in UTF-8",
            fix=f"put {NAME} back as it was, or output= another folder",
        )
    return columns, rows


def _last_byte(path: Path) -> bytes:
    if not path.is_file() or not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read()
