"""Whose image a file is: by a pattern on its name, by a table, by DICOM's PatientID, or each file for itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from srexp.data.sources.patient_table import from_table
from srexp.data.sources.table import composed
from srexp.errors import RequestError, some
from srexp.system.confinement import ExhaustedError, confined

_TABLES = (".csv", ".tsv", ".txt")
_EXAMPLE = r"""'dataset.patients="^(\d{8})"'"""


def patients_of(files: Mapping[str, Path], root: Path, patients: str | None) -> list[str]:
    r"""Give the patient of each file.

    Args:
        files: The files by their path relative to `root`, with forward slashes.
        root: Where a table may lie that is named without its folder.
        patients: A regular expression with one group, sought in the file's name, or in its path below the root when it
            contains a slash; a CSV file (.csv, .tsv, .txt) with the columns file and patient, see
            `srexp.data.sources.patient_table`; `dicom` for PatientID; None when each file is a patient of its own.

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
    elif patients.lower().endswith(_TABLES):
        found = from_table(files, root, Path(patients))
    else:
        found = _from_pattern(list(files), patients)
    return [composed(patient) for patient in found]


def _from_pattern(keys: Sequence[str], pattern: str) -> list[str]:
    try:
        compiled = re.compile(composed(pattern))
    except re.error as error:
        raise RequestError(f"dataset.patients is no regular expression: {error}", got=pattern, fix=_EXAMPLE) from error
    if compiled.groups != 1:
        raise RequestError(
            f"dataset.patients has {compiled.groups} groups",
            got=pattern,
            expected="a pattern with one group ( ) around the patient's part of the name",
        )
    whole_path = "/" in pattern
    try:
        found = confined(
            [], _matched, compiled.pattern, [key if whole_path else key.rpartition("/")[2] for key in keys]
        )
    except ExhaustedError:
        raise RequestError(
            "dataset.patients tries too many ways through a name",
            got=pattern,
            expected="a pattern that repeats nothing that is repeated already, as (a+)+ does",
            fix=_EXAMPLE,
        ) from None
    missing = [key for key, patient in zip(keys, found, strict=True) if not patient]
    if missing:
        raise RequestError(
            f"dataset.patients matches no patient in {some(missing, 5, 'more files')}",
            got=pattern,
            expected=f"a match in every file's {'path' if whole_path else 'name'}",
            fix="widen the pattern, move these files away, or give a CSV file with the columns file,patient",
        )
    return found


def _matched(pattern: str, names: Sequence[str]) -> list[str]:
    """Give the patient's part of each name, empty where there is none; a pattern may take years to find that out."""
    matches = [re.search(pattern, composed(name)) for name in names]
    return [match[1] if match and match[1] else "" for match in matches]


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
    # A device may leave out who gave the identifier, and its images are then those of whoever has it elsewhere.
    unissued = {patient for patient in found if patient.startswith("/")}
    return [alone if (alone := patient[patient.find("/") :]) in unissued else patient for patient in found]
