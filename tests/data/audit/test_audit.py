"""Each thing that the audit finds, planted in images that were made for it; and copies among real radiographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from srexp.data.audit import audit as audit_module
from srexp.data.audit import near_duplicates
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


def known(key: str = "a.png", split: str = "test", **facts: object) -> SimpleNamespace:
    """An image as the audit sees it; of what isn't said, nothing is to be found."""
    told = {"low": 0.0, "high": 1.0, "constant": False, "signature": ""} | facts
    item = SimpleNamespace(key=key)
    return SimpleNamespace(key=key, split=split, sha256=key, low=None, lossy=False, item=item, patient="P", facts=told)


def changed(entry: SimpleNamespace, **changes: object) -> SimpleNamespace:
    return SimpleNamespace(**(vars(entry) | changes))


def held(*entries: SimpleNamespace) -> SimpleNamespace:
    listed = {split: [entry for entry in entries if entry.split == split] for split in ("train", "validation", "test")}
    return SimpleNamespace(entries=listed, skipped=[], fingerprint="f")


def said(prepared: SimpleNamespace, **options: object) -> dict[str, str]:
    return {finding.kind: finding.message for finding in audit(prepared, **options)}


TEST = [known(f"{number}") for number in range(6)]


def test_warnings_come_before_notes() -> None:
    alone = [changed(entry, patient=entry.key) for entry in TEST[:2]]
    found = audit(held(*alone), degenerate=True, notes=["a note"])
    assert [finding.kind for finding in found] == ["degenerate", "few-test-images", "unknown-patients", "source"]
    assert found[0].message == "degenerate: the input equals the target, so the scores say nothing about restoration"


def test_frames_of_a_file_whose_patient_is_the_file_are_of_unknown_patients() -> None:
    of_file = [changed(known(f"a#b#{number}"), patient="a#b") for number in range(6)]
    assert set(said(held(*of_file))) == {"unknown-patients"}
    assert said(held(*of_file[:5], changed(of_file[5], patient="a"))) == {}
    assert set(said(held())) == {"few-test-images"}


def test_of_images_with_the_same_pixels_the_first_of_each_split_is_named() -> None:
    placed = (("a", "train"), ("b", "train"), ("c", "validation"), ("d", "validation"), ("e", "test"), ("f", "test"))
    same = [changed(known(key, split), sha256="same", patient=f"P{split}") for key, split in placed]
    told = said(held(*same, *TEST))
    assert told["duplicates"] == (
        "1 image with identical pixels in more than one split: a (train) = c (validation) = e (test)"
    )
    assert told["selection"].startswith("2 test images used for selection")


@pytest.mark.parametrize(("number", "measured"), [(19, 19), (20, 20), (39, 20), (40, 20), (45, 20), (61, 20)])
def test_some_pairs_of_all_are_measured_test_images_first(number: int, measured: int, monkeypatch) -> None:
    entries = [changed(known(str(n)), low=SimpleNamespace(sha256="other")) for n in range(number)]
    looked, step = [], number // 20 or 1

    def read(entry: SimpleNamespace) -> SimpleNamespace:
        looked.append(entry.key)
        return SimpleNamespace(to_float=lambda: np.zeros((8, 8, 1)))

    prepared = held(*entries, changed(TEST[0], key="not paired", sha256="not paired"))
    prepared.read = prepared.read_low = read
    monkeypatch.setattr(audit_module, "shift_of", lambda low, high: (0.0, 0.0))
    assert said(prepared) == {}
    assert looked[::2] == looked[1::2] == [str(n) for n in reversed(range(number))][::step][:20]
    assert len(looked) == 2 * measured


@pytest.mark.parametrize(
    ("shift", "shifted"),
    [((1.0, -1.0), False), ((1.05, 0.0), True), ((0.0, 1.05), True), ((-1.05, 0.0), True), ((0.0, -1.05), True)],
)
def test_from_half_a_low_pixel_on_a_pair_is_shifted(shift: tuple[float, float], shifted: bool, monkeypatch) -> None:
    pairs = [changed(entry, low=SimpleNamespace(sha256="other")) for entry in TEST]
    prepared = held(*pairs)
    prepared.read = lambda _: SimpleNamespace(to_float=lambda: np.zeros((8, 6, 1)))
    prepared.read_low = lambda _: SimpleNamespace(to_float=lambda: np.zeros((4, 3, 1)))
    monkeypatch.setattr(audit_module, "shift_of", lambda low, high: shift)
    assert ("misregistered" in said(prepared)) is shifted


