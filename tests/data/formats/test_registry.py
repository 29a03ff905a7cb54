"""Whatever a file is called, its reader is found by its content, and asked in a process with bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.data.formats.registry import expect_image, expect_nothing, frames_in, read_image, shape_of
from srexp.data.formats.signatures import kind_of
from srexp.data.image import UnreadableImageError


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "tiff"])
def test_a_misleading_name_does_not_mislead(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "image.dcm"
    Image.fromarray(np.arange(80, dtype=np.uint8).reshape(8, 10)).save(path, format=kind.upper())
    assert kind_of(path) == kind
    assert (list(frames_in(path)), shape_of(path), read_image(path).pixels.shape) == ([0], (8, 10), (8, 10, 1))


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (b"text", "is no PNG"), (b"\x89PNG\r\n\x1a\n", "damaged")]
)
def test_what_is_no_image_is_refused_by_every_function(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(content)
    for ask in (shape_of, read_image):
        with pytest.raises(UnreadableImageError, match=reason):
            ask(path)


def test_an_image_that_is_expected_is_decoded_meanwhile_and_only_as_it_is(tmp_path: Path) -> None:
    path, other = tmp_path / "image.png", tmp_path / "other.png"
    for target, value in ((path, 1), (other, 2)):
        Image.fromarray(np.full((4, 4), value, np.uint8)).save(target)
    expect_image(path)
    assert read_image(path).pixels.max() == 1
    expect_image(path)
    assert read_image(other).pixels.max() == 2
    expect_image(path)
    Image.fromarray(np.full((5, 5), 3, np.uint8)).save(path)
    assert read_image(path).pixels.max() == 3
    expect_image(path, frame=1)
    with pytest.raises(UnreadableImageError, match="has no frame 1"):
        read_image(path, frame=1)
    expect_image(tmp_path / "gone.png")
    with pytest.raises(UnreadableImageError, match="can't be read"):
        read_image(tmp_path / "gone.png")
    expect_image(path)
    expect_nothing()
