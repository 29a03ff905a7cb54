"""What may be shown of a text; whole commands are in `tests/test_secrets.py`."""

from __future__ import annotations

import csv
import io
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp.system.masking.redaction import Masked, as_cell, comma_separated, from_cell, mask, masked, printable, shown


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("postgresql://ann:pa55@host:5432/runs", "postgresql://***@host:5432/runs"),
        ("mysql://ann:p@ss@host/runs", "mysql://***@host/runs"),  # an @ in the password, which nobody encoded
        ("http://a:b@one and http://c:d@e@two", "http://***@one and http://***@two"),
        ("s3://bucket/a?X-Amz-Signature=abc&part=2", "s3://bucket/a?X-Amz-Signature=***&part=2"),
        ("mail ann@host, no address", "mail ann@host, no address"),
    ],
)
def test_credentials_are_blanked_and_nothing_else(text: str, kept: str) -> None:
    assert mask(text) == kept


def test_nothing_steers_a_terminal_and_lines_stay() -> None:
    assert shown("one\n\ttwo\x1b[31m\r") == "one\n\ttwo\ufffd[31m\ufffd"


def test_a_log_shows_no_password_in_a_traceback_either() -> None:
    error = ValueError("http://ann:pa55@host")
    record = logging.LogRecord("a", logging.ERROR, "", 0, "%s failed", ("http://b:c@d",), (ValueError, error, None))
    told = Masked("%(message)s").format(record)
    assert "http://***@d failed" in told
    assert "ValueError: http://***@host" in told


@pytest.mark.parametrize("mark", "\u061c\u200e\u200f\u202a\u202e\u2066\u2069\u2028\u2029\x85\x9b\udc80")
def test_marks_of_direction_and_line_separators_are_not_shown(mark: str) -> None:
    assert shown(f"a{mark}b") == "a\ufffdb"
    assert printable(f"a{mark}\nb").isprintable()


def test_a_name_forges_no_line_of_a_log() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "%s", ("x\n2026-11-28 INFO root: all is well",), None)
    assert Masked("%(levelname)s %(message)s").format(record) == "INFO x\n  2026-11-28 INFO root: all is well"


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1"]
)
def test_no_cell_begins_as_a_formula(text: str) -> None:
    written = comma_separated([{"image": text, text: -1.5, "none": None, "whole": 3}])
    header, row = csv.reader(io.StringIO(written, newline=""))
    assert row[0] == header[1] == as_cell(text)
    assert row[0].startswith("'")
    assert row[1:] == ["-1.5", "", "3"]
    assert from_cell(row[0]) == text


@pytest.mark.parametrize("text", ["a;=1+1;b.png", "a\t@SUM(A1)", "a;'=1", 'a";=1'])
def test_no_cell_begins_as_a_formula_where_others_separate_them(text: str) -> None:
    """Spreadsheets of half of Europe part cells at semicolons, and know no quotes but around a whole one."""
    written = comma_separated([{"first": "x", "image": text}])
    assert not [cell for cell in re.split("[;\t,]", written) if re.match("'*[=@]", cell) and not cell.startswith("'")]
    assert from_cell(str(as_cell(text))) == text


@given(st.one_of(st.text(), st.text(alphabet="'=+-@ 1;\t\r\n", max_size=6)))
def test_every_text_comes_back_from_its_cell(text: str) -> None:
    assert from_cell(str(as_cell(text))) == text


def test_secrets_are_blanked_at_every_depth_and_what_is_no_text_stays() -> None:
    given = {"a": ["http://b:c@d", 3, None], 7: ({"x": "http://b:c@d"},), "http://b:c@d": True}
    assert masked(given) == {"a": ["http://***@d", 3, None], 7: [{"x": "http://***@d"}], "http://b:c@d": True}


def test_a_table_without_rows_has_its_columns() -> None:
    assert comma_separated([], columns=["b", "a"]) == "b,a\r\n"
    assert comma_separated([{"a": 1, "b": 2, "c": 3}], columns=["b", "a"]) == "b,a\r\n2,1\r\n"


def test_whole_numbers_of_a_column_with_gaps_stay_whole() -> None:
    assert comma_separated([{"a": 1, "b": "x"}, {"a": None, "b": "y"}]) == "a,b\r\n1,x\r\n,y\r\n"