@pytest.mark.parametrize(("highs", "told"), [([0.5], None), ([0.49], "49 %"), ([0.0] * 6 + [0.6], None), ([0.0], None)])
def test_a_range_filled_by_half_is_filled_and_constant_images_do_not_count(
    highs: list[float], told: str | None
) -> None:
    images = [known(f"{n}-{high}", high=0.1 + high, low=0.1, constant=not high) for high in highs for n in range(6)]
    found = said(held(*images))
    assert ("range" in found) is (told is not None)
    assert told is None or found["range"].startswith(f"test images fill {told}")


def test_of_many_images_two_hundred_are_named() -> None:
    many = [known(f"{number:03}", constant=True) for number in range(201)]
    [found] = audit(held(*many))
    assert found.message == "201 images of one value only, which teach and show nothing"
    assert found.images == tuple(f"{number:03}" for number in range(200))


def test_two_hundred_pairs_are_compared_where_nothing_else_is_said(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(near_duplicates, "near", lambda *_, **options: asked.append(options) or ([], 3))
    assert said(held(*TEST)) == {}
    assert said(held(*TEST), most=7, cache_dir=Path("kept")) == {}
    assert asked == [{"most": 200, "cache_dir": None}, {"most": 7, "cache_dir": Path("kept")}]


def test_the_outermost_thousandth_is_left_aside() -> None:
    ramp = np.random.default_rng(0).permutation(1000).reshape(25, 40).astype(np.uint16)
    found = facts(stored(ramp, 12, lossy=False))
    assert (found["lowest"], found["low"]) == (0.0, 0.0)
    assert (found["highest"], found["high"]) == (round(999 / 4095, 5), round(998 / 4095, 5))
    assert facts(stored(ramp + 2, 12, lossy=False))["low"] == 0.00049  # 2 of 4095


@pytest.mark.parametrize(("side", "seen"), [(1023, 0.4), (1024, 0.2), (1535, 0.2)])
def test_of_a_large_image_facts_leave_pixels_out_but_for_its_extremes(side: int, seen: float) -> None:
    pixels = np.full((side, 1600, 1), 51, np.uint8)
    pixels[1::2] = pixels[:, 1::2] = 102
    pixels[1, 1] = 255
    found = facts(stored(pixels, 8, lossy=False))
    assert (found["lowest"], found["highest"], found["low"], found["high"]) == (0.2, 1.0, 0.2, seen)


@pytest.mark.parametrize(
    ("low", "high", "share"), [(0.0, 0.4, 0.4), (0.1, 0.4, 0.3), (None, None, 0.0), (0.0, 0.0, 0.0)]
)
def test_how_much_of_the_range_an_image_fills(low: float | None, high: float | None, share: float) -> None:
    assert fill(known(low=low, high=high)) == pytest.approx(share)


def test_skipped_files_are_counted(folder: Folder) -> None:
    (folder.root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    folder.items.append(Item("broken.png", folder.root / "broken.png", 0, "another", "train"))
    source = Given(folder.items, on_error="skip")
    found = audit(prepare(source, Preparation(seed=1, channel="grey", scale=2, patch_size=48, facts=facts, names=True)))
    assert [(each.kind, each.message, each.images) for each in found] == [
        ("skipped", "1 unusable image left out: broken.png damaged or unsupported header", ("broken.png",))
    ]


def test_a_finding_names_two_hundred_images_at_most(folder: Folder) -> None:
    skipped = [(f"{number}.png", "damaged") for number in range(201)]
    (found,) = audit(replace(folder.prepared(), skipped=skipped))
    assert found.message == "201 unusable images left out: 0.png damaged, 1.png damaged, 2.png damaged and 198 more"
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
