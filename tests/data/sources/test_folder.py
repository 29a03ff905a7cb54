"""What a folder holds, and what is said when it holds nothing of use."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file

from srexp.data.sources.folder import Folder
from srexp.errors import RequestError


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return path


def place(source: str | Path, *targets: Path) -> None:
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def keys(root: Path, **options: object) -> list[str]:
    return [item.key for item in Folder("f", str(root), **options).items()]


def test_any_depth_and_case_and_a_stable_order(tmp_path: Path, picture: Path) -> None:
    place(picture, *(tmp_path / name for name in ("b.PNG", "a/z.jpeg", "a/b/c.BMP", "A.Tiff")))
    assert keys(tmp_path) == ["A.Tiff", "a/b/c.BMP", "a/z.jpeg", "b.PNG"]


def test_keys_do_not_tell_where_the_folder_lies(tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(picture, tmp_path / "one/x/a.png", tmp_path / "two/x/a.png")
    monkeypatch.chdir(tmp_path)
    assert keys(tmp_path / "one") == keys(Path("two")) == ["x/a.png"]
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert keys(tmp_path / "link") == ["x/a.png"]


def test_dicom_is_known_without_extension(tmp_path: Path, picture: Path) -> None:
    place(get_testdata_file("MR_small.dcm"), *(tmp_path / name for name in ("IM0001", "1.2.840.5", "a.ima", "b.dcm")))
    place(picture, tmp_path / "c.png", tmp_path / "picture_without_extension")
    (tmp_path / "README").write_text("text")
    assert keys(tmp_path) == ["1.2.840.5", "IM0001", "a.ima", "b.dcm", "c.png"]


def test_directory_records_and_hidden_files_are_passed_over(tmp_path: Path, picture: Path) -> None:
    place(
        get_testdata_file("DICOMDIR"), *(tmp_path / name for name in ("DICOMDIR", "dicomdir", "DICOMDIR.dcm", "0001"))
    )
    place(picture, *(tmp_path / name for name in (".hidden.png", "._a.png", ".git/x.png", "__MACOSX/a.png", "a.png")))
    assert keys(tmp_path) == ["a.png"]


def test_an_image_is_one_by_its_content_even_under_the_name_of_a_directory_record(tmp_path: Path) -> None:
    place(get_testdata_file("MR_small.dcm"), tmp_path / "DICOMDIR")
    assert keys(tmp_path) == ["DICOMDIR"]


def test_frames_of_a_file_are_images_of_one_patient(tmp_path: Path, samples_dir: Path) -> None:
    place(samples_dir / "emri_small.dcm", tmp_path / "m.dcm")
    tifffile.imwrite(tmp_path / "t.tif", np.zeros((3, 8, 9), np.uint8), photometric="minisblack")
    items = Folder("f", str(tmp_path)).items()
    assert [item.key for item in items] == [f"m.dcm#{n}" for n in range(10)] + [f"t.tif#{n}" for n in range(3)]
    assert {item.patient for item in items} == {"m.dcm", "t.tif"}
    assert [item.frame for item in items] == [*range(10), *range(3)]


def test_file_with_a_damaged_header_is_listed_so_that_it_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bad.dcm").write_bytes(b"\0" * 128 + b"DICM\xff\xff")
    (tmp_path / "empty.tif").touch()
    assert keys(tmp_path) == ["bad.dcm", "empty.tif"]


def test_links_in_a_circle_end(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "a/b.png")
    (tmp_path / "a/again").symlink_to(tmp_path)
    assert keys(tmp_path) == ["a/b.png"]


def test_folder_that_cannot_be_read_is_an_entry(tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan refuses it by name, or passes it over, as `on_error` says; only the root must be there."""
    place(picture, tmp_path / "a.png", tmp_path / "closed.2024/b.png")
    scandir = os.scandir

    def denied(folder: Path) -> object:  # a mode would not stop the superuser
        if Path(folder).name in denied_names:
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    denied_names = ["closed.2024"]
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", denied)
        assert keys(tmp_path) == ["a.png", "closed.2024"]
        denied_names.append(tmp_path.name)
        with pytest.raises(RequestError, match=r"can't be read: Permission denied\s+got:\s+'.*'"):
            keys(tmp_path)


