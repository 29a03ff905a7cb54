"""What is planned for a folder; what is done is in tests/commands/test_enhance.py."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import tifffile
from nibabel.spatialimages import HeaderDataError

from srexp.enhance import manifest_parts
from srexp.errors import RequestError
from srexp.experiment.restoration import file_restoration
from srexp.experiment.restoration.folder_enhancement import FolderEnhancement
from srexp.experiment.restoration.jobs import Outcome, find_jobs


def test_files_are_named_with_what_they_become(asked):
    jobs, outcome = find_jobs(asked)
    assert [(job.name, job.target, job.kind) for job in jobs] == [
        ("a.png", "a.png", "png"),
        ("deep/b.png", "deep/b.png", "png"),
    ]
    assert list(outcome.failed) == ["c.png"]


def test_output_replaces_no_input(asked):
    asked.output = asked.output.parent / "in"
    with pytest.raises(RequestError, match="would replace"):
        find_jobs(asked)


def test_a_second_time_nothing_is_left_to_do(asked, identity):
    jobs, outcome = find_jobs(asked)
    shown = []
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *step: shown.append(step))
    assert outcome.restored == outcome.outputs == ["a.png", "deep/b.png"]
    assert shown[0] == (0, "a.png", 0)
    again = Outcome()
    FolderEnhancement(asked, identity).run(jobs, again, lambda *_: None)
    assert (again.restored, again.skipped) == ([], ["a.png", "deep/b.png"])


def test_results_of_another_model_are_not_mixed_in(asked, identity):
    jobs, outcome = find_jobs(asked)
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *_: None)
    other = FolderEnhancement(asked, identity)
    other.manifest.settings = "of another model"
    with pytest.raises(RequestError, match="another model"):
        other.require_same_model([job.name for job in jobs])
    asked.overwrite = True
    other.require_same_model([job.name for job in jobs])


def test_what_another_file_became_is_never_overwritten(asked, identity):
    jobs, outcome = find_jobs(asked)
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *_: None)
    before = (asked.output / "a.png").read_bytes()
    for overwrite in (False, True):
        asked.overwrite, again = overwrite, Outcome()
        taking = replace(jobs[1], target="a.png")  # as the page of a file that wasn't there the first time
        FolderEnhancement(asked, identity).run([taking], again, lambda *_: None)
        assert again.failed == {
            "deep/b.png": "a.png in output is what a.png became (fix: another output=, or move that file away)"
        }
        assert (asked.output / "a.png").read_bytes() == before


def test_a_folder_of_another_file_system_below_output(asked, identity, monkeypatch):
    rename = Path.replace

    def other_device(path, target):
        if Path(target).parent.name == "deep" and path.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", other_device)
    jobs, outcome = find_jobs(asked)
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *_: None)
    assert (outcome.restored, list(outcome.failed)) == (["a.png", "deep/b.png"], ["c.png"])
    assert sorted(path.name for path in asked.output.rglob("*")) == ["a.png", "b.png", "deep", "enhanced.csv"]


@pytest.mark.parametrize("place", ["read-only", "circle", "file"])
def test_a_place_of_a_result_that_cannot_be_written_is_told_from_an_image_that_cannot_be_read(
    asked, identity, monkeypatch, place
):
    asked.output.mkdir()
    if place == "circle":
        (asked.output / "deep").symlink_to("deep")
    elif place == "file":
        (asked.output / "deep").touch()
    else:  # whoever runs the tests may write everywhere
        rename = Path.replace

        def refusing(path, target):
            if Path(target).parent.name == "deep":
                raise PermissionError(errno.EACCES, "Permission denied", str(target))
            return rename(path, target)

        monkeypatch.setattr(Path, "replace", refusing)
    jobs, outcome = find_jobs(asked)
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *_: None)
    assert outcome.restored == ["a.png"]
    said = outcome.failed["deep/b.png"]
    assert said.startswith("output can't be written: ")
    assert said.endswith("(fix: permit it, or output= another folder)")


def test_an_output_that_may_not_be_looked_into_is_a_wrong_request(asked, monkeypatch):
    looked = Path.is_symlink

    def closed(path):
        if path.name == manifest_parts.FOLDER:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return looked(path)

    monkeypatch.setattr(Path, "is_symlink", closed)
    with pytest.raises(RequestError, match="output can't be written: Permission denied"):
        manifest_parts.join(asked.output, lambda _: None)


EVERY = [
    *(
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        AssertionError,
        RuntimeError,
        OSError,
        struct.error,
        MemoryError,
    ),
    *(zlib.error, StopIteration, RecursionError, NotImplementedError, tifffile.TiffFileError, HeaderDataError),
]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("place", "kind"),
    [
        *(("write_images", kind) for kind in EVERY),
        *(("read_image", kind) for kind in (OSError, MemoryError, struct.error)),
        *(("Restorer._compare", kind) for kind in (RuntimeError, RecursionError)),
        *(("Restorer.interpolate", kind) for kind in (StopIteration, AssertionError)),
    ],
)
def test_whatever_one_file_raises_the_others_are_done(asked, identity, monkeypatch, place, kind):
    module = "srexp.experiment.restoration.file_restoration"
    *owner, name = place.split(".")
    whole = getattr(getattr(file_restoration, owner[0]) if owner else file_restoration, name)
    calls = []

    def planted(*arguments, **options):
        calls.append(place)
        if len(calls) == 1:
            raise kind("planted")
        return whole(*arguments, **options)

    monkeypatch.setattr(f"{module}.{place}", planted)
    asked.compare = True
    jobs, outcome = find_jobs(asked)
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *_: None)
    assert (outcome.restored, sorted(outcome.failed)) == (["deep/b.png"], ["a.png", "c.png"])
    assert "Error" not in outcome.failed["a.png"]
    assert not list(asked.output.rglob(".srexp-*"))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_who_ends_the_command_ends_it(asked, identity, monkeypatch, kind):
    monkeypatch.setattr("srexp.experiment.restoration.file_restoration.write_images", Mock(side_effect=kind))
    jobs, outcome = find_jobs(asked)
    with pytest.raises(kind):
        FolderEnhancement(asked, identity).run(jobs, outcome, lambda *_: None)


@pytest.mark.parametrize(
    "name", [r"$\frac$.png", "$$.png", r"a\$b$.png", "\u75c5\u4f8b.png", "\u202e$x_{.png", b"\xff.png"]
)
def test_a_name_is_drawn_as_it_is(asked, identity, name):
    folder = asked.output.parent / "named"
    folder.mkdir()
    shutil.copy(asked.output.parent / "in" / "a.png", folder / os.fsdecode(name))
    asked.input, asked.compare = str(folder), True
    jobs, outcome = find_jobs(asked)
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *_: None)
    assert (len(outcome.restored), outcome.failed) == (1, {})
