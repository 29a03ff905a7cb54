"""Each thing that the audit finds, planted in images that were made for it; and copies among real radiographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from srexp.data.audit.audit import audit, facts, fill
from srexp.data.audit.findings import Finding, messages, require_clean, tags
from srexp.data.image import stored
from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.sources import folder as folder_source
from srexp.data.sources.paired import Pair
from srexp.data.sources.source import SPLITS, Item
from srexp.errors import RequestError

Change = Callable[[Image.Image], Image.Image]


@dataclass
class Given:
    """A data set whose splits are fixed by the test."""

    listed: list[Item]
    name: str = "given"
    attribution: str = ""
    intensity: str = "bits"
    on_error: str = "fail"
    memory_mb: int = 256
    fractions: list[float] = field(default_factory=lambda: [0.6, 0.2, 0.2])

    def items(self) -> list[Item]:
        return self.listed


def picture(number: int, side: int = 160) -> Image.Image:
    """A picture unlike any other: smooth shapes of several sizes."""
    rng = np.random.default_rng(number)
    noise = sum(size * gaussian_filter(rng.standard_normal((side, side)), size) for size in (2, 4, 8, 16))
    low, high = noise.min(), noise.max()
    return Image.fromarray(np.uint8(np.rint(20 + 200 * (noise - low) / (high - low))))


class Folder:
    """Images with their splits and patients, written as a test says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.items: list[Item] = []

    def add(self, split: str, image: Image.Image, patient: str | None = None, suffix: str = "png") -> str:
        key = f"{len(self.items):03d}.{suffix}"
        image.save(self.root / key)
        self.items.append(Item(key, self.root / key, 0, f"P{key}" if patient is None else patient, split))
        return key

    def prepared(self, **options: object) -> Prepared:
        given = {"seed": 1, "channel": "grey", "scale": 2, "patch_size": 48, "facts": facts} | options
        return prepare(Given(sorted(self.items, key=lambda item: item.key)), **given)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Twelve sound images of twelve patients."""
    made = Folder(tmp_path)
    for number, split in enumerate(["train"] * 4 + ["validation"] * 2 + ["test"] * 6):
        made.add(split, picture(number))
    return made


def by_kind(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.kind: finding for finding in findings}


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


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("splits", [("train", "test"), ("test", "validation")], ids=["forth", "back"])
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
        folder.add(split, Image.fromarray(pixels * 36), suffix="tiff")  # 200 of 255 levels become 11 % of 16 bits
    prepared = folder.prepared()
    filled = [fill(entry) for entry in prepared.entries["test"]]
    assert max(filled) < 0.12
    (found,) = audit(prepared)
    assert (found.kind, found.severity) == ("range", "note")
    assert found.message.startswith(f"test images fill {100 * np.median(filled):.0f} % of their stored range")
    assert f"some {-20 * np.log10(np.median(filled)):.0f} dB higher" in found.message


def paired(tmp_path: Path, offset: int) -> Prepared:
    """Eight pairs at scale 2, the low images taken `offset` high-resolution pixels further right."""
    items: list[Item] = []
    for number, split in enumerate(["train", "validation"] + ["test"] * 6):
        scene, name = picture(number, 200), f"{number}.png"
        high, low = tmp_path / f"high-{name}", tmp_path / f"low-{name}"
        scene.crop((20, 20, 180, 180)).save(high)
        scene.crop((20 + offset, 20, 180 + offset, 180)).resize((80, 80), Image.Resampling.BICUBIC).save(low)
        items.append(Pair(name, high, 0, f"P{name}", split, low=Item(name, low, 0, f"P{name}")))
    return prepare(Given(items), seed=1, channel="grey", scale=2, patch_size=48, facts=facts)


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
    (found,) = audit(prepare(Given(items), seed=1, channel="grey", scale=1, patch_size=48, facts=facts))
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
    found = audit(prepare(source, seed=1, channel="grey", scale=2, patch_size=48, facts=facts))
    assert [(each.kind, each.message, each.images) for each in found] == [
        ("skipped", "1 unusable image left out", ("broken.png",))
    ]


def test_strict_refuses_warnings_and_lets_notes_through() -> None:
    note = Finding("range", "note", "dark")
    require_clean([note])
    with pytest.raises(RequestError) as refused:
        require_clean([Finding("lossy", "warning", "2 targets"), note, Finding("constant", "warning", "1 image")])
    assert refused.value.exit_code == 2
    assert "lossy: 2 targets" in str(refused.value)
    assert "constant: 1 image" in str(refused.value)
    assert "dark" not in str(refused.value)


def test_tags_are_what_mlflow_accepts_and_keep_every_sentence() -> None:
    found = [
        Finding("source", "note", "one"),
        Finding("near-duplicates", "warning", "two"),
        Finding("source", "note", "3"),
    ]
    assert tags(found) == {"audit": "near-duplicates", "audit.source": "one; 3", "audit.near-duplicates": "two"}


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
    prepared = prepare(Given(items), seed=1, channel="grey", scale=2, patch_size=48, facts=facts)
    found = by_kind(audit(prepared))
    images = found["near-duplicates"].images
    assert {frozenset(pair) for pair in zip(images[::2], images[1::2], strict=True)} == planted
    assert len(planted) >= 50


def test_leaks_into_a_test_folder_of_its_own_are_found(tmp_path: Path) -> None:
    for number in range(6):
        for name in ("train", "held"):
            (tmp_path / name).mkdir(exist_ok=True)
        picture(number).save(tmp_path / "train" / f"p{number}_a.png")
    picture(0).save(tmp_path / "held" / "p8_a.png")  # the pixels of p0
    picture(9).save(tmp_path / "held" / "p1_b.png")  # another picture of p1
    source = folder_source.Folder("f", str(tmp_path / "train"), patients="^(p.)", test_root=str(tmp_path / "held"))
    found = by_kind(audit(prepare(source, seed=1, channel="grey", scale=2, patch_size=48, facts=facts)))
    assert set(found["duplicates"].images) >= {"p0_a.png", "test_root/p8_a.png"}
    assert set(found["patients"].images) == {"p1_a.png", "test_root/p1_b.png"}
