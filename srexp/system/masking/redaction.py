"""What may be shown or stored of a text: no credentials, and nothing that steers a terminal or a spreadsheet."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srexp.system.masking.credentials import BEGIN, NAME, known

#: Control characters, marks and overrides of writing direction, and halves of characters of names that are no UTF-8.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNPRINTED = re.compile(rf"{_STEERING.pattern}|[\n\t]")
#: Users and secrets of addresses that stand in a text, and end where it goes on.
_USER = re.compile(rf"(?i)({BEGIN})(?!\*\*\*\d*@)(?:[^:/?#\s'\"]*:[^\s'\"]*|[^/?#\s'\"]*(?:@[^\s'\"]*)?)@")
_QUERY = re.compile(rf"(?i)([?&;#]{NAME}=)(?!\*\*\*)[^&;#\s'\"]+")
#: Where a cell begins, also in a country whose spreadsheets part cells at semicolons, whatever quotes there are.
_BEGIN = r"(?:\A|(?<=[;\t]))"
#: What spreadsheets take for a formula, https://owasp.org/www-community/attacks/CSV_Injection, behind quotes or not.
_FORMULA = r"(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
_UNGUARDED, _GUARDED = re.compile(_BEGIN + _FORMULA), re.compile(f"{_BEGIN}'{_FORMULA}")


def mask(text: str) -> str:
    """Blank out the secrets that this process was told, and those in other addresses: user, password, query values.

    Args:
        text: Anything that will be shown or stored.

    Returns:
        The same text with `***` for each secret.

    Example:
        >>> mask("tracking.uri=https://ann:pa55@host/x?token=abc&n=1")
        'tracking.uri=https://***@host/x?token=***&n=1'
    """
    return str(_masked(text, known()))


def masked(value: Any) -> Any:
    """Blank out the secrets in each text of lists and mappings, before JSON or anything else escapes its characters."""
    return _masked(value, known())


def _masked(value: Any, secrets: re.Pattern[str] | None) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(each, secrets) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each, secrets) for each in value]
    if not isinstance(value, str):
        return value
    text = secrets.sub("***", value) if secrets else value
    return _QUERY.sub(r"\1***", _USER.sub(r"\1***@", text))


def shown(text: str) -> str:
    r"""Blank out credentials and control characters; names of files and messages of libraries may hold either.

    Example:
        >>> shown("http://ann:pa55@host: no image in a\x1b[2J.png")
        'http://***@host: no image in a\ufffd[2J.png'
    """
    return _STEERING.sub("\ufffd", mask(text))


def told(text: str) -> str:
    r"""Show a message of several lines, those after the first indented, so that no name in it forges one.

    Example:
        >>> print(told("no image in a\nsrexp: done.png\n  fix: mend it"))
        no image in a
          srexp: done.png
          fix: mend it
    """
    return re.sub(r"\n(?!  )", "\n  ", shown(text))


def as_cell(value: object) -> object:
    """Let no spreadsheet take a text, or a part of it, for a formula: what begins as formulas do gets a `'` before it.

    Args:
        value: Of a table; what is no text, or a number as text, stays as it is.

    Example:
        >>> as_cell("=cmd|' /C calc'!A0"), as_cell("-0.5"), as_cell(-1), from_cell(str(as_cell("'=x")))
        ("'=cmd|' /C calc'!A0", '-0.5', -1, "'=x")
    """
    return _UNGUARDED.sub("'", value) if isinstance(value, str) and not _is_number(value) else value


def from_cell(text: str) -> str:
    """Give back a text that `as_cell` wrote."""
    return _GUARDED.sub("", text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip() == text


def comma_separated(rows: Iterable[Mapping[str, object]], *, columns: Sequence[str] | None = None) -> str:
    """Write a table as CSV, its texts as `as_cell` has them.

    Args:
        rows: Values by column; the first row names the columns, and None is an empty cell.
        columns: Their names where there may be no row.

    Returns:
        The table; numbers have all their digits.
    """
    from pandas import DataFrame

    safe = [{as_cell(key): as_cell(value) for key, value in row.items()} for row in rows]
    # As objects: in a column with gaps, whole numbers would get a point.
    # By these ends of lines both characters are quoted within cells.
    return str(DataFrame(safe, columns=columns, dtype=object).to_csv(index=False, lineterminator="\r\n"))


def printable(name: str) -> str:
    r"""Show a name that somebody else gave, as of a file, on one line: what isn't printed is escaped as Python does.

    Example:
        >>> printable("a\nsrexp: done.png"), printable("Röntgen 1.png")
        ('a\\nsrexp: done.png', 'Röntgen 1.png')
    """
    return _UNPRINTED.sub(lambda found: found[0].encode("unicode_escape").decode(), name)


class Masked(logging.Formatter):
    """Formatter of every log, tracebacks included; lines after the first are indented, so that none is forged."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as `logging` does, and show what may be shown of it."""
        return told(super().format(record))