@pytest.mark.parametrize("ending", [".png", ""])
def test_entry_that_no_system_call_reaches_is_an_entry(
    tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    place(picture, tmp_path / "12_a.png")
    (tmp_path / f"loop{ending}").symlink_to(tmp_path / f"loop{ending}")
    (tmp_path / f"long{ending}").symlink_to(tmp_path / ("x" * 300))
    (tmp_path / f"stale{ending}").touch()
    stat = Path.stat

    def stale(path: Path, **options: bool) -> os.stat_result:
        if path.name.startswith("stale"):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", stale)
    expected = {"12_a.png": "12", **{key: key for key in (f"long{ending}", f"loop{ending}", f"stale{ending}")}}
    items = Folder("mine", str(tmp_path), patients=r"^(\d+)").items()
    assert {item.key: item.patient for item in items} == expected


def test_pipe_socket_and_device_are_entries_and_never_opened(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "a.png")
    for name in ("pipe.png", "pipe"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.dcm"))
    assert keys(tmp_path) == ["a.png", "pipe.png", "s.dcm", "zero.png"]


def test_tree_deeper_than_python_calls_itself(tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(picture, tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):  # relative, for the whole path is longer than a call takes
        Path("d").mkdir()
        os.chdir("d")
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(tmp_path)
            assert keys(tmp_path) == ["a.png"]
    finally:
        for _ in range(1200):
            os.chdir("..")
            Path("d").rmdir()


def test_links_to_nothing_are_passed_over_with_one_word(
    tmp_path: Path, picture: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Data sets whose content is fetched later have one for each image; without a word there would be fewer images."""
    place(picture, tmp_path / "a.png")
    for name in ("b.png", "x/c.dcm", "x/1.2.3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(tmp_path / "gone")
    assert keys(tmp_path) == keys(tmp_path) == ["a.png"]
    [said] = caplog.messages
    assert said.startswith("dataset.root: links to what isn't there are left out: 3 ")
    (tmp_path / "a.png").unlink()
    with pytest.raises(RequestError, match="there are 3 links to what isn't there"):
        keys(tmp_path)


def test_name_in_no_known_encoding_has_a_key_that_can_be_written(tmp_path: Path, picture: Path) -> None:
    shutil.copy(picture, bytes(tmp_path) + b"/m\xfcller.png")
    (key,) = keys(tmp_path)
    assert key.encode("utf-8") == b"m\\xfcller.png"


def test_patients_come_from_the_names(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "00000001_000.png", tmp_path / "00000001_001.png", tmp_path / "00000002_000.png")
    patients = [item.patient for item in Folder("f", str(tmp_path), patients=r"^(\d{8})").items()]
    assert patients == ["00000001", "00000001", "00000002"]


def test_patients_come_from_dicom(tmp_path: Path) -> None:
    place(get_testdata_file("MR_small.dcm"), tmp_path / "a.dcm", tmp_path / "b.dcm")
    place(get_testdata_file("CT_small.dcm"), tmp_path / "c.dcm")
    first, second, third = (item.patient for item in Folder("f", str(tmp_path), patients="dicom").items())
    assert first == second != third


def test_file_without_a_dicom_patient_is_named(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "a.png")
    with pytest.raises(RequestError, match=r"dataset.patients=dicom finds no patient in a\.png"):
        keys(tmp_path, patients="dicom")


def test_limit_takes_many_patients_before_many_images(tmp_path: Path, picture: Path) -> None:
    place(picture, *(tmp_path / f"{patient}_{number}.png" for patient in "abc" for number in range(3)))
    assert keys(tmp_path, patients="^(.)", limit=4) == ["a_0.png", "a_1.png", "b_0.png", "c_0.png"]
    assert len(keys(tmp_path, limit=100)) == 9


def test_limit_of_nothing_is_refused(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "a.png")
    with pytest.raises(RequestError, match=r"dataset.limit is not positive\s+got:\s+0"):
        keys(tmp_path, limit=0)


def test_missing_folder_is_named_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(
        RequestError, match=r"dataset.root is not there[\s\S]*imagse[\s\S]*did you mean images\?"
    ) as caught:
        keys(tmp_path / "imagse")
    assert caught.value.exit_code == 2


def test_file_instead_of_a_folder(picture: Path) -> None:
    with pytest.raises(RequestError, match=r"dataset\.root is a file"):
        keys(picture)


def test_empty_folder_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"holds no image[\s\S]*PNG, TIFF, JPEG, BMP, DICOM[\s\S]*it is empty"):
        keys(tmp_path)


def test_folder_of_text_says_what_is_there(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.csv", "notes"):
        (tmp_path / name).write_text("text")
    with pytest.raises(RequestError, match=r"4 other files \(2 \.txt, 1 \.csv, 1 no extension\)"):
        keys(tmp_path)


def test_listing_needs_no_decoder(tmp_path: Path, picture: Path) -> None:
    place(picture, *(tmp_path / f"{number}.png" for number in range(3)))
    code = (
        "import sys; from srexp.data.sources.folder import Folder; "
        f"Folder('f', {str(tmp_path)!r}).items(); "
        "print([name for name in ('pydicom', 'PIL', 'tifffile', 'nibabel') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Test images in a folder of their own


def splits(root: Path, **options: object) -> dict[str, str | None]:
    return {item.key: item.split for item in Folder("f", str(root), **options).items()}


def test_test_images_may_lie_in_another_folder(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "one/a.png", tmp_path / "one/b.png", tmp_path / "two/a.png")
    found = splits(tmp_path / "one", test_root=str(tmp_path / "two"))
    assert found == {"a.png": None, "b.png": None, "test_root/a.png": "test"}


def test_a_folder_below_the_root_is_taken_out_of_it(tmp_path: Path, picture: Path) -> None:
    place(picture, *(tmp_path / name for name in ("a.png", "held/b.png", "other/c.png")))
    (tmp_path / "link.png").symlink_to(tmp_path / "held/b.png")
    found = splits(tmp_path, test_root=str(tmp_path / "held"))
    assert found == {"a.png": None, "other/c.png": None, "test_root/b.png": "test"}


def test_patients_are_sought_in_both_folders(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "one/p1_0.png", tmp_path / "two/p1_1.png", tmp_path / "two/p2_0.png")
    items = Folder("f", str(tmp_path / "one"), patients="^(p.)", test_root=str(tmp_path / "two")).items()
    assert [item.patient for item in items] == ["p1", "p1", "p2"]


def test_frames_of_a_test_file_are_test_images(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "one/a.png")
    (tmp_path / "two").mkdir()
    tifffile.imwrite(tmp_path / "two/t.tif", np.zeros((2, 8, 9), np.uint8), photometric="minisblack")
    found = splits(tmp_path / "one", test_root=str(tmp_path / "two"))
    assert found == {"a.png": None, "test_root/t.tif#0": "test", "test_root/t.tif#1": "test"}


def test_a_test_folder_that_cannot_be_used_is_named_by_its_key(tmp_path: Path, picture: Path) -> None:
    place(picture, tmp_path / "one/a.png")
    with pytest.raises(RequestError, match=r"dataset\.test_root is not there"):
        splits(tmp_path / "one", test_root=str(tmp_path / "two"))
    with pytest.raises(RequestError, match=r"no image besides those of dataset\.test_root"):
        splits(tmp_path / "one", test_root=str(tmp_path / "one"))


def test_the_content_says_how_many_images_a_file_holds(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.png", np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "b.tif", format="JPEG")
    assert keys(tmp_path) == ["a.png#0", "a.png#1", "a.png#2", "b.tif"]
