"""Copies among many images: proposed whatever side was trimmed, and never within a group."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from srexp.data.audit import candidate_pairs
from srexp.data.audit.candidate_pairs import propose
from srexp.data.audit.similarity import cells, decoded, signature
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


@pytest.mark.parametrize("window", [(0, 1, 0, 1), (0.04, 1, 0, 0.96), (0, 0.96, 0.04, 0.96)])
@pytest.mark.parametrize("chunk", [2, 8192])
def test_a_part_is_described_by_its_details(window: tuple, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`_PROPOSED_FROM` was measured with these sizes: whoever changes one has to measure again."""
    monkeypatch.setattr(candidate_pairs, "_CHUNK", chunk)
    held = signatures(textures(5))
    rows, columns = cells(24, 16, *window[:2]), cells(24, 16, *window[2:])
    found = candidate_pairs._described(held, window)
    assert found.dtype == np.float32  # of 100,000 images, the other half of a gigabyte
    for image, described in zip(held, found, strict=True):
        part = rows @ (image / 255) @ columns.T
        detail = part - gaussian_filter(part, 1, mode="nearest")
        detail -= detail.mean()
        np.testing.assert_allclose(described.reshape(16, 16), detail / np.linalg.norm(detail), atol=2e-5)


def test_what_has_less_detail_than_noise_is_described_by_nothing() -> None:
    given = np.array([[0.16, 0], [0.0, 0.17], [0, 0], [3, 4]], np.float32)
    np.testing.assert_allclose(candidate_pairs._unit(given), [[0, 0], [0, 1], [0, 0], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(("learnt_from", "used"), [(4, slice(None, None, 2)), (9, slice(None)), (4096, slice(None))])
def test_axes_are_those_along_which_descriptors_differ_most(learnt_from: int, used: slice, monkeypatch) -> None:
    monkeypatch.setattr(candidate_pairs, "_LEARNT_FROM", learnt_from)
    vectors = np.random.default_rng(0).standard_normal((9, 12)) + 5
    some = vectors[used] - vectors[used].mean(axis=0)
    axes = candidate_pairs._principal_axes(vectors)
    np.testing.assert_allclose(axes.T @ axes, np.eye(8), atol=1e-9)
    values = np.sort(np.linalg.eigvalsh(some.T @ some))[::-1][:8]
    np.testing.assert_allclose(((some @ axes) ** 2).sum(axis=0), values, atol=1e-6)


def test_the_nearest_eight_that_are_alike_enough_are_found() -> None:
    """Against all pairs: unit vectors at known angles, the third group asked by its numbers."""
    angles = np.array([0.0, 0.1, 0.3, 0.5, 0.53, 0.54, 0.6, -0.2, 1.0, 0.05, 0.15, 0.25])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    few, many = np.array([0, 8]), np.array([1, 2, 3, 4, 5, 6, 7, 9, 10, 11])
    found = list(candidate_pairs._nearest(vectors, few, vectors, many, np.eye(2)))
    expected = set()
    for asked in few:
        alike = sorted(((float(vectors[asked] @ vectors[held]), int(held)) for held in many), reverse=True)
        expected |= {(int(asked), held, correlation) for correlation, held in alike[:8] if correlation >= 0.86}
    assert {(a, b) for a, b, _ in found} == {(a, b) for a, b, _ in expected}
    assert sorted(alike for *_, alike in found) == pytest.approx(sorted(alike for *_, alike in expected))
    crowded = list(candidate_pairs._nearest(vectors[:1], np.array([0]), vectors[[0] * 9], np.arange(9), np.eye(2)))
    assert len(crowded) == 8


def test_each_pair_comes_once_in_the_window_where_it_is_most_alike() -> None:
    images = textures(3)
    parts = [images[0], images[0][3:], images[1][:-3, 3:], images[0]]
    held = np.concatenate([signatures(images), *(signatures(part[np.newaxis]) for part in parts)])
    groups = np.array([0, 0, 0, 1, 2, 2, 2])
    proposed = propose(held, groups)
    windows = {frozenset((pair.first, pair.second)): pair for pair in proposed}
    assert len(windows) == len(proposed)
    assert windows[frozenset((0, 3))].window == (0.0, 1.0, 0.0, 1.0)
    for ends, window in (((0, 4), (0.04, 1.0, 0.0, 1.0)), ((1, 5), (0.0, 0.96, 0.04, 1.0))):
        pair = windows[frozenset(ends)]
        assert pair.window == window
        assert (pair.first, pair.second) == ends  # the first is the one that is trimmed
        assert pair.correlation > 0.97
    order = [(-pair.correlation, pair.first, pair.second) for pair in proposed]
    assert order == sorted(order)
