"""Files that cost more than they look are read or refused within bounds.

The fast lane holds them to smaller bounds; the slow one takes larger files and srexp's own bounds.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from srexp.data.dicom import header
from srexp.data.formats.readers import answer
from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.formats.signatures import kind_of
from srexp.data.formats.writers import write_images
from srexp.data.image import Stored, UnreadableImageError
from srexp.data.restored_image import Origin, Provenance, Restored
from srexp.system import confinement
from srexp.system.memory import peak_bytes
from tests.data.costly_files import FILES, MIB, REASONS, inserted, items, jpeg, many, tiff_pages

MADE = Provenance("models:/a/1", "0" * 64, "1", 2)
GIB = 2**30

Cost = tuple[str | None, int, float]


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Cost]:
    """What using a file leads to, bytes of this process and the largest that read, processor seconds of all."""
    end, largest, seconds = confinement._Worker.end, [0], [0.0]

    def busy(worker: confinement._Worker) -> float:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(worker.process.pid).cpu_times()
            return times.user + times.system
        return 0.0

    def look(worker: confinement._Worker) -> None:
        seconds.append(busy(worker))
        with suppress(OSError, IndexError):
            status = Path(f"/proc/{worker.process.pid}/status").read_text()
            largest.append(int(status.partition("VmHWM:")[2].split()[0]) * 1024)

    def watched(worker: confinement._Worker) -> None:
        look(worker)
        end(worker)

    def spent(path: Path) -> Cost:
        for worker in confinement._idle[False]:  # of an earlier file, whose peak and time are forgotten
            seconds.append(-busy(worker))
            with suppress(OSError):
                Path(f"/proc/{worker.process.pid}/clear_refs").write_text("5")
        before, started = peak_bytes(), time.process_time()
        reason = used(path)
        for worker in confinement._idle[False]:
            look(worker)
        size = max(0, peak_bytes() - before) + max(largest)
        return reason, size, time.process_time() - started + sum(seconds)

    monkeypatch.setattr(confinement._Worker, "end", watched)
    return spent


def used(path: Path) -> str | None:
    """Do what `enhance`, `serve`, `data` and training do with a file; give the reason where it was refused."""
    try:
        frames = frames_in(path)
        shape_of(path)
        image = read_image(path, frames[0])
        for frame in frames[1:20]:
            read_image(path, frame)
        kind = kind_of(path)
        if kind != "npy" and image.pixels.size < 10**6 and (len(frames) == 1 or kind == "dicom"):
            write_images(path.parent, "out", kind, Origin(path, kind, (0,), "bits"), MADE, images=[restored(image)])
    except UnreadableImageError as error:
        return error.told()
    return None


def restored(image: Stored) -> Restored:
    height, width, channels = image.pixels.shape
    return Restored.of(image, 0, 2, iter([np.zeros((2 * height, 2 * width, channels), np.float32)]))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", FILES)
def test_a_costly_file_is_read_or_refused_within_bounds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: Callable[[Path], Cost]
) -> None:
    # Where another bound is met, a busy machine meets it late.
    monkeypatch.setattr(confinement, "SECONDS", 60.0 if name in REASONS else 0.5)
    monkeypatch.setattr(confinement, "MEMORY_BYTES", 128 * MIB)
    path = tmp_path / "file.nii.gz"
    path.write_bytes(FILES[name](1))
    reason, size, seconds = cost(path)

    assert seconds < 10
    assert size < 400 * MIB
    assert REASONS.get(name, "") in (reason or "")


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_larger_one_is_held_to_two_gib_and_twenty_seconds(
    name: str, tmp_path: Path, cost: Callable[[Path], Cost]
) -> None:
    path = tmp_path / "file.nii.gz"
    path.write_bytes(FILES[name](10))
    _, size, seconds = cost(path)

    assert seconds < 20
    assert size < 2 * GIB


def test_elements_are_counted_with_those_of_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes what is made of the image goes through all of them, in the process that nothing bounds."""
    path = tmp_path / "file.dcm"
    path.write_bytes(inserted(struct.pack("<HHIHHI", 0x40, 0xA730, 408, 0xFFFE, 0xE000, 400) + many(50)))
    monkeypatch.setattr(header, "_MOST_ELEMENTS", 100)
    with pytest.raises(UnreadableImageError, match=r"has 1\d\d elements, where 100 are read"):
        answer("dicom", "shape_of", path)


def test_empty_items_are_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(items(200))
    monkeypatch.setattr(header, "_MOST_ELEMENTS", 200)
    with pytest.raises(UnreadableImageError, match=r"has 2\d\d elements, where 200 are read"):
        answer("dicom", "shape_of", path)


def test_a_file_that_met_a_bound_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(items(96_000))
    monkeypatch.setattr(confinement, "SECONDS", 0.3)
    with pytest.raises(UnreadableImageError, match=r"takes more than 0.3 s"):
        read_image(path)
    monkeypatch.setattr(confinement, "SECONDS", 60)  # in which it would be read

    with pytest.raises(UnreadableImageError, match=r"takes more than 0.3 s"):
        read_image(path)
    path.write_bytes(jpeg())
    assert read_image(path).pixels.shape == (64, 64, 1)


def test_many_pages_are_read_in_time_that_grows_with_their_number(tmp_path: Path) -> None:
    """Where a page lies was once looked for from the beginning of the file, for each page."""

    def busy() -> float:
        return sum(sum(psutil.Process(each.process.pid).cpu_times()[:2]) for each in confinement._idle[False])

    def seconds(pages: int) -> float:
        path = tmp_path / f"{pages}.tif"
        path.write_bytes(tiff_pages(pages))
        started = busy()
        for frame in frames_in(path):
            read_image(path, frame)
        return busy() - started

    assert seconds(10) >= 0  # and the process that reads is there
    assert seconds(600) < 40 * max(seconds(60), 0.02)
