"""What may be shown or stored of a text: no credentials, and nothing that steers a terminal."""

from __future__ import annotations

import logging
import re

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def mask(text: str) -> str:
    """Blank out credentials in the URIs of a text: user and password, and secret query values.

    Args:
        text: Anything that will be shown or stored.

    Returns:
        The same text with `***` for each secret.

    Example:
        >>> mask("tracking.uri=https://ann:pa55@host/x?token=abc&n=1")
        'tracking.uri=https://***@host/x?token=***&n=1'
    """
    text = re.sub(r"(?<=://)[^/?#\s'\"]*@", "***@", text)
    return re.sub(r"(?i)([?&][\w-]*(?:password|secret|signature|token|sig|key)=)[^&\s'\"]+", r"\1***", text)


def shown(text: str) -> str:
    r"""Blank out credentials and control characters; names of files and messages of libraries may hold either.

    Example:
        >>> shown("http://ann:pa55@host: no image in a\x1b[2J.png")
        'http://***@host: no image in a\ufffd[2J.png'
    """
    return _STEERING.sub("\ufffd", mask(text))


class Masked(logging.Formatter):
    """Formatter of every log, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as `logging` does, and show what may be shown of it."""
        return shown(super().format(record))
