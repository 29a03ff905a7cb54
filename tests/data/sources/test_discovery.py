"""Files, folders and patterns."""

from pathlib import Path

import pytest
from PIL import Image

from srexp.data.sources.discovery import find_images
from srexp.errors import RequestError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.png", "sub/b.png", "sub/deep/c.bmp", "out/a.png", "x[1].png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(path)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes((tmp_path / "a.png").read_bytes())
    return tmp_path


def test_a_folder_with_all_below_it(tree: Path) -> None:
    found = find_images(str(tree), "input")
    assert list(found) == ["a.png", "out/a.png", "sub/b.png", "sub/deep/c.bmp", "x[1].png"]
    assert found["sub/b.png"] == tree / "sub" / "b.png"


def test_images_of_kinds_that_are_not_read_are_left_out_with_one_word(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    find_images(str(tree), "input")
    assert not caplog.messages  # of notes and lists nothing is said
    for name in ("b.GIF", "sub/c.webp", "sub/d.webp", "e.jp2"):
        (tree / name).write_bytes(b"an image")
    assert len(find_images(str(tree), "input")) == len(find_images(str(tree), "input")) == 5
    [said] = caplog.messages
    assert said.startswith("input: images of kinds that srexp doesn't read are left out: 1 .gif, 1 .jp2, 2 .webp")


def test_a_jpeg_as_windows_calls_it_is_an_image_and_a_volume_of_two_files_is_told(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("d.JFIF", "e.hdr", "e.img", "f.mgz"):
        (tree / name).write_bytes(b"an image")
    assert "d.JFIF" in find_images(str(tree), "input")
    assert "1 .hdr, 1 .img, 1 .mgz" in caplog.messages[0]


def test_links_to_nothing_that_a_pattern_matches_are_told(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tree / "lost.png").symlink_to(tree / "gone.png")
    assert list(find_images(str(tree / "*.png"), "input")) == ["a.png", "x[1].png"]
    [said] = caplog.messages
    assert said == "input: links to what isn't there are left out: 1 (fix: fetch what they stand for)"


def test_a_file_whatever_its_name(tree: Path) -> None:
    assert list(find_images(str(tree / "x[1].png"), "input")) == ["x[1].png"]
    assert list(find_images(str(tree / "notes.txt"), "input")) == ["notes.txt"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.png", ["a.png", "x[1].png"]),
        ("**/*.png", ["a.png", "out/a.png", "sub/b.png", "x[1].png"]),
        ("sub/*", ["b.png"]),
        ("s?b/**/c.*", ["sub/deep/c.bmp"]),
        ("sub/d*/c.bmp", ["deep/c.bmp"]),
    ],
)
def test_patterns_keep_the_tree_below_their_fixed_part(tree: Path, pattern: str, names: list[str]) -> None:
    assert list(find_images(str(tree / pattern), "input")) == names


def test_relative_patterns(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert list(find_images("*.png", "input")) == ["a.png", "x[1].png"]
    assert list(find_images("./sub/**/*.bmp", "input")) == ["deep/c.bmp"]


@pytest.mark.parametrize(
    ("named", "told"), [("sbu", "did you mean sub"), ("*.tif", "matches no file"), ("sbu/*.png", "did you mean sub")]
)
def test_what_is_not_there_is_told(tree: Path, named: str, told: str) -> None:
    with pytest.raises(RequestError, match=told) as refused:
        find_images(str(tree / named), "input")
    assert "input" in str(refused.value)
    assert "dataset" not in str(refused.value)


@pytest.mark.parametrize(
    "left", ["@eaDir/a.png/SYNOPHOTO_THUMB_M.png", ".@__thumb/a.png", "@Recycle/a.png", "._a.png", "__MACOSX/a.png"]
)
def test_what_file_servers_leave_is_no_image_of_the_folder(tree: Path, left: str) -> None:
    path = tree / "sub" / left
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)
    (tree / "sub" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    for named in ("sub", "sub/**/*.png"):
        assert {Path(name).name for name in find_images(str(tree / named), "input")} <= {"b.png", "c.bmp"}


def test_what_is_not_there_might_have_been_a_file_as_well(tmp_path):
    with pytest.raises(RequestError, match=r"input is not there[\s\S]*an existing file or folder"):
        find_images(str(tmp_path / "scan.png"), "input")
