"""Decoded images on disk: used when whole, made again when not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.data.image import Stored, stored
from srexp.data.preparation.decoded_cache import through_disk
from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources.folder import Folder

IMAGE = stored(np.random.default_rng(0).integers(0, 4096, (5, 7)), 12, lossy=True)


def fetched(path: Path, calls: list[int]) -> Stored:
    return through_disk(path, 12, lossy=True, decode=lambda: calls.append(1) or IMAGE)


def test_decoded_once_and_the_same_afterwards(tmp_path: Path) -> None:
    calls: list[int] = []
    for _ in range(3):
        image = fetched(tmp_path / "deep" / "a.npy", calls)
        assert image.digest() == IMAGE.digest()
        assert image.lossy
        assert not image.pixels.flags.writeable
    assert calls == [1]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.npy"]


@pytest.mark.parametrize("keep", [0, 5, 100, 150])
def test_half_a_file_is_made_again(tmp_path: Path, keep: int) -> None:
    calls: list[int] = []
    fetched(tmp_path / "a.npy", calls)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:keep])
    assert fetched(tmp_path / "a.npy", calls).digest() == IMAGE.digest()
    assert fetched(tmp_path / "a.npy", calls).digest() == IMAGE.digest()
    assert calls == [1, 1]


def test_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    calls: list[int] = []
    assert fetched(tmp_path / "file" / "a.npy", calls).digest() == IMAGE.digest()


def test_prepared_images_come_from_disk_when_memory_is_short(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")

    def images() -> tuple[Prepared, list[str]]:
        data = prepare(
            Folder("f", str(root), memory_mb=0),
            Preparation(
                seed=0,
                channel="y",
                scale=2,
                patch_size=8,
                decoded_dir=tmp_path / "decoded",
            ),
        )
        return data, [data.read(entry).digest() for split in data.entries.values() for entry in split]

    data, first = images()
    assert len(list((tmp_path / "decoded").iterdir())) == 3
    for path in root.iterdir():
        path.unlink()
    again = [data.read(entry).digest() for split in data.entries.values() for entry in split]
    assert first == again
