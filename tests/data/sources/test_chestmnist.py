from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest

from srexp.data.formats import npy
from srexp.data.preparation.prepare import prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources import chestmnist
from srexp.data.sources.chestmnist import ARCHIVES, ChestMnist
from srexp.errors import RequestError

SIZES = {"train": 14, "val": 3, "test": 5}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {part: rng.integers(0, 256, (count, 28, 28), dtype=np.uint8) for part, count in SIZES.items()}


@pytest.fixture
def source(server, tmp_path, monkeypatch, arrays) -> ChestMnist:
    stream = io.BytesIO()
    images = {f"{part}_images": array for part, array in arrays.items()}
    labels = {f"{part}_labels": np.zeros((len(array), 14), np.uint8) for part, array in arrays.items()}
    np.savez_compressed(stream, **images, **labels)
    server.put("files/chestmnist.npz?download=1", stream.getvalue())
    monkeypatch.setitem(ARCHIVES, 28, ("chestmnist.npz", hashlib.md5(stream.getvalue()).hexdigest()))
    return ChestMnist("chestmnist", server.url("files/"), tmp_path / "cache", size=28)


def test_the_official_splits_are_kept_and_pixels_come_from_the_arrays(source, arrays):
    with pytest.raises(RequestError, match="is not there yet"):
        source.items()
    source.download()

    items = source.items()
    assert [item.split for item in items] == ["train"] * 14 + ["validation"] * 3 + ["test"] * 5
    assert items[14].key == "val_images.npy#0"
    assert len({item.key for item in items}) == 22
    assert {item.size for item in items} == {(28, 28)}
    for part, of_split in (("train", "train"), ("val", "validation"), ("test", "test")):
        for item in (item for item in items if item.split == of_split):
            image = npy.read(item.path, item.frame, source.intensity)
            np.testing.assert_array_equal(image.pixels[..., 0], arrays[part][item.frame])


def test_it_can_be_prepared_for_training(source, arrays):
    source.download()
    prepared = prepare(source, Preparation(seed=1, channel="grey", scale=2, patch_size=16))
    assert {split: len(entries) for split, entries in prepared.entries.items()} == {
        "train": 14,
        "validation": 3,
        "test": 5,
    }
    for entry in prepared.entries["test"]:
        np.testing.assert_array_equal(prepared.read(entry).pixels[..., 0], arrays["test"][entry.item.frame])


def test_labels_and_the_archive_are_not_kept(source):
    source.download()
    root = source.cache / "chestmnist"
    kept = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.name.endswith(".lock"))
    assert kept == ["28x28", "28x28/test_images.npy", "28x28/train_images.npy", "28x28/val_images.npy"]


def test_that_patients_are_unknown_is_said(source):
    source.download()
    assert len({item.patient for item in source.items()}) == 22
    assert "does not say which patient" in source.warnings[0]


def test_each_size_has_its_own_archive_and_folder(tmp_path):
    assert {size: name for size, (name, _) in ARCHIVES.items()} == {
        28: "chestmnist.npz",
        64: "chestmnist_64.npz",
        128: "chestmnist_128.npz",
        224: "chestmnist_224.npz",
    }
    assert "up to 5,626 MB" in str(ChestMnist("chestmnist", "http://x/", tmp_path, size=224).missing())


def test_a_limit_takes_from_each_split(source):
    source.download()
    limited = ChestMnist("chestmnist", source.url, source.cache, size=28, limit=6)
    assert [item.split for item in limited.items()] == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2


def test_a_pickle_in_place_of_images_is_refused(source, server):
    stream = io.BytesIO()
    objects = {f"{part}_images": np.array([{"no": "image"}], dtype=object) for part in SIZES}
    np.savez_compressed(stream, **objects)
    server.files["files/chestmnist.npz?download=1"].body = stream.getvalue()
    chestmnist.ARCHIVES[28] = ("chestmnist.npz", hashlib.md5(stream.getvalue()).hexdigest())
    source.download()
    with pytest.raises(RequestError, match="holds object values"):
        source.items()
