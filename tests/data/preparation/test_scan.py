"""Every image is decoded once, and what was found is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.data.formats.registry import read_image
from srexp.data.image import Stored, UnreadableImageError
from srexp.data.preparation import scan
from tests.data.preparation.images import picture, prepared, split_of


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    decoded: list[Path] = []

    def counted(path: Path, *rest: object) -> Stored:
        decoded.append(path)
        return read_image(path, *rest)

    monkeypatch.setattr(scan, "read_image", counted)
    return decoded


def test_what_was_decoded_once_is_not_decoded_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = count_decodes(monkeypatch)
    first = prepared(root, cache_dir=tmp_path / "cache")
    assert len(decoded) == 10
    second = prepared(root, cache_dir=tmp_path / "cache", seed=0)
    assert len(decoded) == 10
    assert first.entries == second.entries
    picture(root / "p0_0.png", 99)
    assert prepared(root, cache_dir=tmp_path / "cache").fingerprint != first.fingerprint
    assert len(decoded) == 11


def test_links_to_one_file_are_decoded_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = count_decodes(monkeypatch)
    for number in range(20):
        (root / f"p{number % 5}_s{number}.png").symlink_to(root / "p0_0.png")
        (root / f"p{number % 5}_h{number}.png").hardlink_to(root / "p1_2.png")
    assert len(split_of(prepared(root))) == 50
    assert len(decoded) == 10


def test_memory_spares_decoding_after_the_scan(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepared(root)
    for path in root.iterdir():
        path.unlink()
    assert all(data.read(entry).pixels.any() for entry in data.entries["train"])
    without = {"memory_mb": 0}
    picture(root / "p0.png", 0), picture(root / "p1.png", 1), picture(root / "p2.png", 2)
    data = prepared(root, without)
    (root / "p0.png").unlink()
    gone = next(entry for entries in data.entries.values() for entry in entries if entry.key == "p0.png")
    with pytest.raises(UnreadableImageError, match="No such file"):
        data.read(gone)


def test_interrupted_scan_keeps_what_it_found(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(root, cache_dir=tmp_path / "cache", progress=interrupt)
    decoded = count_decodes(monkeypatch)
    prepared(root, cache_dir=tmp_path / "cache")
    assert decoded == []


def brightness(image: Stored) -> dict[str, float]:
    return {"mean": float(image.pixels.mean())}


def darkness(image: Stored) -> dict[str, float]:
    return {"mean": 255 - float(image.pixels.mean())}


def test_facts_are_found_once_and_kept(root: Path, tmp_path: Path) -> None:
    for _ in range(2):
        data = prepared(root, cache_dir=tmp_path / "cache", facts=brightness)
        for entry in data.entries["train"]:
            assert entry.facts == {"mean": read_image(entry.item.path).pixels.mean()}
    other = prepared(root, cache_dir=tmp_path / "cache", facts=darkness)
    assert other.entries["train"][0].facts == {
        "mean": 255 - read_image(other.entries["train"][0].item.path).pixels.mean()
    }
    assert prepared(root, cache_dir=tmp_path / "cache").entries["train"][0].facts == {}


def test_progress_ends_at_the_total(root: Path) -> None:
    calls: list[tuple[int, int]] = []
    prepared(root, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (10, 10)
    assert calls == sorted(calls)
