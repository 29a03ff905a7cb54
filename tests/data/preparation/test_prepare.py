"""From a folder to entries in splits: what is decoded, refused, skipped, cached, and what the fingerprint follows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from srexp.data.display import as_stored
from srexp.data.formats.registry import read_image
from srexp.data.preparation.prepare import probe_request
from srexp.data.sources.folder import Folder
from srexp.data.sources.source import SPLITS
from srexp.errors import RequestError
from tests.data.preparation.images import picture, prepared, split_of


def test_entries_say_what_each_image_is(root: Path) -> None:
    data = prepared(root)
    entries = [entry for split in SPLITS for entry in data.entries[split]]
    assert sorted(entry.key for entry in entries) == sorted(path.name for path in root.iterdir())
    for entry in entries:
        image = read_image(root / entry.key)
        assert (entry.height, entry.width, entry.channels, entry.bits, entry.lossy) == (32, 40, 1, 8, False)
        assert entry.sha256 == image.digest()
        assert (entry.item.path, entry.item.frame, entry.patient) == (root / entry.key, 0, entry.key[:2])
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


def test_skipping_all_is_no_mend_of_itself(tmp_path: Path) -> None:
    picture(tmp_path / "p1_small.png", 1, (15, 60))
    (tmp_path / "p2_empty.png").touch()
    for on_error in ("fail", "skip"):
        with pytest.raises(RequestError, match="2 of 2 images can't be used") as caught:
            prepared(tmp_path, {"on_error": on_error})
        assert "on_error" not in str(caught.value)


def test_skipping_goes_on_without_bad_files_and_counts_them(root: Path) -> None:
    reference = prepared(root).fingerprint
    (root / "p0_empty.png").touch()
    picture(root / "p3_small.png", 1, (15, 60))
    data = prepared(root, {"on_error": "skip"})
    assert [key for key, _ in data.skipped] == ["p0_empty.png", "p3_small.png"]
    assert data.fingerprint == reference


def test_skipping_leaves_out_what_is_too_small_to_be_scored(root: Path) -> None:
    reference = prepared(root).fingerprint
    picture(root / "p3_small.png", 1, (16, 60))
    assert prepared(root, scored=17).fingerprint != reference  # where nothing is skipped, it may be trained on
    data = prepared(root, {"on_error": "skip"}, scored=17)
    [(key, reason)] = data.skipped
    assert (key, reason.partition(":")[0]) == ("p3_small.png", "is 16 x 60 pixels and so too small to be scored")
    assert reason.endswith("needs 17 x 17")
    assert data.fingerprint == reference


def test_all_that_is_scored_must_be_large_enough(root: Path) -> None:
    picture(root / "p3_thin.png", 1, (1, 600))
    with pytest.raises(RequestError, match=r"1 of 11 images[\s\S]*p3_thin.png: is 1 x 600 pixels, 0 when"):
        prepared(root, scored=17, all_in="test")
    data = prepared(root, {"on_error": "skip"}, scored=17, all_in="test")
    assert (len(data.entries["test"]), [key for key, _ in data.skipped]) == (10, ["p3_thin.png"])


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


def test_one_image_in_eight_orientations_is_one_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 40), np.uint8)
    for orientation in range(1, 9):
        stored, exif = as_stored(pixels, orientation), Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(stored).save(tmp_path / f"{orientation}.png", exif=exif)
        tifffile.imwrite(tmp_path / f"{orientation}.tif", stored, extratags=[(274, "H", 1, orientation, True)])
    data = prepared(tmp_path, {"patients": None})
    entries = [entry for split in SPLITS for entry in data.entries[split]]
    assert len({entry.sha256 for entry in entries}) == 1
    assert {entry.size for entry in entries} == {(32, 40)}
    probe_request(Folder("f", str(tmp_path)), 32)


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


@pytest.mark.parametrize(
    "make", [lambda path: path.symlink_to(path), os.mkfifo, lambda path: path.symlink_to("x" * 300)]
)
def test_what_can_not_be_reached_is_refused_by_name_or_passed_over(root: Path, make: Callable[[Path], object]) -> None:
    make(root / "odd.png")
    with pytest.raises(RequestError, match=r"odd\.png"):
        prepared(root)
    assert [key for key, _ in prepared(root, {"on_error": "skip"}).skipped] == ["odd.png"]
    source = Folder("mine", str(root))
    with pytest.raises(RequestError, match=r"odd\.png"):
        probe_request(source, 8)
    probe_request(replace(source, on_error="skip"), 8)
