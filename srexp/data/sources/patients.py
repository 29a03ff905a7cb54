"""Whose image a file is: by a pattern on its name, by a table, by DICOM's PatientID, or each file for itself."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from srexp.errors import RequestError, some

_EXAMPLE = r"""'dataset.patients="^(\d{8})"'"""
_COLUMNS = ("file", "patient")


def patients_of(files: Mapping[str, Path], root: Path, patients: str | None) -> list[str]:
    r"""Give the patient of each file.

    Args:
        files: The files by their path relative to `root`, with forward slashes.
        root: Where a table may lie that is named without its folder.
        patients: A regular expression with one group, sought in the file's name, or in its path below the root when it
            contains a slash; a CSV file with the columns file and patient; `dicom` for PatientID; None when each file
            is a patient of its own.

    Returns:
        One patient for each file, in their order.

    Raises:
        RequestError: A pattern without one group, a file that it doesn't match or that the table doesn't name.

    Example:
        >>> patients_of({"00000013_026.png": Path(), "b/00000013_027.png": Path()}, Path(), r"^(\d{8})")
        ['00000013', '00000013']
    """
    if patients is None:
        return list(files)
    if patients == "dicom":
        return _from_dicom(files)
    if patients.lower().endswith(".csv"):
        return _from_table(list(files), root, Path(patients))
    return _from_pattern(list(files), patients)


def _from_pattern(keys: Sequence[str], pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise RequestError(f"dataset.patients is no regular expression: {error}", got=pattern, fix=_EXAMPLE) from error
    if compiled.groups != 1:
        raise RequestError(
            f"dataset.patients has {compiled.groups} groups",
            got=pattern,
            expected="a pattern with one group ( ) around the patient's part of the name",
        )
    whole_path = "/" in pattern
    matches = [compiled.search(key if whole_path else key.rpartition("/")[2]) for key in keys]
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
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"dataset.patients: {path} is no CSV file in UTF-8", expected="file,patient") from error
    if not rows or not set(_COLUMNS) <= set(rows[0]):
        raise RequestError(
            f"dataset.patients: {path} lacks columns or rows",
            got=sorted(str(column) for column in rows[0]) if rows else "no rows",
            expected="a first line file,patient and a line for each image file",
        )
    by_file = {row["file"].strip().replace("\\", "/"): (row["patient"] or "").strip() for row in rows if row["file"]}
    names = Counter(file.rpartition("/")[2] for file in by_file)
    by_name = {name: by_file[file] for file in by_file if names[name := file.rpartition("/")[2]] == 1}
    found = [by_file.get(key) or by_name.get(key.rpartition("/")[2], "") for key in keys]
    missing = [key for key, patient in zip(keys, found, strict=True) if not patient]
    if missing:
        raise RequestError(
            f"dataset.patients: {path} gives no patient for {some(missing, 5, 'more files')}",
            expected="a line file,patient for every image, the file relative to dataset.root",
        )
    return found


def _from_dicom(files: Mapping[str, Path]) -> list[str]:
    from srexp.data.dicom import reader
    from srexp.data.image import UnreadableImageError

    found, refused = [], []
    for key, path in files.items():
        try:
            found.append(reader.patient_of(path))
        except UnreadableImageError as error:
            refused.append(f"{key} ({error.reason})")
    if refused:
        raise RequestError(
            f"dataset.patients=dicom finds no patient in {some(refused, 5, 'more files')}",
            fix="dataset.patients=null, a pattern with one group, or a CSV file with the columns file,patient",
        )
    return found
