"""A folder of the user's own images, of any kind that srexp reads, in any depth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srexp.data.formats.registry import frames_in
from srexp.data.image import UnreachableImageError, UnreadableImageError
from srexp.data.sources.discovery import existing_folder, image_files
from srexp.data.sources.limit import spread
from srexp.data.sources.patients import patients_of
from srexp.data.sources.source import Item, Source, Split
from srexp.errors import RequestError

_TESTED = "test_root/"


@dataclass(frozen=True)
class Folder(Source):
    """A tree of image files.

    Files are taken by their extension, and by their content when they have none, as DICOM files often do. Hidden
    files, thumbnails of file servers and files of other kinds are passed over.

    Args:
        root: The folder.
        patients: See `srexp.data.sources.patients.patients_of`.
        test_root: A folder whose images are the test images, all of them; those of `root` are divided into training and
            validation in the ratio of their fractions. It may lie below `root`.

    Raises:
        RequestError: From `items`: no such folder, no image in it, no image in `root` outside `test_root`, or a
            patient that can't be told.
    """

    root: str
    patients: str | None = None
    test_root: str | None = None

    def items(self) -> list[Item]:
        """List the images by their keys; the content of a file says how many it holds, and not its name."""
        root = existing_folder(self.root, "dataset.root")
        files = image_files(root, "dataset.root")
        if self.test_root is not None:
            files = _beside(files, root, self.test_root)
        known: dict[tuple[int, int], Sequence[int]] = {}
        frames = {key: _frames(path, known) for key, path in files.items()}
        reachable = {key: path for key, path in files.items() if frames[key]}
        patients = dict(zip(reachable, patients_of(reachable, root, self.patients), strict=True))
        items = []
        for key, path in files.items():
            tested = self.test_root is not None and key.startswith(_TESTED)
            split: Split | None = "test" if tested else None
            for frame in frames[key] or (0,):
                name = f"{key}#{frame}" if len(frames[key]) > 1 else key
                items.append(Item(name, path, frame, patients.get(key, key), split))
        return spread(items, self.limit)


def _beside(files: dict[str, Path], root: Path, test_root: str) -> dict[str, Path]:
    """Find the test images, whose keys tell them from files of the same name in `root`, and take them out of these."""
    folder = existing_folder(test_root, "dataset.test_root")
    tested = image_files(folder, "dataset.test_root")
    taken = {os.path.realpath(path) for path in tested.values()}
    others = {key: path for key, path in files.items() if os.path.realpath(path) not in taken}
    if not others:
        raise RequestError(
            "dataset.root holds no image besides those of dataset.test_root",
            got=f"{root} and {folder}",
            expected="other images to train on",
            fix="dataset.test_root=null, which takes a share of the images for the test",
        )
    return {**others, **{f"{_TESTED}{key}": path for key, path in tested.items()}}


def _frames(path: Path, known: dict[tuple[int, int], Sequence[int]]) -> Sequence[int]:
    """List the images in a file: one where the header is damaged, none where it can't be reached; the scan says why."""
    try:
        status = path.stat()
        identity = status.st_dev, status.st_ino
        if identity not in known:
            known[identity] = frames_in(path)
        return known[identity]
    except (UnreachableImageError, OSError):
        return ()
    except UnreadableImageError:
        return (0,)
