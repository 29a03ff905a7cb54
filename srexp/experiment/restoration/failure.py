"""Why a file could not be restored, in one line that a person reads."""

from __future__ import annotations

import errno
import os
import struct

from srexp.data.image import UnreadableImageError
from srexp.errors import SrexpError
from srexp.lazy_imports import tf

#: What exceptions of libraries mean; the first one that fits counts.
_MEANINGS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (UnicodeError, "a text in it can't be written in the encoding of the new file"),
    ((ArithmeticError, struct.error), "a number in it has no room in the new file"),
    (RecursionError, "its parts are nested too deeply"),
    (NotImplementedError, "a part of it is of a kind that can't be written"),
)
_OTHERWISE = "something in it is not as srexp expects"
_LONGEST = 200


def told(error: Exception, *, private: bool = False) -> str:
    """Say why a file failed, without the name of a Python class.

    Args:
        error: Whatever a reader, the model, a writer or a figure raised.
        private: Whether a library's own words must not be repeated, since they may hold text of the file: that of
            DICOM names a person.

    Returns:
        The cause, and the mend where one is known.

    Example:
        >>> told(OverflowError("int too large to convert"))
        'a number in it has no room in the new file (int too large to convert)'
        >>> told(FileNotFoundError(2, "No such file or directory"))
        'No such file or directory'
    """
    if isinstance(error, UnreadableImageError):
        return error.told().replace("dataset.", "")
    if isinstance(error, SrexpError):
        return f"{error.what}{f' (fix: {error.fix})' * bool(error.fix)}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) + " (fix: give it a shorter one)" * (error.errno == errno.ENAMETOOLONG)
    if model := _of_the_model(error):
        return model
    meaning = next((meaning for kinds, meaning in _MEANINGS if isinstance(error, kinds)), _OTHERWISE)
    words = "" if private else " ".join(str(error).split())
    return f"{meaning} ({words[:_LONGEST]})" if words else meaning


def _of_the_model(error: Exception) -> str:
    from srexp.training.memory import is_exhaustion

    if is_exhaustion(error):
        return "memory ran out (fix: a smaller memory_mb)"
    return "the model could not be run (fix: a smaller memory_mb may help)" * isinstance(error, tf.errors.OpError)
