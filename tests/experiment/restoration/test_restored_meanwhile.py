"""Files of a folder are read and restored while the one before is written, and nobody can tell from the result."""

from __future__ import annotations

import errno
import random
import select
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from srexp.data.formats import registry
from srexp.enhance.runtimes.choice import Chosen
from srexp.experiment.restoration import file_restoration
from srexp.experiment.restoration.folder_enhancement import FolderEnhancement
from srexp.experiment.restoration.jobs import find_jobs


@pytest.fixture
def several(asked):
    """Ask for four images, too large to be read several at a time."""
    chance, folder = np.random.default_rng(0), asked.output.parent / "large"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(chance.integers(0, 256, (300, 300), np.uint8)).save(folder / f"{number}.png")
    asked.input = str(folder)
    return asked


def computed_by(identity, restore, memory_mb=10**6):
    """The model with a network of one's own, and room for one more image, or for none."""
    return replace(identity, chosen=Chosen(restore, "keras", "float32", 0.0, {}), memory_mb=memory_mb)


def enlarged(batch):
    return batch.repeat(2, 1).repeat(2, 2)


def enhanced(asked, restorer):
    jobs, outcome = find_jobs(asked)
    FolderEnhancement(asked, restorer).run(jobs, outcome, lambda *_: None)
    return outcome


def test_the_next_file_is_decoded_before_the_network_is_done_with_one(several, identity):
    ahead = []

    def restore(batch):
        if begun := registry._ahead._begun:
            assert select.select([begun._worker.process.stdout], [], [], 60)[0], "no answer meanwhile"
        ahead.append([path.name for path, *_ in registry._ahead._asked.values()])
        return enlarged(batch)

    assert enhanced(several, computed_by(identity, restore)).restored == ["0.png", "1.png", "2.png", "3.png"]
    assert ahead == [["1.png"], ["2.png"], ["3.png"], []]


@pytest.mark.parametrize(("memory_mb", "ahead"), [(10**6, 1), (1, 0)])
def test_one_image_is_restored_while_the_one_before_it_is_written_where_the_memory_allows(
    several, identity, monkeypatch, memory_mb, ahead
):
    begun, write, counts = threading.Condition(), file_restoration.write_images, []
    images = 0

    def restore(batch):
        nonlocal images
        with begun:
            images += 1
            begun.notify()
        return enlarged(batch)

    def writing(*arguments, **options):
        lost = write(*arguments, **options)
        with begun:
            expected = min(4, len(counts) + 1 + ahead)
            begun.wait_for(lambda: images >= expected, timeout=60)
            begun.wait_for(lambda: images > expected, timeout=0.2)  # none beyond
            counts.append(images)
        return lost

    monkeypatch.setattr(file_restoration, "write_images", writing)
    outcome = enhanced(several, computed_by(identity, restore, memory_mb))
    assert (len(outcome.restored), outcome.failed) == (4, {})
    assert counts == [min(4, number + ahead) for number in (1, 2, 3, 4)]


FATES = ("fine", "fine", "unread", "not restored", "not begun", "not written", "not placed")


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_slow_or_fails_list_and_files_are_those_of_one_after_the_other(
    several, identity, monkeypatch, seed
):
    """All files that are fine, in their order; those that aren't are named, in theirs."""
    plain = Path(several.output.parent, "plain")
    enhanced(SimpleNamespace(**vars(several) | {"output": plain}), computed_by(identity, enlarged, memory_mb=1))
    chance = random.Random(seed)
    fates = {f"{number}.png": chance.choice(FATES) for number in range(4)}
    read, write = file_restoration.read_image, file_restoration.write_images
    reached = []

    def meet(fate, name):
        time.sleep(chance.choice([0, 0.02]))
        if fates[name] == fate:
            raise OSError(errno.EIO, "planted")

    def reading(path, *arguments):
        meet("unread", path.name)
        reached.append(path.name)
        return read(path, *arguments)

    def restore(batch):
        meet("not restored", reached[-1])
        return enlarged(batch)

    def writing(folder, name, *arguments, **options):
        meet("not begun", name)
        lost = write(folder, name, *arguments, **options)
        meet("not written", name)
        if fates[name] == "not placed":
            (folder / name).unlink()
        return lost

    monkeypatch.setattr(file_restoration, "read_image", reading)
    monkeypatch.setattr(file_restoration, "write_images", writing)
    outcome = enhanced(several, computed_by(identity, restore))
    fine = [name for name, fate in fates.items() if fate == "fine"]
    assert outcome.restored == outcome.outputs == fine
    assert list(outcome.failed) == [name for name in fates if name not in fine]
    rows = [line for line in rows_of(plain) if line.split(",")[0] in ("input", *fine)]
    assert rows_of(several.output) == (rows if fine else [])
    made = {path.name: path.read_bytes() for path in several.output.iterdir() if path.suffix == ".png"}
    assert made == {name: (plain / name).read_bytes() for name in fine}
    assert not list(several.output.glob(".srexp-*"))


def rows_of(folder):
    path = folder / "enhanced.csv"
    return path.read_text().splitlines() if path.exists() else []


def test_nobody_restores_the_rest_of_an_image_that_cannot_be_written(several, identity, monkeypatch):
    """A full disk would otherwise be told of after minutes."""
    tiles, write = [], file_restoration.write_images

    def restore(batch):
        tiles.append(batch.shape)
        return enlarged(batch)

    def writing(folder, name, *arguments, images, **options):
        if name == "0.png":
            next(next(iter(images)).strips)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(folder, name, *arguments, images=images, **options)

    monkeypatch.setattr(file_restoration, "write_images", writing)
    jobs, outcome = find_jobs(several)
    tiled = replace(computed_by(identity, restore), tile_pixels=100 * 100 * 4)
    FolderEnhancement(several, tiled).run(jobs[1:2], outcome, lambda *_: None)
    whole = len(tiles)
    FolderEnhancement(several, tiled).run(jobs[:1], outcome, lambda *_: None)
    columns = round(whole**0.5)
    assert len(tiles) - whole <= 3 * columns < whole
    assert (outcome.restored, list(outcome.failed)) == (["1.png"], ["0.png"])


def test_an_interruption_leaves_what_is_finished_and_nothing_else(several, identity, monkeypatch):
    write, restored = file_restoration.write_images, threading.Semaphore(0)

    def restore(batch):
        restored.release()
        return enlarged(batch)

    def writing(folder, name, *arguments, **options):
        lost = write(folder, name, *arguments, **options)
        if name == "1.png":
            for _ in range(3):  # the third one is being restored
                assert restored.acquire(timeout=60)
            raise KeyboardInterrupt
        return lost

    restorer = computed_by(identity, restore)
    monkeypatch.setattr(file_restoration, "write_images", writing)
    with pytest.raises(KeyboardInterrupt):
        enhanced(several, restorer)
    monkeypatch.setattr(file_restoration, "write_images", write)
    assert sorted(path.name for path in several.output.iterdir()) == ["0.png", "enhanced.csv"]
    assert [line.split(",")[0] for line in rows_of(several.output)] == ["input", "0.png"]
    again = enhanced(several, restorer)
    assert (again.skipped, again.restored) == (["0.png"], ["1.png", "2.png", "3.png"])


def test_a_file_without_images_is_named_and_the_others_are_done(several, identity):
    jobs, outcome = find_jobs(several)
    FolderEnhancement(several, identity).run([replace(jobs[0], frames=()), *jobs[1:]], outcome, lambda *_: None)
    assert (outcome.restored, outcome.failed) == (["1.png", "2.png", "3.png"], {"0.png": "holds no image"})
