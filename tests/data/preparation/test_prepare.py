"""From a folder to entries in splits: what is decoded, refused, skipped, cached, and what the fingerprint follows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.data.formats.registry import read_image
from srexp.data.image import Stored, UnreadableImageError
from srexp.data.preparation import scan
from srexp.data.preparation.manifest import COLUMNS, patient_key, project_salt
from srexp.data.preparation.prepare import Prepared, prepare, probe_request
from srexp.data.sources.folder import Folder
from srexp.data.sources.source import SPLITS
from srexp.errors import RequestError

Options = dict[str, object]


def picture(path: Path, seed: int, size: tuple[int, int] = (32, 40), colours: tuple[int, ...] = ()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, *colours), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten images of five patients."""
    for number in range(10):
        picture(tmp_path / "root" / f"p{number // 2}_{number}.png", number)
    return tmp_path / "root"


def prepared(root: Path, folder: Options | None = None, **options: object) -> Prepared:
    source = Folder("f", str(root), **{"patients": "^(p.)", **(folder or {})})
    return prepare(source, **{"seed": 0, "channel": "grey", "scale": 2, "patch_size": 16, **options})


def split_of(data: Prepared) -> dict[str, str]:
    return {entry.key: entry.split for entries in data.entries.values() for entry in entries}


def test_entries_say_what_each_image_is(root: Path) -> None:
    data = prepared(root)
    entries = [entry for split in SPLITS for entry in data.entries[split]]
    assert sorted(entry.key for entry in entries) == sorted(path.name for path in root.iterdir())
    for entry in entries:
        image = read_image(root / entry.key)
        assert (entry.height, entry.width, entry.channels, entry.bits, entry.lossy) == (32, 40, 1, 8, False)
        assert entry.sha256 == image.digest()
        assert (entry.path, entry.frame, entry.patient) == (root / entry.key, 0, entry.key[:2])
        np.testing.assert_array_equal(data.read(entry).pixels, image.pixels)
    assert data.skipped == []


def test_no_patient_is_in_two_splits(root: Path) -> None:
    for seed in range(5):
        patients = {entry.patient: set() for entries in prepared(root, seed=seed).entries.values() for entry in entries}
        for key, split in split_of(prepared(root, seed=seed)).items():
            patients[key[:2]].add(split)
        assert all(len(splits) == 1 for splits in patients.values())


def test_same_seed_same_split_and_fingerprint_and_another_seed_another(root: Path) -> None:
    assert split_of(prepared(root)) == split_of(prepared(root))
    assert prepared(root).fingerprint == prepared(root).fingerprint
    assert len({prepared(root, seed=seed).fingerprint for seed in range(6)}) > 1


def test_split_does_not_change_when_images_are_decoded_from_elsewhere(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "elsewhere" / "deep")
    assert split_of(prepared(root)) == split_of(prepared(tmp_path / "elsewhere" / "deep"))


def test_fingerprint_does_not_follow_names_places_dates_or_format(root: Path, tmp_path: Path) -> None:
    reference = prepared(root).fingerprint
    other = tmp_path / "other"
    for number, path in enumerate(sorted(root.iterdir(), reverse=True)):
        target = other / f"sub{number % 3}" / f"{path.stem[:2]}_{number:03}.bmp"
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.save(target)
        os.utime(target, (0, 0))
    assert prepared(other).fingerprint == reference


@pytest.mark.parametrize(
    "change",
    [
        lambda root: picture(root / "p0_0.png", 99),
        lambda root: picture(root / "p4_x.png", 99),
        lambda root: picture(root / "p4_x.png", 8),
        lambda root: (root / "p0_0.png").unlink(),
        lambda root: Image.fromarray(np.asarray(Image.open(root / "p0_0.png")).astype(np.uint16)).save(
            root / "p0_0.png"
        ),
    ],
    ids=["pixels", "another image", "a second copy", "one image less", "bit depth"],
)
def test_fingerprint_follows_content_and_membership(root: Path, change: Callable[[Path], object]) -> None:
    before = prepared(root).fingerprint
    change(root)
    assert prepared(root).fingerprint != before


