"""Copies among many images: proposed whatever side was trimmed, and never within a group."""

from __future__ import annotations

import numpy as np

from srexp.data.audit.candidate_pairs import propose
from srexp.data.audit.similarity import decoded, signature
from srexp.data.image import stored
from tests.data.audit.textures import textures


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
