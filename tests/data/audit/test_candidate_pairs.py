"""Copies among many images: proposed whatever side was trimmed, and never within a group."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from srexp.data.audit.candidate_pairs import propose
from srexp.data.audit.similarity import decoded, signature, similarity, thumbnail
from srexp.data.image import stored


def textures(count: int, side: int = 60) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((count, side, side))
    smooth = gaussian_filter(noise, (0, 4, 4))
    return np.uint8(np.clip(128 + 600 * smooth, 0, 255))


def signatures(images: np.ndarray) -> np.ndarray:
    return decoded([signature(stored(image, 8, lossy=False)) for image in images])


def test_copies_are_proposed_among_many() -> None:
    images = textures(2000)
    copies = [images[:50, 3:], images[50:100, :, :-3], images[100:150, 2:-2, 2:-2], images[150:200, ::2, ::2]]
    held = np.concatenate([signatures(images), *map(signatures, copies)])
    groups = np.array([0] * 2000 + [1] * 200)
    proposed = {(min(pair.first, pair.second), max(pair.first, pair.second)) for pair in propose(held, groups)}
    assert {(number, 2000 + number) for number in range(200)} <= proposed
    assert len(proposed) < 250


def test_nothing_is_proposed_within_a_group_or_without_images() -> None:
    same = signatures(np.repeat(textures(1), 6, axis=0))
    assert propose(same, np.zeros(6, int)) == []
    assert propose(same[:0], np.zeros(0, int)) == []
    assert len(propose(same, np.array([0, 0, 0, 1, 1, 2]))) > 0


def test_an_image_without_detail_is_never_proposed() -> None:
    flat = signatures(np.full((4, 40, 40), 7, np.uint8))
    assert propose(flat, np.array([0, 1, 0, 1])) == []


@pytest.mark.parametrize("window", [(0.05, 1, 0, 0.95), (0.03, 0.97, 0.03, 0.97), (0, 1, 0, 1)])
def test_likeness_is_found_from_either_side(window: tuple[float, float, float, float]) -> None:
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
