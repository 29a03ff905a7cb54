"""Checkpoints come back as they were, and whatever happens while one is written, the one before it is there."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest

from srexp.errors import SrexpError
from srexp.training.best_epoch import History
from srexp.training.checkpoint import Checkpoint, Checkpoints

ROOT = Path(__file__).parents[2]


def checkpoint(step=8, seed=0, epochs=1):
    rng = np.random.default_rng(seed)

    def arrays():
        return rng.normal(size=(3, 3, 1, 2)).astype(np.float32), rng.normal(size=2).astype(np.float32)

    return Checkpoint(
        step=step,
        history=History(
            epochs=({"loss": 0.1 + step, "val_psnr": math.inf, "lr": 1e-3},) * epochs,
            ended=(1_700_000_000_123,) * epochs,
            best_epoch=epochs,
            best_weights=arrays(),
            warnings=("dead network",),
        ),
        model=arrays(),
        optimizer=(np.int64(step)[...], *arrays()),
        metrics=(np.float32(2.5)[...],),
        seconds=12.25,
        validation_seconds=1 / 3,
        first_loss=None,
    )


def assert_equal(one, other):
    for name in ("model", "optimizer", "metrics"):
        for ours, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(one.history.best_weights, other.history.best_weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    plain = ("step", "seconds", "validation_seconds", "first_loss")
    assert [getattr(one, name) for name in plain] == [getattr(other, name) for name in plain]
    told = ("epochs", "ended", "best_epoch", "warnings", "over")
    assert [getattr(one.history, name) for name in told] == [getattr(other.history, name) for name in told]


def test_it_comes_back_to_the_last_bit(tmp_path):
    saved = checkpoint()
    path = Checkpoints(tmp_path).save(saved)
    fresh = Checkpoints(tmp_path)
    assert_equal(fresh.latest(), saved)
    assert fresh.newest == path


def test_a_training_begins_with_nothing_and_after_no_time():
    start = Checkpoint()
    assert (start.step, start.seconds, start.validation_seconds, start.first_loss) == (0, 0, 0, None)
    assert [len(arrays) for arrays in (start.model, start.optimizer, start.metrics)] == [0, 0, 0]
    assert start.finite()


def test_what_the_course_has_beside_comes_back_too_and_its_weights_count():
    beside = (np.ones(2, np.float32), np.array([7]))
    saved = dataclasses.replace(checkpoint(), beside=beside)
    assert "array" not in repr(saved)  # of a network they would fill pages
    assert saved.finite()
    assert not dataclasses.replace(saved, beside=(np.array([np.inf]),)).finite()


def test_what_a_course_has_beside_is_written_and_read(tmp_path):
    beside = (np.ones(2, np.float32), np.array([7]))
    Checkpoints(tmp_path).save(dataclasses.replace(checkpoint(), beside=beside, first_loss=2.5))
    found = Checkpoints(tmp_path).latest()
    assert found.first_loss == 2.5
    for ours, theirs in zip(found.beside, beside, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_before_the_first_there_is_none(tmp_path):
    assert Checkpoints(tmp_path / "none").latest() is None


def test_two_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (9, 10, 100):
        checkpoints.save(checkpoint(step))
    assert [path.name[:14] for path in checkpoints.files()] == ["step-000000010", "step-000000100"]


def test_the_furthest_is_the_last_however_its_numbers_are_written(tmp_path):
    names = ["step-9-epochs-8-", "step-10-epochs-2-", "step-10-epochs-10-", "step-10-epochs-11-"]
    wanted = [f"{name}{'0' * 16}.npz" for name in names] + [f"{names[-1]}{'0' * 15}a.npz"]
    for name in [*sorted(wanted), "step-11-epochs-1-short.npz", "step-12-epochs-1-0123456789abcdef.NPZ"]:
        (tmp_path / name).touch()
    assert [path.name for path in Checkpoints(tmp_path).files()] == wanted


def test_what_another_process_deletes_meanwhile_is_no_matter(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([folder / "gone.npz"]))
    assert Checkpoints(tmp_path).save(checkpoint()).exists()


def test_objects_of_python_are_never_read(tmp_path):
    content = io.BytesIO()
    np.savez(content, state=np.array([{}], dtype=object))
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    (tmp_path / f"step-000000001-epochs-00000-{digest}.npz").write_bytes(content.getvalue())
    with pytest.raises(SrexpError, match="allow_pickle=False"):
        Checkpoints(tmp_path).latest()


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncated, empty, flipped])
def test_a_damaged_one_is_noticed_and_the_one_before_is_taken(damage, tmp_path, caplog):
    first, checkpoints = checkpoint(8), Checkpoints(tmp_path)
    checkpoints.save(first)
    damaged = checkpoints.save(checkpoint(16))
    damage(damaged)
    fresh = Checkpoints(tmp_path)
    assert_equal(fresh.latest(), first)
    assert f"{damaged} is damaged" in caplog.text
    fresh.save(checkpoint(12))
    assert [path.name[:14] for path in fresh.files()] == ["step-000000008", "step-000000012"]


def test_a_folder_in_place_of_one_is_passed_over(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    first, second = checkpoints.save(checkpoint(step=8)), checkpoints.save(checkpoint(step=16))
    second.unlink()
    second.mkdir()
    again = Checkpoints(tmp_path)
    assert again.latest().step == 8
    assert again.newest == first
    third = again.save(checkpoint(step=24))
    assert set(tmp_path.iterdir()) == {first, second, third}


def test_one_that_may_not_be_read_is_named_and_not_passed_over(tmp_path, monkeypatch):
    place = Checkpoints(tmp_path).save(checkpoint())

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SrexpError, match=f"checkpoint {place} can't be read: Permission denied") as refused:
        Checkpoints(tmp_path).latest()
    assert "permit it" in refused.value.fix


def test_when_all_are_damaged_there_is_none(tmp_path):
    flipped(Checkpoints(tmp_path).save(checkpoint()))
    assert Checkpoints(tmp_path).latest() is None


def test_what_a_crash_left_half_written_is_no_checkpoint(tmp_path):
    kept, checkpoints = checkpoint(8), Checkpoints(tmp_path)
    checkpoints.save(kept)
    half = tmp_path / "step-000000016-epochs-00002-0123456789abcdef.unfinished"
    half.write_bytes(b"PK")
    fresh = Checkpoints(tmp_path)
    assert_equal(fresh.latest(), kept)
    fresh.save(checkpoint(16))
    assert not half.exists()


@pytest.mark.parametrize("fails", ["os.fsync", "pathlib.Path.replace"])
def test_what_can_not_be_written_leaves_what_was_there(fails, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    kept, checkpoints = checkpoint(8), Checkpoints(tmp_path)
    checkpoints.save(kept)
    monkeypatch.setattr(fails, full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(checkpoint(16))
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    assert_equal(Checkpoints(tmp_path).latest(), kept)


def test_one_of_another_version_is_refused_by_name(tmp_path):
    content = io.BytesIO()
    np.savez(content, state=np.frombuffer(b'{"later": true}', dtype=np.uint8))
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    path = tmp_path / f"step-000000001-epochs-00000-{digest}.npz"
    path.write_bytes(content.getvalue())
    with pytest.raises(SrexpError, match=r"another version of srexp\n  got:      \"'sizes'\"") as refused:
        Checkpoints(tmp_path).latest()
    assert str(path) in str(refused.value)


def test_one_of_an_older_version_is_read(tmp_path):
    course = {"history": [{"val_psnr": 30.5}], "ended": [17], "best_epoch": 1, "best_weights": [], "warnings": []}
    stored = {"step": 4, "course": {**course, "over": False}, "model": [], "optimizer": [], "metrics": []}
    stored |= {"seconds": 2.5, "validation_seconds": 0.5, "first_loss": 9.0}
    stored["sizes"] = {"model": 1, "optimizer": 0, "metrics": 0, "best": 1}
    weights = {"model/0": np.ones(2), "best/0": np.zeros(2)}
    content = io.BytesIO()
    np.savez(content, state=np.frombuffer(json.dumps(stored).encode(), dtype=np.uint8), **weights)
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    (tmp_path / f"step-000000004-epochs-00001-{digest}.npz").write_bytes(content.getvalue())
    checkpoints = Checkpoints(tmp_path)
    read = checkpoints.latest()
    assert read.history == History(epochs=({"val_psnr": 30.5},), ended=(17,), best_epoch=1, best_weights=ANY)
    assert (read.step, read.seconds, read.first_loss) == (4, 2.5, 9.0)
    np.testing.assert_array_equal(read.history.best_weights[0], np.zeros(2))
    with np.load(checkpoints.save(read)) as again:  # an older version reads what this one writes
        assert json.loads(again["state"].tobytes()) == stored
        assert set(again) == {"state", *weights}


def test_weights_that_are_no_numbers_are_known(tmp_path):
    assert checkpoint().finite()
    spoilt = checkpoint()
    spoilt.model[1][0] = np.nan
    assert not spoilt.finite()


def test_removing_leaves_nothing_and_spares_others(tmp_path):
    one, other = (Checkpoints(tmp_path / "checkpoints" / name) for name in ("one", "other"))
    one.save(checkpoint())
    other.save(checkpoint())
    one.remove()
    assert other.latest() is not None
    other.remove()
    other.remove()  # nothing is left to remove, which is no matter
    assert list(tmp_path.iterdir()) == []


def test_another_run_that_begins_or_ends_just_now_is_no_matter(tmp_path, monkeypatch):
    one, other = (Checkpoints(tmp_path / "checkpoints" / name) for name in ("one", "other"))
    one.save(checkpoint())
    delete = Path.rmdir
    monkeypatch.setattr(Path, "rmdir", lambda folder: (other.save(checkpoint()), delete(folder)))
    one.remove()
    assert other.latest() is not None
    shutil.rmtree(other.folder)
    monkeypatch.setattr(Path, "rmdir", lambda folder: (delete(folder), delete(folder)))
    one.remove()


KILLING = """
import os, random, signal, sys, time
from pathlib import Path
from unittest.mock import ANY
import numpy as np
from srexp.training.checkpoint import Checkpoint, Checkpoints
folder, chance, seen = Path(sys.argv[1]), random.Random(1), 0

