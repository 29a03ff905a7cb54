"""Whose image a file is, by a table in which a person names files in their own way."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from srexp.data.sources.table import composed, read_table
from srexp.errors import RequestError, some
from srexp.system.masking.pseudonyms import remember

_ABOUT = "dataset.patients"
_NUMBER = re.compile(r"0*(\d+?)(?:\.0*)?")


class _Line(NamedTuple):
    number: int
    file: str
    patient: str


def from_table(files: Mapping[str, Path], root: Path, table: Path) -> list[str]:
    """Give the patient of each file by a table.

    A line names a file by its path below the root or the table's folder, by an absolute path, or by any other that
    leads to it. One that leads to none of them stands for the files of that name, which a table has that was written
    before the files were moved.

    Args:
        files: The files by their path relative to `root`, with forward slashes.
        root: Where the table may lie, too.
        table: A file with the columns file and patient, see `srexp.data.sources.table`.

    Returns:
        One patient for each file, in their order.

    Raises:
        RequestError: The table isn't there or can't be read, gives a file no patient or two, or writes a patient in two
            ways.
    """
    path = next((path for path in (table, root / table) if path.is_file()), None)
    if path is None:
        raise RequestError(
            "dataset.patients names a table that does not exist", got=str(table), expected="a CSV file: file,patient"
        )
    lines = [
        _Line(number, cells["file"], composed(cells["patient"]))
        for number, cells in read_table(path, ("file", "patient"), _ABOUT)
        if cells["file"] and cells["patient"]
    ]
    _require_one_spelling(lines, path)
    given = _given(files, lines, root, path)
    if missing := [key for key in files if key not in given]:
        raise RequestError(
            f"dataset.patients: {path} gives no patient for {some(missing, 5, 'more files')}",
            expected="a line file,patient for every image, the file relative to dataset.root",
            fix="add these lines, or move these files away",
        )
    return [given[key] for key in files]


def _given(files: Mapping[str, Path], lines: Iterable[_Line], root: Path, table: Path) -> dict[str, str]:
    """Give the patient of each file that a line names."""
    identities = {key: _identity(path) or key for key, path in files.items()}
    known, places = {*identities.values()}, _grouped(files, _same)
    found: dict[Hashable, _Line] = {}
    lost: dict[str, dict[str, _Line]] = defaultdict(dict)
    for line in lines:
        place = _relative(line.file, root)
        named = [identities[key] for key in places.get(place, ())]
        led_to = (_identity(folder / line.file.replace("\\", "/")) for folder in (root, table.parent))
        identified = named or [each for each in led_to if each in known][:1]
        for identity in identified:
            _require_same(found.setdefault(identity, line), line, table)
        if not identified:
            _require_same(lost[_name(place)].setdefault(place, line), line, table)
    for name, theirs in _grouped(files, _name).items():
        left = [key for key in theirs if identities[key] not in found]
        for key in left:
            if by_name := _by_name(key, lost.get(name, {}), table, alone=len(left) == 1):
                found[identities[key]] = by_name
        of_name = [found[identities[key]] for key in theirs if identities[key] in found]
        for place, line in lost.get(name, {}).items():
            if "/" not in place and of_name and line.patient not in {each.patient for each in of_name}:
                _require_same(of_name[0], line, table)
    return {key: found[identity].patient for key, identity in identities.items() if identity in found}


def _by_name(key: str, lines: Mapping[str, _Line], table: Path, *, alone: bool) -> _Line | None:
    """Find the line for a file that none names by its path: by a bare name, or by the only path that ends in it."""
    same_case = {place: line for place, line in lines.items() if posixpath.basename(place) == posixpath.basename(key)}
    may_be = same_case or lines
    bare = [line for place, line in may_be.items() if "/" not in place]
    for line in bare[1:]:
        _require_same(bare[0], line, table)
    one_patient = len({line.patient for line in may_be.values()}) == 1
    return next(iter(may_be.values())) if one_patient and (bare or (alone and len(may_be) == 1)) else None


def _require_same(first: _Line, other: _Line, table: Path) -> None:
    """Refuse lines that give one file two patients."""
    if first.patient != other.patient:
        first, other = sorted((first, other))
        remember((first.file, first.patient, other.file, other.patient))
        raise RequestError(
            f"dataset.patients: {table} gives {other.file} two patients, in lines {first.number} and {other.number}",
            got=f"{first.patient} and {other.patient}",
            expected="one patient for each file, or images of one lie on both sides of a split",
            fix=f"correct or remove line {first.number} or {other.number}",
        )


def _require_one_spelling(lines: Iterable[_Line], table: Path) -> None:
    """Refuse a number with and without its zeros: spreadsheets make 7 or 7.0 of 007, and it would be two patients."""
    seen: dict[str, _Line] = {}
    for line in lines:
        if number := _NUMBER.fullmatch(line.patient):
            first = seen.setdefault(number[1], line)
            if first.patient != line.patient:
                remember((first.patient, line.patient))
                raise RequestError(
                    f"dataset.patients: {table} writes one patient in two ways, lines {first.number} and {line.number}",
                    got=f"{first.patient} and {line.patient}",
                    expected="one spelling, or images of one patient lie on both sides of a split",
                    fix=f"write both as {max(first.patient, line.patient, key=len)}, or with a letter if they are two",
                )


def _grouped(files: Iterable[str], by: Callable[[str], str]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for key in files:
        found[by(key)].append(key)
    return found


def _name(place: str) -> str:
    return _same(place).rpartition("/")[2].casefold()


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell a file by what it is, whatever leads there."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _relative(file: str, root: Path) -> str:
    """Write a path below the root as the files' keys are written."""
    file = file.replace("\\", "/")
    return _same(Path(file).relative_to(root).as_posix() if Path(file).is_relative_to(root) else file)


def _same(file: str) -> str:
    """Give what is equal for two ways to write a path: ./a.png, b/../a.png, and both forms of an accent."""
    return composed(posixpath.normpath(file))
