"""Copies of an image in different splits: found whatever was done to them, and strangers are not accused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.data.audit import near_duplicates
from srexp.data.audit.audit import audit, facts
from srexp.data.audit.candidate_pairs import Candidate
from srexp.data.image import Stored, UnreadableImageError
from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources.source import SPLITS, Entry, Item
from tests.data.audit.images import Folder, Given, by_kind, picture

Change = Callable[[Image.Image], Image.Image]


def trimmed(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = image.size
    return image.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


def gamma(image: Image.Image, exponent: float) -> Image.Image:
    return image.point([round(255 * (value / 255) ** exponent) for value in range(256)])


def half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


CHANGES: dict[str, Change] = {
    "half the size": half,
    "trimmed by 5 % on all sides together": lambda image: trimmed(image, 0.025, 0.025, 0.975, 0.975),
    "trimmed by 5 % at a corner": lambda image: trimmed(image, 0.05, 0, 1, 0.95),
    "gamma 1.1": lambda image: gamma(image, 1.1),
    "brighter": lambda image: image.point([min(255, value + 20) for value in range(256)]),
    "trimmed, then half the size and darker": lambda image: gamma(half(trimmed(image, 0, 0.05, 0.95, 1)), 1.1),
}
#: Tried in the fast lane, too: a change of size, and all changes at once.
FAST = ("half the size", "trimmed, then half the size and darker")


@pytest.mark.parametrize(
    ("change", "splits"),
    [
        pytest.param(change, splits, id=name, marks=[] if name in FAST else pytest.mark.slow)
        for (name, change), splits in zip(CHANGES.items(), [("train", "test"), ("test", "validation")] * 3, strict=True)
    ],
)
def test_changed_copies_are_found_across_splits(change: Change, splits: tuple[str, str], tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for number, split in enumerate(["train"] * 2 + ["validation"] * 2 + ["test"] * 6):
        folder.add(split, picture(number))
    pair = {folder.add(splits[0], picture(50)), folder.add(splits[1], change(picture(50)))}
    found = by_kind(audit(folder.prepared()))
    assert set(found) == {"near-duplicates"}
    assert set(found["near-duplicates"].images) == pair
    assert found["near-duplicates"].message.startswith("1 pair of images in different splits")


def test_a_copy_saved_as_jpeg_is_found_and_lossy(folder: Folder) -> None:
    picture(0).save(folder.root / "copy.jpg", quality=80)
    folder.items.append(Item("copy.jpg", folder.root / "copy.jpg", 0, "another", "test"))
    found = by_kind(audit(folder.prepared()))
    assert set(found) == {"near-duplicates", "lossy"}
    assert found["lossy"].images == ("copy.jpg",)
    assert found["lossy"].message.startswith("1 of 13 targets")


def test_what_is_left_uncompared_is_said(folder: Folder) -> None:
    for number in range(3):
        folder.add("test", half(picture(number)))
    found = by_kind(audit(folder.prepared(), most=2))
    assert found["near-duplicates"].message.startswith("at least 2 pairs")
    assert found["near-duplicates"].message.endswith("1 further similar pairs were not compared")


@pytest.mark.parametrize(
    ("alike", "same"),
    [  # strangers reach 0.67, copies 0.96
        *((0.84, False), (0.85, True)),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in ((0.61, False), (0.67, False), (0.96, True))),
    ],
)
def test_from_which_similarity_two_images_are_the_same(folder: Folder, monkeypatch, alike: float, same: bool) -> None:
    folder.add("test", half(picture(0)))
    monkeypatch.setattr(near_duplicates, "similarity", lambda *_: alike)
    pairs, _ = near_duplicates.near(folder.prepared(), most=9)
    assert bool(pairs) is same


def test_near_duplicates_are_found_once_per_content(folder: Folder, tmp_path: Path, monkeypatch) -> None:
    folder.add("test", half(picture(0)))
    cache = tmp_path / "cache"
    first = audit(folder.prepared(), cache_dir=cache)
    assert [finding.kind for finding in first] == ["near-duplicates"]
    monkeypatch.setattr(Prepared, "read", lambda *_: pytest.fail("compared again"))
    assert audit(folder.prepared(), cache_dir=cache) == first
    for kept in cache.glob("twins-*"):
        kept.write_text("{")
    with pytest.raises(pytest.fail.Exception):
        audit(folder.prepared(), cache_dir=cache)


def test_proposed_pairs_are_compared_in_their_windows_and_one_that_is_gone_ends_nothing(folder: Folder, monkeypatch):
    proposed = [Candidate(first, first + 6, (0.0, 0.9, 0.01 * first, 1.0), 0.9) for first in range(5)]
    seen = []

    def similarity(first: object, second: object, window: object) -> float:
        seen.append(window)
        return 0.9 + 0.0111111 * len(seen)

    def read(prepared: Prepared, entry: Entry) -> Stored:
        if entry.key == "000.png":
            raise UnreadableImageError("it has gone")
        return known(prepared, entry)

    known = Prepared.read
    monkeypatch.setattr(Prepared, "read", read)
    monkeypatch.setattr(near_duplicates, "propose", lambda *_: proposed)
    monkeypatch.setattr(near_duplicates, "similarity", similarity)
    pairs, left = near_duplicates.near(folder.prepared(), most=3)
    assert seen == [(0.0, 0.9, 0.01, 1.0), (0.0, 0.9, 0.02, 1.0)]
    assert left == 2
    assert [(pair.first.key, pair.second.key, pair.similarity) for pair in pairs] == [
        ("002.png", "008.png", 0.9222),
        ("001.png", "007.png", 0.9111),
    ]


KNOWN = '{"about": [1, "FINGERPRINT"], "pairs": [[["A", "train"], ["B", "test"], 0.875]], "left": 3}'


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (KNOWN, True),  # as it is written since the first version
        (KNOWN.replace("[1, ", "[2, "), False),
        (KNOWN.replace("FINGERPRINT", "FINGERPRINT of another set"), False),
        *((damaged, False) for damaged in ("", "[]", "{}", "7")),
        (KNOWN.replace('"left"', '"right"'), False),
        (KNOWN.replace("0.875", "[]"), False),
        (KNOWN.replace(", 0.875", ""), False),
    ],
)
def test_what_was_found_earlier_is_read_where_it_is_whole_and_of_this_content(
    folder, tmp_path, monkeypatch, content, read
):
    prepared = folder.prepared()
    first, second = prepared.entries["train"][0], prepared.entries["test"][0]
    for word, meant in (
        ("FINGERPRINT", prepared.fingerprint),
        ('"A"', f'"{first.sha256}"'),
        ('"B"', f'"{second.sha256}"'),
    ):
        content = content.replace(word, meant)
    (tmp_path / f"twins-{prepared.fingerprint[:16]}-7.json").write_text(content)
    monkeypatch.setattr(near_duplicates, "propose", lambda *_: [])
    pairs, left = near_duplicates.near(prepared, most=7, cache_dir=tmp_path)
    assert ([(pair.first, pair.second, pair.similarity) for pair in pairs], left) == (
        ([(first, second, 0.875)], 3) if read else ([], 0)
    )


def test_what_is_left_is_kept_too_and_a_folder_that_can_not_be_written_is_no_matter(folder, tmp_path, monkeypatch):
    prepared, searched = folder.prepared(), []

    def propose(*_: object) -> list[Candidate]:
        searched.append(1)
        return [Candidate(0, 6, (0.0, 1.0, 0.0, 1.0), 0.9)] * 2

    monkeypatch.setattr(near_duplicates, "propose", propose)
    (tmp_path / "file").touch()
    for cache, searches in (("file", 2), ("new", 1)):
        searched.clear()
        for _ in range(2):
            assert near_duplicates.near(prepared, most=0, cache_dir=tmp_path / cache) == ([], 2)
        assert len(searched) == searches
    assert near_duplicates.near(prepared, most=3)[1] == 0


def test_images_without_detail_are_alike_without_being_copies(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    ramp = np.linspace(10, 240, 96)
    for number, split in enumerate(["train", "validation"] + ["test"] * 6):
        smooth = np.uint8(np.rint(np.clip(ramp + 2 * number * np.sin(ramp / 100)[:, np.newaxis], 0, 255)))
        folder.add(split, Image.fromarray(smooth))
    assert audit(folder.prepared()) == []


def test_the_same_noise_is_no_sign_of_the_same_picture(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for number, split in enumerate(["train"] * 20 + ["validation"] * 10 + ["test"] * 10):
        noise = np.random.default_rng(number).integers(100, 120, (64, 64), np.uint8)
        folder.add(split, Image.fromarray(noise))
    assert [finding.kind for finding in audit(folder.prepared())] == ["range"]


RADIOGRAPH_CHANGES: Mapping[str, Change] = {
    "half.png": half,
    "quality80.jpg": lambda image: image,
    "middle.png": CHANGES["trimmed by 5 % on all sides together"],
    "corner.png": CHANGES["trimmed by 5 % at a corner"],
    "gamma.png": CHANGES["gamma 1.1"],
    "brighter.png": CHANGES["brighter"],
    "all.jpg": CHANGES["trimmed, then half the size and darker"],
}


@pytest.mark.realdata
@pytest.mark.slow
def test_copies_among_radiographs_are_found_and_no_stranger_is_accused(real_data: Path, tmp_path: Path) -> None:
    originals = sorted((real_data / "cxr" / "nih").glob("*.png"))
    items = [Item(path.name, path, 0, path.name[:8], SPLITS[n % 3]) for n, path in enumerate(originals)]
    assert len({item.patient for item in items}) == 150
    sound = tuple(items)
    planted = set()
    for number, (name, change) in enumerate(RADIOGRAPH_CHANGES.items()):
        for item in sound[number :: len(RADIOGRAPH_CHANGES)][:8]:
            copy = tmp_path / f"{item.patient}-{name}"
            with Image.open(item.path) as image:
                change(image.convert("L")).save(copy, quality=80, compress_level=1)
            other = SPLITS[(SPLITS.index(item.split) + 1) % 3]
            items.append(Item(copy.name, copy, 0, copy.name, other))
            planted.add(frozenset((item.key, copy.name)))
    prepared = prepare(
        Given(items), Preparation(seed=1, channel="grey", scale=2, patch_size=48, facts=facts, names=True)
    )
    found = by_kind(audit(prepared))
    images = found["near-duplicates"].images
    assert {frozenset(pair) for pair in zip(images[::2], images[1::2], strict=True)} == planted
    assert len(planted) >= 50
