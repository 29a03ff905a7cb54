"""JSON notes that srexp keeps on disk, read again: whole, or one message names the file and the mend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srexp.errors import SrexpError


class DamagedError(SrexpError):
    """A note is there, but not as srexp wrote it."""


def read_note(path: Path, *, keys: Sequence[str] = (), fix: str) -> dict[str, Any] | None:
    """Read names and values from a file.

    Args:
        path: Of the file.
        keys: Names that it must have.
        fix: What brings it back, or does without it.

    Returns:
        Its content; None where there is no such file.

    Raises:
        DamagedError: It is there and can't be read, or something else stands in it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "note.json").write_text('{"run_id": "r"}')
        ...     read_note(Path(folder, "note.json"), fix=""), read_note(Path(folder, "other.json"), fix="")
        ({'run_id': 'r'}, None)
    """
    cause: Exception | None = None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        why, cause = error.strerror or "no reason is given", error
    except (ValueError, RecursionError) as error:
        why, cause = f"it is no JSON, {error}", error
    else:
        if isinstance(content, dict) and content.keys() >= {*keys}:
            return content
        missing = [key for key in keys if key not in content] if isinstance(content, dict) else []
        why = f"it has no {missing[0]}" if missing else "it has no names and values"
    raise DamagedError(f"{path} can't be read: {why}", expected="the file as srexp wrote it", fix=fix) from cause
