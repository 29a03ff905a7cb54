"""What may be shown of a text; whole commands are in `tests/test_secrets.py`."""

from __future__ import annotations

import logging

import pytest

from srexp.system.redaction import Masked, mask, shown


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
