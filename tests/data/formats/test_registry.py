"""Whatever a file is called, its reader is found by its content, and asked in a process with bounds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.data.formats import readers, registry
from srexp.data.formats.registry import frames_in, read_ahead, read_image, shape_of
from srexp.data.formats.signatures import kind_of
from srexp.data.image import UnreadableImageError
from srexp.system import confinement


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "tiff"])
def test_a_misleading_name_does_not_mislead(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "image.dcm"
    Image.fromarray(np.arange(80, dtype=np.uint8).reshape(8, 10)).save(path, format=kind.upper())
    assert kind_of(path) == kind
    assert (list(frames_in(path)), shape_of(path), read_image(path).pixels.shape) == ([0], (8, 10), (8, 10, 1))


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (b"text", "is no PNG"), (b"\x89PNG\r\n\x1a\n", "damaged")]
)
def test_what_is_no_image_is_refused_by_every_function(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(content)
    for ask in (shape_of, read_image):
        with pytest.raises(UnreadableImageError, match=reason):
            ask(path)


def write(path: Path, value: int, side: int = 4) -> Path:
    Image.fromarray(np.full((side, side), value, np.uint8)).save(path)
    return path


def told(path: Path, frame: int = 0) -> int | str:
    """Give the value of a plain image, or why there is none."""
    try:
        return int(read_image(path, frame).pixels.max())
    except UnreadableImageError as error:
        return error.reason


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that the process with bounds was asked for."""
    made: list[str] = []

    class Begun(registry.Begun):  # type: ignore[type-arg]
        def __init__(self, returns, function, *arguments):
            made.append(function.__name__)
            super().__init__(returns, function, *arguments)

    monkeypatch.setattr(registry, "Begun", Begun)
    return made


def test_small_images_are_handed_over_several_at_a_time(tmp_path: Path, calls: list[str]) -> None:
    paths = [write(tmp_path / f"{value:02}.png", value) for value in range(40)]
    with read_ahead([(path, 0, "bits") for path in paths]):
        assert [told(path) for path in paths] == list(range(40))
    assert calls == ["answer", *["first_images"] * 3]


def test_a_large_file_is_decoded_alone_while_something_else_is_done(tmp_path: Path, calls: list[str]) -> None:
    chance = np.random.default_rng(1)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.fromarray(chance.integers(0, 256, (300, 300), np.uint8)).save(path)
    with read_ahead([(path, 0, "bits") for path in paths]):
        for number, path in enumerate(paths, 1):
            assert read_image(path).pixels.shape == (300, 300, 1)
            assert calls == ["answer"] * min(number + 1, 3)


def test_small_files_of_many_pixels_are_not_handed_over_together(tmp_path: Path, calls: list[str]) -> None:
    paths = [write(tmp_path / f"{value}.png", value, side=1500) for value in range(4)]
    assert [len(images) for images in (readers.first_images([("png", path, 0, "bits") for path in paths]),)] == [1]
    with read_ahead([(path, 0, "bits") for path in paths]):
        assert [told(path) for path in paths] == [0, 1, 2, 3]


def test_what_is_read_ahead_is_the_image_as_it_is_when_it_is_asked_for(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{value}.png", value) for value in range(6)]
    with read_ahead([(path, 0, "bits") for path in paths]):
        assert told(paths[0]) == 0
        write(paths[2], 9)
        paths[3].unlink()
        assert told(paths[2]) == 9, "changed meanwhile, and the one before it left out"
        assert "can't be read" in str(told(paths[3]))
        assert told(paths[5]) == 5
        assert told(paths[4]) == 4, "in another order"
    assert told(paths[1]) == 1


def test_what_cannot_be_used_is_refused_by_itself_and_spoils_no_other(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{value}.png", value) for value in range(8)]
    for broken in (2, 3, 7):
        paths[broken].write_bytes(paths[broken].read_bytes()[:40])
    np.save(tmp_path / "plain.npy", np.full((1, 4, 4), 8, np.uint8))
    images = [*((path, 0) for path in paths), (paths[1], 1), (tmp_path / "plain.npy", 0), (paths[1], 0), (paths[1], 0)]
    with read_ahead([(path, frame, "bits") for path, frame in images]):
        found = [told(path, frame) for path, frame in images]
    damaged = "is damaged"
    assert [damaged if isinstance(each, str) and "damaged" in each else each for each in found] == [
        *[0, 1, damaged, damaged, 4, 5, 6, damaged],
        *["has no frame 1", 8, 1, 1],
    ]


def test_where_several_at_a_time_take_too_long_each_is_read_by_itself(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(registry, "_BATCH_SECONDS", 0.2)
    monkeypatch.setattr(confinement, "SECONDS", 1.0)
    paths = [write(tmp_path / f"{value}.png", value) for value in range(4)]
    monkeypatch.setattr(registry, "first_images", time.sleep)  # of what is no number of seconds
    with read_ahead([(path, 0, "bits") for path in paths]):
        assert [told(path) for path in paths] == [0, 1, 2, 3]


def test_what_a_header_answers_has_less_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that took nearly all the time for each question would take it for three."""
    asked = {}

    class Noted(registry.Begun):  # type: ignore[type-arg]
        def __init__(self, returns, function, kind, action, *arguments) -> None:  # type: ignore[no-untyped-def]
            super().__init__(returns, function, kind, action, *arguments)
            asked[action] = self._seconds

    monkeypatch.setattr(registry, "Begun", Noted)
    path = write(tmp_path / "image.png", 3)
    shape_of(path)
    read_image(path)
    assert asked == {"shape_of": registry.HEADER_SECONDS, "read": confinement.SECONDS}


def test_nothing_is_decoded_any_more_that_nobody_will_ask_for(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{value}.png", value) for value in range(4)]

    def interrupted() -> None:
        with read_ahead([(path, 0, "bits") for path in paths]):
            assert told(paths[0]) == 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not registry._ahead._begun
    assert not registry._ahead._coming
