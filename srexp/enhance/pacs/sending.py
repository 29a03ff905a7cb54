"""Why another machine didn't take an image, and which of these reasons pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from srexp.errors import SrexpError

#: Statuses of C-STORE (PS3.4 B.2.3) and reasons of STOW-RS (PS3.18 I.2.2) that say: later.
OUT_OF_RESOURCES = range(0xA700, 0xA800)
#: Its answer to an image that it took with a remark.
WARNINGS = (1, 0x0107, 0x0116, *range(0xB000, 0xC000))


class AwayError(SrexpError):
    """A machine that takes nothing now; it may take the same later."""


class BrokenOffError(AwayError):
    """A machine that failed over an object, which may be why; others may go before it is tried again."""


class RefusedError(SrexpError):
    """A machine that won't take this object, however often it is asked."""


#: Sends a DICOM file, and returns when the other machine has taken it.
Send: TypeAlias = Callable[[Path], None]


def require_taken(status: int, where: object) -> None:
    """Make an error of an answer that isn't a success.

    Args:
        status: Of C-STORE, or the reason that STOW-RS gives; 0 for success.
        where: The machine, for messages.

    Raises:
        AwayError: It may take the object later.
        RefusedError: It won't.

    Example:
        >>> require_taken(0x0000, "dicom://host:104/PACS"), require_taken(0xB000, "dicom://host:104/PACS")
        (None, None)
    """
    if status in OUT_OF_RESOURCES:
        raise AwayError(f"{where} has no room now (status {status:04X})")
    if status and status not in WARNINGS:
        raise RefusedError(f"{where} does not take the object (status {status:04X})")
