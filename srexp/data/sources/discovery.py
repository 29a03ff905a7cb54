"""Image files by a folder, a name or a pattern."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from srexp.data.formats.registry import DICOM_ENDINGS, IMAGE_ENDINGS, is_dicom, is_directory_record
from srexp.errors import RequestError, did_you_mean

_ACCEPTED = "PNG, TIFF, JPEG, BMP, DICOM (also without extension) or NIfTI files"
# Hidden files, and what macOS, Synology, QNAP and Windows leave: copies, thumbnails, and files thrown away.
_PASSED_OVER = (
    ".",
    "__MACOSX",
    "@eaDir",
    "@Recycle",
    "#recycle",
    "#snapshot",
    "$RECYCLE.BIN",
    "System Volume Information",
)


def find_images(named: str, key: str) -> dict[str, Path]:
    """Find the files that a name stands for.

    Args:
        named: A file, a folder (all images below it), or a pattern with `*`, `?`, `[...]` and `**`.
        key: Which key it was typed for.

    Returns:
        Files by their path relative to the folder, or to the last folder before the pattern's first wildcard.

    Raises:
        RequestError: Nothing is there.
    """
    path = Path(named).expanduser()
    if path.is_file():
        return {path.name: path}
    if path.exists() or not glob.has_magic(named):
        return image_files(existing_folder(named, key), key)
    root = path
    while glob.has_magic(str(root)):
        root = root.parent
    found = sorted(root.glob(str(path.relative_to(root))))
    files = [one for one in found if one.is_file() and not _passed_over(one.relative_to(root))]
    if not files:
        existing_folder(str(root), key)
        raise RequestError(
            f"{key} matches no file",
            got=named,
            expected=f"a pattern of {_ACCEPTED}",
            fix="quote the pattern; ** stands for folders of any depth",
        )
    return {one.relative_to(root).as_posix(): one for one in files}


def existing_folder(root: str, key: str) -> Path:
    """Resolve a folder that must be there.

    Args:
        root: What was typed.
        key: Which key it was typed for.

    Returns:
        The folder, absolute.

    Raises:
        RequestError: It is not there, or is a file.
    """
    path = Path(root).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.exists():
        raise RequestError(f"{key} is a file", got=root, expected="a folder of images")
    parent = path.parent
    near = did_you_mean(path.name, [each.name for each in parent.iterdir()]) if parent.is_dir() else ""
    raise RequestError(
        f"{key} is not there",
        got=root,
        expected="an existing folder of images" + (f"; {near}" if near else ""),
        fix=f"{key}=/data/xrays, or a path relative to the current directory",
    )


def image_files(root: Path, key: str) -> dict[str, Path]:
    """Find the image files below a folder; hidden files, thumbnails of file servers and other kinds are passed over.

    Args:
        root: The folder.
        key: Which key named it.

    Returns:
        Files by their path relative to the root with forward slashes, sorted.

    Raises:
        RequestError: There is none, or a folder can't be read.
    """
    files, others = {}, Counter[str]()
    for relative, path in _walk(root, "", set(), key):
        if _is_image(path):
            files[os.fsencode(relative).decode("utf-8", "backslashreplace")] = path
        else:
            others[path.suffix.lower() or "no extension"] += 1
    if not files:
        most = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(5))
        there = f"there are {others.total()} other files ({most})" if others else "it is empty"
        raise RequestError(
            f"{key} holds no image",
            got=str(root),
            expected=f"{_ACCEPTED}; {there}",
            fix=f"{key}=/data/xrays, a folder with images",
        )
    return dict(sorted(files.items()))


def _walk(folder: Path, prefix: str, seen: set[tuple[int, int]], key: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a tree with their relative paths, following links; each folder once, so that loops end."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as scan:
            visible = [entry for entry in scan if not entry.name.startswith(_PASSED_OVER)]
    except OSError as error:
        raise RequestError(
            f"{key} has a folder that can't be read: {error.strerror}", got=str(folder), fix="chmod, or move it"
        ) from error
    for entry in sorted(visible, key=lambda each: each.name):
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", seen, key)
        elif entry.is_file():
            yield prefix + entry.name, Path(entry.path)


def _passed_over(relative: Path) -> bool:
    return any(part.startswith(_PASSED_OVER) for part in relative.parts)


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(IMAGE_ENDINGS):
        return not (name.endswith(DICOM_ENDINGS) and is_directory_record(path))
    without_extension = path.suffix == "" or path.suffix[1:].isdecimal()
    return without_extension and is_dicom(path) and not is_directory_record(path)
