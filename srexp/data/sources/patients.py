"""Whose image a file is: by a pattern on its name, by a table, by DICOM's PatientID, or each file for itself."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from srexp.data.sources.table import read_table
from srexp.errors import RequestError, some
from srexp.system.masking.pseudonyms import remember

_EXAMPLE = r"""'dataset.patients="^(\d{8})"'"""
_COLUMNS = ("file", "patient")


def patients_of(files: Mapping[str, Path], root: Path, patients: str | None) -> list[str]:
    r"""Give the patient of each file.

    Args:
        files: The files by their path relative to `root`, with forward slashes.
        root: Where a table may lie that is named without its folder.
        patients: A regular expression with one group, sought in the file's name, or in its path below the root when it
            contains a slash; a CSV file with the columns file and patient, see `srexp.data.sources.table`; `dicom` for
            PatientID; None when each file is a patient of its own.

    Returns:
        One patient for each file, in their order.

    Raises:
        RequestError: A pattern without one group, a file that it doesn't match or that the table doesn't name, or to
            which the table gives two patients.

    Example:
        >>> patients_of({"00000013_026.png": Path(), "b/00000013_027.png": Path()}, Path(), r"^(\d{8})")
        ['00000013', '00000013']
    """
    if patients is None:
        return list(files)
    if patients == "dicom":
        found = _from_dicom(files)
    elif patients.lower().endswith(".csv"):
        found = _from_table(list(files), root, Path(patients))
    else:
        found = _from_pattern(list(files), patients)
    return [_composed(patient) for patient in found]


def _from_pattern(keys: Sequence[str], pattern: str) -> list[str]:
    try:
        compiled = re.compile(_composed(pattern))
    except re.error as error:
        raise RequestError(f"dataset.patients is no regular expression: {error}", got=pattern, fix=_EXAMPLE) from error
    if compiled.groups != 1:
        raise RequestError(
            f"dataset.patients has {compiled.groups} groups",
            got=pattern,
            expected="a pattern with one group ( ) around the patient's part of the name",
        )
    whole_path = "/" in pattern
    matches = [compiled.search(_composed(key if whole_path else key.rpartition("/")[2])) for key in keys]
    found = [match[1] if match and match[1] else "" for match in matches]
    missing = [key for key, patient in zip(keys, found, strict=True) if not patient]
    if missing:
        raise RequestError(
            f"dataset.patients matches no patient in {some(missing, 5, 'more files')}",
            got=pattern,
            expected=f"a match in every file's {'path' if whole_path else 'name'}",
            fix="widen the pattern, move these files away, or give a CSV file with the columns file,patient",
        )
    return found


def _from_table(keys: Sequence[str], root: Path, table: Path) -> list[str]:
    path = next((path for path in (table, root / table) if path.is_file()), None)
    if path is None:
        raise RequestError(
            "dataset.patients names a table that does not exist", got=str(table), expected="a CSV file: file,patient"
        )
    by_file = _by_file(path, root)
    names = Counter(file.rpartition("/")[2] for file in by_file)
    by_name = {name: by_file[file] for file in by_file if names[name := file.rpartition("/")[2]] == 1}
    found = [by_file.get(_same(key)) or by_name.get(_same(key.rpartition("/")[2]), "") for key in keys]
    missing = [key for key, patient in zip(keys, found, strict=True) if not patient]
    if missing:
        raise RequestError(
            f"dataset.patients: {path} gives no patient for {some(missing, 5, 'more files')}",
            expected="a line file,patient for every image, the file relative to dataset.root",
        )
    return found


def _by_file(table: Path, root: Path) -> dict[str, str]:
    """Give the patient of each file that a table names; lines that name the same file must say the same."""
    given: dict[str, tuple[int, str]] = {}
    for number, cells in read_table(table, _COLUMNS, "dataset.patients"):
        if not cells["file"] or not cells["patient"]:
            continue
        file = cells["file"].replace("\\", "/")
        if Path(file).is_relative_to(root):
            file = Path(file).relative_to(root).as_posix()
        line, patient = given.setdefault(_same(file), (number, cells["patient"]))
        if _composed(patient) != _composed(cells["patient"]):
            remember((file, patient, *cells.values()))
            raise RequestError(
                f"dataset.patients: {table} gives {cells['file']} two patients, in lines {line} and {number}",
                got=f"{patient} and {cells['patient']}",
                expected="one patient for each file, or images of one lie on both sides of a split",
                fix=f"correct or remove line {line} or {number}",
            )
    return {file: patient for file, (_, patient) in given.items()}


def _same(file: str) -> str:
    """Give what is equal for two ways to write a path: ./a.png, b/../a.png, and both forms of an accent."""
    return _composed(posixpath.normpath(file))


def _composed(text: str) -> str:
    """Write accents in one of their two forms: copies from macOS have the other, and would be other patients."""
    return unicodedata.normalize("NFC", text)


def _from_dicom(files: Mapping[str, Path]) -> list[str]:
    from srexp.data.formats.registry import patient_of
    from srexp.data.image import UnreadableImageError

    found, refused = [], []
    for key, path in files.items():
        try:
            found.append(patient_of(path))
        except UnreadableImageError as error:
            refused.append(f"{key} ({error.reason})")
    if refused:
        raise RequestError(
            f"dataset.patients=dicom finds no patient in {some(refused, 5, 'more files')}",
            fix="dataset.patients=null, a pattern with one group, or a CSV file with the columns file,patient",
        )
    return found