def test_one_pixel_changes_the_fingerprint(root: Path) -> None:
    before = prepared(root).fingerprint
    path = root / "p1_2.png"
    pixels = np.array(Image.open(path))
    pixels[31, 39] ^= 1
    Image.fromarray(pixels).save(path)
    assert prepared(root).fingerprint != before


def test_manifest_names_patients_by_salted_hashes_only(root: Path, tmp_path: Path) -> None:
    rows = prepared(root, cache_dir=tmp_path / "cache").manifest()
    assert [tuple(row) for row in rows] == [COLUMNS] * 10
    assert [row["split"] for row in rows] == sorted((row["split"] for row in rows), key=SPLITS.index)
    patients = {row["image"][:2]: row["patient"] for row in rows}
    assert len(set(patients.values())) == 5
    assert not set(patients) & set(patients.values())
    assert rows == prepared(root, cache_dir=tmp_path / "cache").manifest()
    assert {row["patient"] for row in rows}.isdisjoint(row["patient"] for row in prepared(root).manifest())


def test_salt_is_made_once_and_kept_private(tmp_path: Path) -> None:
    salt = project_salt(tmp_path / "cache")
    assert project_salt(tmp_path / "cache") == salt
    assert (tmp_path / "cache" / "patient-salt").stat().st_mode & 0o077 == 0
    assert patient_key("p", salt) != patient_key("p", project_salt(tmp_path / "other"))


def test_every_bad_file_is_named_with_its_reason(root: Path) -> None:
    (root / "p0_empty.png").touch()
    (root / "p1_text.tif").write_text("no image")
    (root / "p2_cut.png").write_bytes((root / "p2_4.png").read_bytes()[:200])
    picture(root / "p3_small.png", 1, (15, 60))
    with pytest.raises(RequestError) as caught:
        prepared(root)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert "4 of 14 images can't be used" in message
    for line in (
        "p0_empty.png: is empty (0 bytes)",
        "p1_text.tif: is no PNG, JPEG",
        "p2_cut.png: damaged or truncated",
        "p3_small.png: is 15 x 60 pixels, 14 when cropped to a multiple of scale=2, and so smaller than a patch of 16",
        "trainer.patch_size=14",
        "dataset.on_error=skip",
    ):
        assert line in message


def test_skipping_goes_on_without_bad_files_and_counts_them(root: Path) -> None:
    reference = prepared(root).fingerprint
    (root / "p0_empty.png").touch()
    picture(root / "p3_small.png", 1, (15, 60))
    data = prepared(root, {"on_error": "skip"})
    assert [key for key, _ in data.skipped] == ["p0_empty.png", "p3_small.png"]
    assert data.fingerprint == reference


def test_skipping_everything_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(RequestError, match=r"3 of 3 images can't be used"):
        prepared(tmp_path, {"on_error": "skip", "patients": None})


def test_skipping_down_to_too_few_patients_is_refused(root: Path) -> None:
    for path in root.glob("p[0-2]*"):
        path.write_bytes(b"")
    with pytest.raises(RequestError, match="too few patients for a split: 2 with 4 images"):
        prepared(root, {"on_error": "skip"})


def test_limit_takes_part_of_the_images(root: Path) -> None:
    assert len(split_of(prepared(root, {"limit": 4}))) == 4
    with pytest.raises(RequestError, match="too few patients"):
        prepared(root, {"limit": 2})


def test_everything_may_go_into_one_split(root: Path) -> None:
    data = prepared(root, {"limit": 2}, all_in="test")
    assert [len(data.entries[split]) for split in SPLITS] == [0, 0, 2]


def test_colours_become_the_channel_that_is_trained(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / f"{number}.png", number, colours=(3,))
    for channel, channels in (("grey", 1), ("y", 1), ("rgb", 3)):
        data = prepared(tmp_path, {"patients": None}, channel=channel)
        entry = data.entries["test"][0]
        assert data.read(entry).pixels.shape[-1] == channels
        assert entry.channels == 3


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


