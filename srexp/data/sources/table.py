"""A table that a person wrote: in the encoding and with the separator of the program that saved it."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from srexp.errors import RequestError, some
from srexp.system.masking.pseudonyms import remember

#: Number of a line in the file, and its cells by their column.
Line: TypeAlias = tuple[int, dict[str, str]]

_SEPARATORS = (",", ";", "\t", "|")
_ENDS = re.compile("\r\n|\r|\n")  # of lines, as the csv module counts them; str.splitlines knows others
# The mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_table(path: Path, columns: Sequence[str], key: str) -> list[Line]:
    r"""Read the lines of a CSV file.

    Cells are separated by commas, semicolons, tabs or bars, whatever the first line has; blanks around them don't
    count, nor do empty lines. The text is UTF-8, or whatever its byte order mark says.

    Args:
        path: The file.
        columns: Columns that it must have, among others, in small letters; case doesn't count.
        key: Which key named it.

    Returns:
        The lines behind the first, with these columns.

    Raises:
        RequestError: It is no such table, and in which line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "t.csv").write_text("File; Patient\na.png; P1\n")
        ...     read_table(Path(folder, "t.csv"), ("file", "patient"), "dataset.patients")
        [(2, {'file': 'a.png', 'patient': 'P1'})]
    """
    about, first = f"{key}: {path}", ",".join(columns)
    text = _text(path, about, first)
    rows = _ENDS.split(text)
    top = next((place for place, row in enumerate(rows) if row.strip() and not row.startswith("sep=")), len(rows))
    heads = {each: [cell.lower() for cell in _split(rows[top : top + 1], each)] for each in _SEPARATORS}
    separator = next((each for each, head in heads.items() if {*columns} <= {*head}), None)
    if separator is None or not "".join(rows[top + 1 :]).strip():
        remember(heads[","])
        raise RequestError(
            f"{about} lacks columns or rows",
            got=heads[","] if separator is None and rows[top:] else "no rows",
            expected=f"a first line {first} and a line for each image file",
        )
    return _lines(text, top, separator, columns, about)


def composed(text: str) -> str:
    """Write accents in one of their two forms: copies from macOS have the other, and would be others."""
    return unicodedata.normalize("NFC", text)


def _split(rows: Iterable[str], separator: str) -> list[str]:
    return [cell.strip() for cells in csv.reader(rows, delimiter=separator, skipinitialspace=True) for cell in cells]


def _text(path: Path, about: str, first: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{about} can't be read: {error.strerror}", expected=f"a CSV file: {first}") from error
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    if encoding.startswith("utf-8") and b"\0" in content:
        order = "LE" if content.index(b"\0") % 2 else "BE"
        raise RequestError(
            f"{about} is no CSV file in UTF-8: it holds zero bytes, as UTF-16 without a mark and spreadsheets do",
            expected=first,
            fix=f"save it as CSV UTF-8; from UTF-16: iconv -f UTF-16{order} -t UTF-8 OLD.csv > NEW.csv",
        )
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RequestError(
            f"{about} is no CSV file in UTF-8: line {line} has another encoding",
            expected=first,
            fix="save it as CSV UTF-8; from Latin-1: iconv -f WINDOWS-1252 -t UTF-8 OLD.csv > NEW.csv",
        ) from error


def _lines(text: str, top: int, separator: str, columns: Sequence[str], about: str) -> list[Line]:
    """Name the cells behind the first line; a cell too many means that one was torn where it holds a separator."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    parsed: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for cells in reader:
            parsed.append((begins, [cell.strip() for cell in cells]))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise RequestError(
            f"{about} is no CSV file: {error}, in the row that begins in line {begins}",
            expected=f"a first line {','.join(columns)}",
            fix="put cells that hold quotation marks in quotation marks, and double those inside",
        ) from error
    (_, head), *lines = [(number, cells) for number, cells in parsed if number > top and any(cells)]
    head = [cell.lower() for cell in head]
    if twice := [column for column in columns if head.count(column) > 1]:
        raise RequestError(f"{about} has the column {twice[0]} twice", expected="once", fix="rename one of them")
    if torn := [str(number) for number, cells in lines if any(cells[len(head) :])]:
        raise RequestError(
            f"{about} has more cells than columns in line {some(torn, 5)}",
            expected=f"{len(head)} cells",
            fix='put a cell that holds the separator in quotation marks, as in a.png,"Doe, John"',
        )
    places = {column: head.index(column) for column in columns}
    return [
        (number, {column: cells[place] if place < len(cells) else "" for column, place in places.items()})
        for number, cells in lines
    ]
