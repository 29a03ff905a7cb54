"""A folder of the user's own images, of any kind that srexp reads, in any depth."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from srexp.data.image import Intensity, UnreadableImageError
from srexp.data.limit import spread
from srexp.data.patients import patients_of
from srexp.data.read import frames_in, is_dicom
from srexp.data.source import Item, OnError
from srexp.errors import RequestError, did_you_mean

_ONE_IMAGE = (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".dib")
_SEVERAL_IMAGES = (".tif", ".tiff", ".dcm", ".dicom", ".dic", ".ima", ".nii", ".nii.gz")
_DIRECTORY_RECORD = "DICOMDIR"
_ACCEPTED = "PNG, TIFF, JPEG, BMP, DICOM (also without extension) or NIfTI files"


@dataclass(frozen=True)
class Folder:
    """A tree of image files.

    Files are taken by their extension, and by their content when they have none, as DICOM files often do. Hidden
    files and files of other kinds are passed over.

    Args:
        name: Name of the data set.
        root: The folder.
        patients: See `srexp.data.patients.patients_of`.
        fractions: Shares of training, validation and test images.
        intensity: See `srexp.data.read.read_image`.
        on_error: `fail` refuses the data set when a file can't be used, `skip` goes on without it.
        limit: Use at most this many images, of as many patients as possible.
        memory_mb: Memory for decoded images.

    Raises:
        RequestError: From `items`: no such folder, no image in it, or a patient that can't be told.
    """

    name: str
    root: str
    patients: str | None = None
    fractions: list[float] = field(default_factory=lambda: [0.8, 0.1, 0.1])
    intensity: Intensity = "bits"
    on_error: OnError = "fail"
    limit: int | None = None
    memory_mb: int = 1024

    attribution = ""

    def items(self) -> list[Item]:
        """List the images; headers are read only of kinds that may hold several.

        Returns:
            The images in the order of their keys.

        Raises:
            RequestError: See above.
        """
        root = _existing(self.root)
        files = _image_files(root)
        patients = patients_of(files, root, self.patients)
        items = []
        known: dict[tuple[int, int], Sequence[int]] = {}
        for (key, path), patient in zip(files.items(), patients, strict=True):
            frames = _frames(path, known)
            single = len(frames) == 1
            items += [Item(key if single else f"{key}#{frame}", path, frame, patient) for frame in frames]
        return spread(items, self.limit)


def _existing(root: str) -> Path:
    path = Path(root).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.exists():
        raise RequestError("dataset.root is a file", got=root, expected="a folder of images")
    parent = path.parent
    near = did_you_mean(path.name, [each.name for each in parent.iterdir()]) if parent.is_dir() else ""
    raise RequestError(
        "dataset.root is not there",
        got=root,
        expected="an existing folder of images" + (f"; {near}" if near else ""),
        fix="dataset.root=PATH, absolute or relative to the current directory",
    )


def _image_files(root: Path) -> dict[str, Path]:
    """Find the image files, by their path relative to the root with forward slashes."""
    files, others = {}, Counter[str]()
    for relative, path in _walk(root, "", set()):
        if _is_image(path):
            files[os.fsencode(relative).decode("utf-8", "backslashreplace")] = path
        else:
            others[path.suffix.lower() or "no extension"] += 1
    if not files:
        there = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(5)) or "nothing"
        raise RequestError(
            "dataset.root holds no image",
            got=str(root),
            expected=f"{_ACCEPTED}; there are {others.total()} other files ({there})"
            if others
            else f"{_ACCEPTED}; it is empty",
            fix="dataset.root=PATH of a folder with images",
        )
    return dict(sorted(files.items()))


def _walk(folder: Path, prefix: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, Path]]:
    """Yield the files of a tree with their relative paths, following links; each folder once, so that loops end."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as scan:
            visible = [entry for entry in scan if not entry.name.startswith((".", "__MACOSX"))]
    except OSError as error:
        raise RequestError(
            f"dataset.root has a folder that can't be read: {error.strerror}", got=str(folder), fix="chmod, or move it"
        ) from error
    for entry in sorted(visible, key=lambda each: each.name):
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", seen)
        elif entry.is_file():
            yield prefix + entry.name, Path(entry.path)


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(_ONE_IMAGE + _SEVERAL_IMAGES):
        return True
    without_extension = path.suffix == "" or path.suffix[1:].isdecimal()
    return without_extension and path.name != _DIRECTORY_RECORD and is_dicom(path)


def _frames(path: Path, known: dict[tuple[int, int], Sequence[int]]) -> Sequence[int]:
    """List the images in a file; one whose header can't be read has one, which the scan then refuses by name."""
    if path.name.lower().endswith(_ONE_IMAGE):
        return (0,)
    status = path.stat()
    identity = status.st_dev, status.st_ino
    if identity not in known:
        try:
            known[identity] = frames_in(path)
        except UnreadableImageError:
            known[identity] = (0,)
    return known[identity]