def test_change_that_keeps_size_and_date_is_noticed(root: Path, tmp_path: Path) -> None:
    path = root / "p0_0.bmp"
    picture(path, 1)
    status = path.stat()
    first = prepared(root, cache_dir=tmp_path / "cache")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert prepared(root, cache_dir=tmp_path / "cache").fingerprint != first.fingerprint


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


@pytest.mark.parametrize("damage", [b"", b"[[1, 2", b"[[1]]", b'[[1,2,3,4,5,6,{"height": 1}]]', b"\xff\xfe"])
def test_damaged_index_costs_time_and_nothing_else(root: Path, tmp_path: Path, damage: bytes) -> None:
    reference = prepared(root, cache_dir=tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("index-*.json")
    index.write_bytes(damage)
    assert prepared(root, cache_dir=tmp_path / "cache").fingerprint == reference.fingerprint
    assert len(json.loads(index.read_text())) == 10


def test_index_that_cannot_be_written_costs_nothing_else(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert prepared(root, cache_dir=tmp_path / "cache").fingerprint == prepared(root).fingerprint


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
            assert entry.facts == {"mean": read_image(entry.path).pixels.mean()}
    other = prepared(root, cache_dir=tmp_path / "cache", facts=darkness)
    assert other.entries["train"][0].facts == {"mean": 255 - read_image(other.entries["train"][0].path).pixels.mean()}
    assert prepared(root, cache_dir=tmp_path / "cache").entries["train"][0].facts == {}


def test_progress_ends_at_the_total(root: Path) -> None:
    calls: list[tuple[int, int]] = []
    prepared(root, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (10, 10)
    assert calls == sorted(calls)


def test_probing_finds_what_headers_tell(root: Path) -> None:
    source = Folder("f", str(root), patients="^(p.)")
    probe_request(source, 32)
    with pytest.raises(
        RequestError, match=r"10 files: is 32 x 40 pixels and so smaller than a patch of 33[\s\S]*p0_0.png"
    ):
        probe_request(source, 33)
    (root / "p0_bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(RequestError, match=r"p0_bad.png: damaged or unsupported header"):
        probe_request(source, 16)
    probe_request(Folder("f", str(root), patients="^(p.)", on_error="skip"), 16)


def test_probing_finds_too_few_patients(root: Path) -> None:
    with pytest.raises(RequestError, match="too few patients for a split: 1 with 10 images"):
        probe_request(Folder("f", str(root), patients="^(p)"), 16)


def test_fractions_must_be_three(root: Path) -> None:
    with pytest.raises(RequestError, match=r"dataset.fractions has not three numbers\s+got:\s+\[0.9, 0.1\]"):
        prepared(root, {"fractions": [0.9, 0.1]})


# Test images in a folder of their own


def test_test_images_of_another_folder_leave_the_rest_for_training(root: Path, tmp_path: Path) -> None:
    for number in (20, 21):
        picture(tmp_path / "held" / f"p{number}.png", number)
    data = prepared(root, {"test_root": str(tmp_path / "held")})
    counts = {split: len(entries) for split, entries in data.entries.items()}
    assert counts == {"train": 8, "validation": 2, "test": 2}
    assert [entry.key for entry in data.entries["test"]] == ["test_root/p20.png", "test_root/p21.png"]
    assert data.fingerprint != prepared(root).fingerprint
    picture(tmp_path / "held" / "p21.png", 22)
    assert prepared(root, {"test_root": str(tmp_path / "held")}).fingerprint != data.fingerprint


def test_no_training_image_stands_in_for_test_images_that_are_unusable(root: Path, tmp_path: Path) -> None:
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "p9.png").touch()
    with pytest.raises(RequestError, match="no image is left for test"):
        prepared(root, {"test_root": str(tmp_path / "held"), "on_error": "skip"})