def write(step):
    checkpoints = Checkpoints(folder)
    while True:
        step += 1
        checkpoints.save(Checkpoint(step=step, model=(np.full((300, 300), step, np.float32),)))

for _ in range(40):
    pid = os.fork()
    if not pid:
        write(seen)
    while not any(int(path.name[5:14]) > seen for path in folder.glob("step-*.npz")):
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.02))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    found = Checkpoints(folder).latest()
    assert found.step > seen, (found.step, seen)
    assert (found.model[0] == found.step).all()
    assert len(list(folder.glob("*"))) <= 8  # what kills left is deleted with the next that is written
    seen = found.step
print(seen)
"""


@pytest.mark.system
def test_forty_kills_while_writing_lose_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLING, str(tmp_path / "kept")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 40


@pytest.mark.parametrize("which", ["checkpoints", "checkpoints/a1"])
@pytest.mark.parametrize("make", [Path.touch, lambda place: place.symlink_to("nowhere")], ids=["file", "lost link"])
def test_what_stands_in_the_place_of_the_folder_is_named_and_kept(which, make, tmp_path):
    place = tmp_path / which
    place.parent.mkdir(exist_ok=True)
    make(place)
    with pytest.raises(SrexpError, match=f"{place} is no folder, and the checkpoints of the run were in it"):
        Checkpoints(tmp_path / "checkpoints" / "a1").latest()
    assert os.path.lexists(place)
