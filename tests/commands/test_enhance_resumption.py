"""`enhance` once more, after an end, or by several processes: what is finished stays, what is missing is done."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.cli import run
from srexp.data.formats.registry import read_image
from srexp.errors import RequestError, SrexpError
from tests.commands.enhancing import enhance, rows
from tests.warm_start import Command

pytestmark = pytest.mark.usefixtures("root")


def test_a_second_run_does_what_the_first_did_not(models, tree):
    enhance(models / "identity_x2.keras", tree)
    kept = Path("out/sub/b.tif").read_bytes(), Path("out/sub/b.tif").stat().st_mtime_ns
    Path("out/a.png").unlink()
    Image.new("L", (5, 5)).save(tree / "new.png")
    result = enhance(models / "identity_x2.keras", tree)
    assert (result["restored"], result["skipped"]) == (["a.png", "new.png"], ["sub/1.2.3", "sub/b.tif"])
    assert kept == (Path("out/sub/b.tif").read_bytes(), Path("out/sub/b.tif").stat().st_mtime_ns)
    assert enhance(models / "identity_x2.keras", tree)["restored"] == []


def test_nothing_is_overwritten_unless_told(models, tree):
    Path("out").mkdir()
    Path("out/a.png").write_text("precious")
    with pytest.raises(SrexpError, match=r"1 of 3 files failed\n  a.png: .*overwrite=true") as failed:
        enhance(models / "identity_x2.keras", tree)
    assert failed.value.exit_code == 1
    assert Path("out/a.png").read_text() == "precious"
    result = enhance(models / "identity_x2.keras", tree, overwrite=True)
    assert (result["restored"], len(result["skipped"])) == (["a.png"], 2)
    assert read_image(Path("out/a.png")).pixels.shape == (24, 18, 1)


@pytest.mark.parametrize("change", [{"self_ensemble": True}, {"intensity": "percentile"}, {"model": "plus_x2.keras"}])
@pytest.mark.slow
def test_results_of_other_models_and_options_are_not_mixed(models, tree, change):
    enhance(models / "identity_x2.keras", tree)
    model = models / change.pop("model", "identity_x2.keras")
    with pytest.raises(RequestError, match="another model, or this one with other options"):
        enhance(model, tree, **change)
    assert len(enhance(model, tree, overwrite=True, **change)["restored"]) == 3
    assert enhance(model, tree, **change)["skipped"] == ["a.png", "sub/1.2.3", "sub/b.tif"]


def test_a_changed_input_is_not_taken_for_finished(models, tree):
    enhance(models / "identity_x2.keras", tree)
    Image.new("L", (5, 5)).save(tree / "a.png")
    with pytest.raises(SrexpError, match=r"a\.png"):
        enhance(models / "identity_x2.keras", tree)
    assert enhance(models / "identity_x2.keras", tree, overwrite=True)["restored"] == ["a.png"]


def test_an_interruption_that_a_decoder_in_c_hides_is_no_bad_file(models, tree, root, monkeypatch):
    """Taken for one, it would be forgotten, and all the other files done in spite of it."""
    tried = []

    def decode(_, first, *__):
        tried.append(first.turn.job.name)
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise SrexpError("the file can't be decoded (SystemError)") from None

    monkeypatch.setattr("srexp.experiment.restoration.folder_enhancement.FolderEnhancement._write", decode)
    assert run(["enhance", f"model_uri={models / 'identity_x2.keras'}", f"input={tree}", "output=out"]) == 130
    assert len(tried) == 1


def test_an_interruption_leaves_no_scratch_folder(models, tree, root, monkeypatch):
    """One that comes when a folder was just made finds nobody yet who would delete it."""
    make = tempfile.mkdtemp

    def interrupted(*arguments, **options):
        folder = make(*arguments, **options)
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            signal.raise_signal(signal.SIGTERM)
        return folder

    monkeypatch.setattr("tempfile.mkdtemp", interrupted)
    assert run(["enhance", f"model_uri={models / 'identity_x2.keras'}", f"input={tree}", "output=out"]) == 130
    assert not list(Path("out").rglob(".srexp-*"))


def test_output_may_lie_within_input(models, tree):
    enhance(models / "identity_x2.keras", tree, tree / "out")
    result = enhance(models / "identity_x2.keras", tree, tree / "out")
    assert result["skipped"] == ["a.png", "sub/1.2.3", "sub/b.tif"]


@pytest.mark.system
@pytest.mark.slow
def test_a_stopped_run_goes_on_where_it_was(models, tmp_path, root):
    (tmp_path / "in").mkdir()
    for number in range(100):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (300, 300), np.uint8)).save(
            f"in/{number:02}.png"
        )
    words = ["enhance", f"model_uri={models}/identity_x2.keras", "input=in", "output=out"]
    with Command(words, env=os.environ, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 100
        while not Path("out/02.png").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    done = {path.name for path in Path("out").glob("*.png")}
    assert 3 <= len(done) < 100
    assert not list(Path("out").glob(".srexp-*"))
    result = enhance(models / "identity_x2.keras", "in")
    assert len(result["restored"]) + len(result["skipped"]) == 100
    assert len(result["skipped"]) >= len(done) - 1
    assert {read_image(path).pixels.shape for path in Path("out").glob("*.png")} == {(600, 600, 1)}


def contents(output):
    """All files of an output folder, but those of the program itself."""
    found = sorted(path for path in Path(output).rglob("*") if path.is_file() and ".srexp-shards" not in path.parts)
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in found}


@pytest.mark.slow
def test_shards_make_what_one_process_makes(models, tree):
    for number in range(8):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (6, 9), np.uint8)).save(tree / f"{number}.png")
    (tree / "sub" / "b.png").write_bytes((tree / "0.png").read_bytes())
    options = {"format": "png", "check": True}  # two files named b, and names given with all of them in sight
    enhance(models / "plus_x2.keras", tree, "one", **options)
    results = [enhance(models / "plus_x2.keras", tree, "two", shard=f"{each}/3", **options) for each in (3, 1, 2)]
    assert contents("one").keys() >= {"a.png", "7.png", "sub/b.png", "sub/b.tif.png", "enhanced.csv", "gallery.html"}
    differ = {name for name, content in contents("one").items() if content != contents("two").get(name)}
    assert (differ, contents("one").keys()) == (set(), contents("two").keys())
    assert sum(len(result["restored"]) for result in results) == len(rows("one"))
    assert all(result["restored"] for result in results)
    assert [result["all_shards_ended"] for result in results] == [False, False, True]
    assert [bool(result["gallery"]) for result in results] == [False, False, True]


@pytest.mark.slow
def test_repeated_shards_do_what_is_missing(models, tree):
    for each in (1, 2):
        enhance(models / "plus_x2.keras", tree, shard=f"{each}/2")
    before = contents("out")
    Path("out/a.png").unlink()
    again = [enhance(models / "plus_x2.keras", tree, shard=f"{each}/4") for each in (1, 2, 3, 4)]
    assert [name for result in again for name in result["restored"]] == ["a.png"]
    assert sum(len(result["skipped"]) for result in again) == 2
    assert {**contents("out"), "enhanced.csv": b""} == {**before, "enhanced.csv": b""}
    assert enhance(models / "plus_x2.keras", tree)["restored"] == []


def test_a_file_that_fails_is_of_one_shard(models, tree):
    (tree / "broken.png").write_text("no image")
    failed = []
    for each in (1, 2):
        try:
            enhance(models / "plus_x2.keras", tree, shard=f"{each}/2")
        except SrexpError as error:
            failed += [failure["reason"] for failure in error.result["failed"]]
    assert len(failed) == 1
    assert "broken.png" not in Path("out/gallery.html").read_text()
    assert failed[0] in Path("out/gallery.html").read_text()
    assert sorted(row["input"] for row in rows()) == ["a.png", "sub/1.2.3", "sub/b.tif"]
