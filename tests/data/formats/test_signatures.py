"""The kind of a file is told by its content, whatever its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.data.formats.signatures import is_dicom, kind_of
from srexp.data.image import UnreadableImageError


def test_dicom_is_told_by_its_letters(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"II*\0" + bytes(124) + b"DICM")
    assert is_dicom(path)
    assert kind_of(path) == "dicom"
    assert not is_dicom(tmp_path / "gone")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"GIF89a", "is a GIF"),
        (b"RIFF1234WEBPVP8 ", "is WebP"),
        (b"\x1c\x02\0\0n+2\0\r\n\x1a\n", "is NIfTI-2"),
        (bytes(344) + b"ni1\0", "is the header of a NIfTI pair"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "is JPEG 2000"),
        (b"\0\0\0\x1cftypheic", "is HEIF, AVIF or a film"),
        (b"NRRD0004", "is NRRD"),
    ],
)
def test_what_is_not_read_is_named_with_the_mend(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=rf"{name}, which srexp doesn't read[\s\S]*save "):
        kind_of(path)
