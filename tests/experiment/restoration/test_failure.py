"""Why a file failed is said in words."""

from __future__ import annotations

import builtins
import errno
import struct
import zlib

import pytest
import tensorflow as tf
import tifffile
from nibabel.spatialimages import HeaderDataError

from srexp.data.image import UnreadableImageError
from srexp.errors import SrexpError
from srexp.experiment.restoration.failure import told

BUILT_IN = [
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError | ExceptionGroup)
]
LIBRARIES = [struct.error, zlib.error, tifffile.TiffFileError, HeaderDataError]


@pytest.mark.parametrize("words", ["", "broken part 7"])
@pytest.mark.parametrize("kind", [*BUILT_IN, *LIBRARIES], ids=lambda kind: kind.__name__)
def test_no_class_is_named_and_something_is_always_said(kind: type[Exception], words: str) -> None:
    error = kind(words) if words else kind()
    said = told(error)
    assert said.strip()
    assert kind.__name__ not in said
    assert "\n" not in said
    assert ("broken part 7" in said) == (bool(words) and kind is not MemoryError)
    assert "broken" not in told(error, private=True)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UnreadableImageError("is damaged", fix="dataset.x=1"), "is damaged (fix: x=1)"),
        (SrexpError("no", fix="yes"), "no (fix: yes)"),
        (OSError(errno.ENOSPC, "what the system says"), "No space left on device"),
        (OSError(errno.ENAMETOOLONG, "x"), "File name too long (fix: give it a shorter one)"),
        (OSError("encoder error -2"), "something in it is not as srexp expects (encoder error -2)"),
        (MemoryError(), "memory ran out (fix: a smaller memory_mb)"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM"), "memory ran out (fix: a smaller memory_mb)"),
        (tf.errors.InternalError(None, None, "x"), "the model could not be run (fix: a smaller memory_mb may help)"),
        (
            UnicodeEncodeError("latin-1", "\u0142", 0, 1, "no"),
            "a text in it can't be written in the encoding of the new file",
        ),
        (
            ValueError("two\nlines " + "x" * 900),
            "something in it is not as srexp expects (two lines " + "x" * 190 + ")",
        ),
    ],
)
def test_what_is_known_is_said(error: Exception, words: str) -> None:
    assert told(error).startswith(words)
