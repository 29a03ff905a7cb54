"""A picture is found in a part of itself, and not in another one."""

from __future__ import annotations

import pytest

from srexp.data.audit.similarity import similarity, thumbnail
from srexp.data.image import stored
from tests.data.audit.textures import textures


@pytest.mark.parametrize("window", [(0.05, 1, 0, 0.95), (0.03, 0.97, 0.03, 0.97), (0, 1, 0, 1)])
def test_similarity_is_found_from_either_side(window: tuple[float, float, float, float]) -> None:
    image, stranger = textures(2, 300)
    top, bottom, left, right = (round(300 * edge) for edge in window)
    whole, part, other = (
        thumbnail(stored(pixels, 8, lossy=False)) for pixels in (image, image[top:bottom, left:right], stranger)
    )
    assert similarity(whole, part) > 0.95
    assert similarity(part, whole) > 0.95
    assert similarity(whole, part, window) > 0.95
    assert similarity(whole, 255 - part) < 0.5
    assert similarity(other, part) < 0.5
