"""Each thing that the audit finds, planted in images that were made for it; and copies among real radiographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.data.audit.audit import audit, facts, fill
from srexp.data.audit.findings import messages, require_clean, tags
from srexp.data.image import stored
from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources import folder as folder_source
from srexp.data.sources.paired import Pair
from srexp.data.sources.source import Item
from tests.data.audit.images import Folder, Given, by_kind, picture


def test_a_sound_data_set_gives_no_finding(folder: Folder) -> None:
    findings = audit(folder.prepared())
    assert findings == []
    assert tags(findings) == {"audit": "clean"}
    require_clean(findings)


def test_a_patient_in_two_splits_is_named_by_a_hash_alone(folder: Folder) -> None:
    keys = {folder.add(split, picture(n), patient="Doe^Jane") for n, split in ((20, "train"), (21, "test"))}
    found = by_kind(audit(folder.prepared()))
    assert set(found) == {"patients"}
    assert set(found["patients"].images) == keys
    assert found["patients"].message.startswith("1 patient with images in more than one split: ")
    assert "Doe" not in str(found)


def test_unknown_patients_are_a_note(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for number, split in enumerate(["train", "validation"] + ["test"] * 6):
        folder.add(split, picture(number), patient=f"{number:03d}.png")
    assert [(finding.kind, finding.severity) for finding in audit(folder.prepared())] == [("unknown-patients", "note")]


def test_identical_pixels_in_two_splits_are_duplicates_whatever_the_file(folder: Folder) -> None:
    copy = folder.add("test", picture(0), suffix="tiff")
    found = by_kind(audit(folder.prepared()))
    assert set(found) == {"duplicates"}
    assert set(found["duplicates"].images) == {"000.png", copy}
    assert "000.png (train) = 012.tiff (test)" in found["duplicates"].message


def test_test_images_that_select_the_weights_are_told_apart(folder: Folder) -> None:
    copy = folder.add("test", picture(4))
    found = by_kind(audit(folder.prepared()))
    assert set(found) == {"duplicates", "selection"}
    assert found["selection"].images == (copy,)


def test_a_repeated_image_within_a_split_is_no_leak(folder: Folder) -> None:
    folder.add("train", picture(0))
    assert audit(folder.prepared()) == []


def test_constant_images_are_named(folder: Folder) -> None:
    black, grey = (folder.add("train", Image.new("L", (64, 64), value)) for value in (0, 90))
    found = by_kind(audit(folder.prepared()))
    assert set(found) == {"constant"}
    assert set(found["constant"].images) == {black, grey}


def test_too_few_test_images_are_a_warning(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for number, split in enumerate(["train", "validation"] + ["test"] * 5):
        folder.add(split, picture(number))
    found = audit(folder.prepared())
    assert messages(found) == ["5 test images: no interval or test can support a claim"]


def test_the_unfilled_range_is_said_with_its_price(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for number, split in enumerate(["train", "validation"] + ["test"] * 6):
        pixels = np.asarray(picture(number)).astype(np.uint16)
        folder.add(split, Image.fromarray(pixels * 110), suffix="tiff")
    prepared = folder.prepared()
    assert np.median([fill(entry) for entry in prepared.entries["test"]]) == pytest.approx(0.2736, abs=1e-4)
    (found,) = audit(prepared)
    assert (found.kind, found.severity) == ("range", "note")
    assert found.message.startswith("test images fill 27 % of their stored range")
    assert "some 11 dB higher" in found.message


def paired(tmp_path: Path, offset: int) -> Prepared:
    """Eight pairs at scale 2, the low images taken `offset` high-resolution pixels further right."""
    items: list[Item] = []
    for number, split in enumerate(["train", "validation"] + ["test"] * 6):
        scene, name = picture(number, 200), f"{number}.png"
        high, low = tmp_path / f"high-{name}", tmp_path / f"low-{name}"
        scene.crop((20, 20, 180, 180)).save(high)
        scene.crop((20 + offset, 20, 180 + offset, 180)).resize((80, 80), Image.Resampling.BICUBIC).save(low)
        items.append(Pair(name, high, 0, f"P{name}", split, low=Item(name, low, 0, f"P{name}")))
    return prepare(Given(items), Preparation(seed=1, channel="grey", scale=2, patch_size=48, facts=facts, names=True))


def test_pairs_that_lie_apart_are_measured(tmp_path: Path) -> None:
    assert audit(paired(tmp_path, 0)) == []
    (found,) = audit(paired(tmp_path, 4))
    assert (found.kind, found.severity, len(found.images)) == ("misregistered", "warning", 8)
    assert found.message.startswith("8 of 8 measured pairs shifted")
    assert "by +0.0 down and -4.0 right" in found.message


def test_pairs_of_twice_the_same_image_are_degenerate(tmp_path: Path) -> None:
    items = []
    for number, split in enumerate(["train", "validation"] + ["test"] * 6):
        path = tmp_path / f"{number}.png"
        picture(number).save(path)
        items.append(Pair(path.name, path, 0, f"P{number}", split, low=Item(path.name, path, 0, f"P{number}")))
    (found,) = audit(
        prepare(Given(items), Preparation(seed=1, channel="grey", scale=1, patch_size=48, facts=facts, names=True))
    )
    assert found.kind == "degenerate"
    assert "the input equals the target in 8 pairs" in found.message


def test_what_the_caller_knows_comes_along(folder: Folder) -> None:
    found = audit(folder.prepared(), degenerate=True, notes=["of this set, nobody knows the age"])
    assert [(finding.kind, finding.severity) for finding in found] == [("degenerate", "warning"), ("source", "note")]
    assert messages(found)[1] == "of this set, nobody knows the age"


def test_skipped_files_are_counted(folder: Folder) -> None:
    (folder.root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    folder.items.append(Item("broken.png", folder.root / "broken.png", 0, "another", "train"))
    source = Given(folder.items, on_error="skip")
    found = audit(prepare(source, Preparation(seed=1, channel="grey", scale=2, patch_size=48, facts=facts, names=True)))
    assert [(each.kind, each.message, each.images) for each in found] == [
        ("skipped", "1 unusable image left out", ("broken.png",))
    ]


def test_a_finding_names_two_hundred_images_at_most(folder: Folder) -> None:
    skipped = [(f"{number}.png", "damaged") for number in range(201)]
    (found,) = audit(replace(folder.prepared(), skipped=skipped))
    assert found.message == "201 unusable images left out"
    assert found.images == tuple(f"{number}.png" for number in range(200))


@pytest.mark.parametrize(("bits", "span"), [(8, 1), (12, 1), (12, 0.14), (16, 0.3)])
def test_facts_tell_how_much_of_the_range_is_filled(bits: int, span: float) -> None:
    white = 2**bits - 1
    ramp = np.linspace(0.1 * white, min((0.1 + span), 1) * white, 64 * 64).reshape(64, 64)
    known = facts(stored(np.rint(ramp).astype(np.uint16), bits, lossy=False))
    assert known["lowest"] == pytest.approx(0.1, abs=1 / white)
    assert known["highest"] == pytest.approx(min(0.1 + span, 1), abs=1 / white)
    assert known["highest"] - known["lowest"] >= known["high"] - known["low"] > 0.99 * (min(span, 0.9) - 2 / white)


def test_a_marker_does_not_fill_the_range() -> None:
    pixels = np.random.default_rng(0).integers(0, 500, (256, 256, 1)).astype(np.uint16)
    pixels[:4, :8] = 4095
    known = facts(stored(pixels, 12, lossy=False))
    assert known["highest"] == 1.0
    assert known["high"] < 0.13


@pytest.mark.parametrize("colours", [1, 3])
def test_facts_are_plain_values_and_small(colours: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (700, 60, colours), np.uint8)
    known = facts(stored(pixels, 8, lossy=False))
    assert all(isinstance(value, str | int | float | bool) for value in known.values())
    assert len(str(known)) < 1000


def test_leaks_into_a_test_folder_of_its_own_are_found(tmp_path: Path) -> None:
    for number in range(6):
        for name in ("train", "held"):
            (tmp_path / name).mkdir(exist_ok=True)
        picture(number).save(tmp_path / "train" / f"p{number}_a.png")
    picture(0).save(tmp_path / "held" / "p8_a.png")  # the pixels of p0
    picture(9).save(tmp_path / "held" / "p1_b.png")  # another picture of p1
    source = folder_source.Folder("f", str(tmp_path / "train"), patients="^(p.)", test_root=str(tmp_path / "held"))
    found = by_kind(
        audit(prepare(source, Preparation(seed=1, channel="grey", scale=2, patch_size=48, facts=facts, names=True)))
    )
    assert set(found["duplicates"].images) >= {"p0_a.png", "test_root/p8_a.png"}
    assert set(found["patients"].images) == {"p1_a.png", "test_root/p1_b.png"}
