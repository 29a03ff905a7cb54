"""Whose image a file is, by a table in which a person names files in their own way."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from srexp.data.sources.table import composed, read_table
from srexp.errors import RequestError, some
from srexp.system.masking.pseudonyms import remember

_ABOUT = "dataset.patients"
_FRAME = re.compile(r"#\d+$")  # as srexp numbers the images of a file
# A number that a spreadsheet may write with more or fewer zeros, and one that it rounded.
_NUMBER, _ROUNDED = re.compile(r"\+?0*(\d+?)(?:[.,]0*)?"), re.compile(r"\d(?:[.,]\d+)?e\+\d+")
# What programs write into an empty cell: spreadsheets, databases, pandas and R.
_NOTHING = {
    *("", "nan", "-nan", "nat", "none", "null", "nil", "na", "n/a", "<na>", "undefined"),
    *("#n/a", "#na", "#null!", "#ref!", "#name?", "#value!", "#num!", "#div/0!"),
}


class _Line(NamedTuple):
    number: int
    file: str
    patient: str


def from_table(files: Mapping[str, Path], root: Path, table: Path) -> list[str]:
    """Give the patient of each file by a table.

    A line names a file by its path below the root or the table's folder, by an absolute path, or by any other that
    leads to it. One that leads nowhere stands for the files of that name, or for the one whose path ends most like it:
    a table may have been written before the files were moved.

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
    table = table.expanduser()
    path = next((path for path in (table, root / table) if os.path.isfile(path)), None)  # noqa: PTH113 (Path's raises on long names)
    if path is None:
        raise RequestError(
            "dataset.patients names a table that does not exist", got=str(table), expected="a CSV file: file,patient"
        )
    lines = [
        _Line(number, cells["file"], composed(cells["patient"]))
        for number, cells in read_table(path, ("file", "patient"), _ABOUT)
        if cells["file"] and _word(cells["patient"]) not in _NOTHING
    ]
    _require_one_spelling(lines, path)
    given = _given(files, lines, root, path)
    if missing := [key for key in files if key not in given]:
        raise RequestError(
            f"dataset.patients: {path} gives no patient for {some(missing, 5, 'more files')}",
            expected="a line file,patient for every image, the file relative to dataset.root, and no blank or None",
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
        named = [identities[key] for key in places.get(place, places.get(_FRAME.sub("", place), []))]
        there = [*filter(None, (_identity(folder / line.file.replace("\\", "/")) for folder in (root, table.parent)))]
        for identity in named or [each for each in there if each in known][:1]:
            _require_same(found.setdefault(identity, line), line, table)
        if not named and not there:
            _require_same(lost[_name(place)].setdefault(place, line), line, table)
    for name, theirs in _grouped(files, _name).items():
        left = [key for key in theirs if identities[key] not in found]
        for key in left:
            if by_name := _by_name(key, left, lost.get(name, {}), root, table):
                found[identities[key]] = by_name
        of_name = [found[identities[key]] for key in theirs if identities[key] in found]
        for place, line in lost.get(name, {}).items():
            if "/" not in place and of_name and line.patient not in {each.patient for each in of_name}:
                _require_same(of_name[0], line, table)
    return {key: found[identity].patient for key, identity in identities.items() if identity in found}


def _by_name(key: str, left: Sequence[str], lines: Mapping[str, _Line], root: Path, table: Path) -> _Line | None:
    """Find the line for a file that none leads to: by its bare name, or by the path that ends most like its own."""
    same_case = {place: line for place, line in lines.items() if posixpath.basename(place) == posixpath.basename(key)}
    may_be = same_case or lines
    bare = [line for place, line in may_be.items() if "/" not in place]
    for line in bare[1:]:
        _require_same(bare[0], line, table)
    alike = {place: _alike(place, root, key) for place in may_be}
    nearest = [*may_be] if bare else [place for place in may_be if alike[place] == max(alike.values())]
    others = [other for other in left if other != key]
    if not bare and any(_alike(place, root, other) >= alike[place] for place in nearest for other in others):
        return None
    return may_be[nearest[0]] if len({may_be[place].patient for place in nearest}) == 1 else None


def _alike(place: str, root: Path, key: str) -> int:
    """Count the last parts of two paths that are the same."""
    pairs = zip(reversed(PurePosixPath(place).parts), reversed((*root.parts, *PurePosixPath(key).parts)), strict=False)
    return sum(1 for _ in takewhile(lambda pair: _same(pair[0]).casefold() == _same(pair[1]).casefold(), pairs))


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
    """Refuse a patient who is written in two ways, as spreadsheets and people do, and would be two patients."""
    seen: dict[str, _Line] = {}
    for line in lines:
        word = _word(line.patient)
        if _ROUNDED.fullmatch(word):
            remember((line.patient,))
            raise RequestError(
                f"dataset.patients: {table} gives a rounded number as patient in line {line.number}",
                got=line.patient,
                expected="all digits, or several patients become one",
                fix="give that column the format of text, put the numbers in again, and save it anew",
            )
        number = _NUMBER.fullmatch(word)
        first = seen.setdefault(number[1] if number else word, line)
        if first.patient != line.patient:
            remember((first.patient, line.patient))
            raise RequestError(
                f"dataset.patients: {table} writes one patient in two ways, lines {first.number} and {line.number}",
                got=f"{first.patient} and {line.patient}",
                expected="one spelling, or images of one patient lie on both sides of a split",
                fix=f"write both as {max(first.patient, line.patient, key=len)}, or add a letter if they are two",
            )


def _word(patient: str) -> str:
    """Leave out how a patient is typed: case, blanks, letters without a shape, full width, a spreadsheet's quotes."""
    shown = "".join(filter(str.isprintable, unicodedata.normalize("NFKC", patient)))
    return shown.replace(" ", "").strip("='\"").casefold()


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
    return _same(Path(file).relative_to(root).as_posix() if Path(file).is_relative_to(root) else file)


def _same(file: str) -> str:
    r"""Give what is equal for two ways to write a path: ./a.png, .\a.png, b/../a.png, and both forms of an accent."""
    return composed(posixpath.normpath(file.replace("\\", "/")))
