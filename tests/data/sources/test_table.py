"""Tables as the programs of several countries and systems save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.data.sources.table import read_table
from srexp.errors import RequestError

TEXT = "file,patient\nR\u00f6ntgen.png,P1\nb.png,P2\n"
LINES = [(2, {"file": "R\u00f6ntgen.png", "patient": "P1"}), (3, {"file": "b.png", "patient": "P2"})]


def lines(folder: Path, content: bytes | str) -> list[tuple[int, dict[str, str]]]:
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, ("file", "patient"), "dataset.patients")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ", ", " ; "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_separators_ends_of_lines_and_encodings(tmp_path: Path, separator: str, end: str, encoding: str) -> None:
    text = TEXT.replace(",", separator).replace("\n", end)
    for told in (text, text.rstrip(), text.replace("file", "File")):
        assert lines(tmp_path, told.encode(encoding)) == LINES


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_both_orders_of_bytes(tmp_path: Path, mark: bytes) -> None:
    assert lines(tmp_path, mark + TEXT.encode("utf-16-le" if mark[0] == 0xFF else "utf-16-be")) == LINES


@pytest.mark.parametrize(
    ("text", "patient"),
    [
        ('file,patient\na.png,"Doe, John"\n', "Doe, John"),
        ("file;patient\na.png;Doe, John\n", "Doe, John"),
        ('file;patient\na.png;"Doe; John"\n', "Doe; John"),
        ('file, patient\na.png, "Doe, John"\n', "Doe, John"),
        ("sep=;\nfile;patient\na.png;P\n", "P"),
        ("\n\nfile,patient\n\n,\na.png,P,,\n", "P"),
        ("view,patient,file,\nPA,P,a.png,\n", "P"),
        ("file,patient\na.png\n", ""),
        ("\f\nfile,patient\na.png,P\n", "P"),
    ],
)
def test_what_spreadsheets_add_and_quote(tmp_path: Path, text: str, patient: str) -> None:
    assert [cells for _, cells in lines(tmp_path, text)] == [{"file": "a.png", "patient": patient}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TEXT.encode("latin-1"), r"no CSV file in UTF-8: line 2 [\s\S]*fix: .*iconv -f WINDOWS-1252"),
        (TEXT.encode("utf-16-le"), r"zero bytes[\s\S]*fix: .*iconv -f UTF-16LE"),
        (TEXT.encode("utf-16-be"), r"zero bytes[\s\S]*fix: .*iconv -f UTF-16BE"),
        (b"PK\3\4 a workbook\0", "zero bytes"),
        ("file,patient\na.png,Doe, John\nb.png,P\n", r"more cells than columns in line 2[\s\S]*quotation marks"),
        ("file,patient,patient\na.png,P,Q\n", "has the column patient twice"),
        ('file,patient\na.png,"P\n', r"is no CSV file: unexpected end of data[\s\S]*fix:"),
        ('file,patient\na.png,"P"Q\n', r"is no CSV file: .*expected after[\s\S]*fix:"),
        ("file patient\na.png P\n", "lacks columns"),
        ("file,patient\n\n", "no rows"),
        ("", "no rows"),
    ],
)
def test_what_is_no_table_is_refused_with_a_mend(tmp_path: Path, content: bytes | str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        lines(tmp_path, content)


def test_a_table_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"dataset.patients: .* can't be read: Is a directory"):
        read_table(tmp_path, ("file",), "dataset.patients")
