"""Image files by a folder, a name or a pattern."""

from __future__ import annotations

import glob
import logging
import os
import stat
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from srexp.data.formats.signatures import DICOM_ENDINGS, IMAGE_ENDINGS, OTHER_ENDINGS, is_dicom, is_directory_record
from srexp.errors import RequestError, did_you_mean
from srexp.system.masking.pseudonyms import remember

log = logging.getLogger(__name__)

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
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            remember([_key(path.name)])
            return {_key(path.name): path}
    except OSError:
        if glob.has_magic(named):
            return _matching(path, named, key)
    return image_files(existing_folder(named, key, "an existing file or folder of images, or a pattern"), key)


def _matching(path: Path, named: str, key: str) -> dict[str, Path]:
    root = path
    while glob.has_magic(str(root)):
        root = root.parent
    found = sorted(root.glob(str(path.relative_to(root))))
    files = [one for one in found if not _passed_over(one.relative_to(root)) and _is_there(one)]
    if not files:
        existing_folder(str(root), key)
        raise RequestError(
            f"{key} matches no file",
            got=named,
            expected=f"a pattern of {_ACCEPTED}",
            fix="quote the pattern; ** stands for folders of any depth",
        )
    if lost := sum(_is_lost(one) for one in found):
        _tell_left_out(root, key, *_lost_links(lost))
    named_by = {_key(one.relative_to(root).as_posix()): one for one in files}
    remember(named_by)
    return named_by


def existing_folder(root: str, key: str, expected: str = "an existing folder of images") -> Path:
    """Resolve a folder that must be there.

    Args:
        root: What was typed.
        key: Which key it was typed for.
        expected: What there might be.

    Returns:
        The folder, absolute.

    Raises:
        RequestError: It is not there, or is a file.
    """
    path = Path(root).expanduser()
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return path.resolve()
    except (FileNotFoundError, NotADirectoryError):
        near = did_you_mean(path.name, [each.name for each in path.parent.glob("*")])
        raise RequestError(
            f"{key} is not there",
            got=root,
            expected=expected + (f"; {near}" if near else ""),
            fix=f"{key}=/data/xrays, or a path relative to the current directory",
        ) from None
    except OSError as error:
        raise _closed(key, path, error) from error
    raise RequestError(f"{key} is a file", got=root, expected="a folder of images")


def image_files(root: Path, key: str) -> dict[str, Path]:
    """Find the image files below a folder; hidden files, thumbnails of file servers and other kinds are passed over.

    Images of kinds that srexp doesn't read, as their names say, and links to what isn't there are passed over with a
    warning.

    Args:
        root: The folder.
        key: Which key named it.

    Returns:
        Files by their path relative to the root with forward slashes, sorted.

    Raises:
        RequestError: There is none, or the root can't be read.
    """
    files, others, lost = {}, Counter[str](), 0
    for relative, path, is_image in _walk(root, key):
        if is_image:
            files[_key(relative)] = path
        elif _is_lost(path):
            lost += 1
        else:
            others[path.suffix.lower() or "no extension"] += 1
    if not files:
        most = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(5))
        there = f"there are {others.total()} other files ({most})" if others else "it is empty"
        there = f"there are {lost} links to what isn't there" if lost else there
        raise RequestError(
            f"{key} holds no image",
            got=str(root),
            expected=f"{_ACCEPTED}; {there}",
            fix=f"{key}=/data/xrays, a folder with images",
        )
    if unread := {suffix: count for suffix, count in sorted(others.items()) if suffix in OTHER_ENDINGS}:
        told = ", ".join(f"{count} {suffix}" for suffix, count in unread.items())
        _tell_left_out(root, key, "images of kinds that srexp doesn't read", f"{told} (fix: save them as PNG or TIFF)")
    if lost:
        _tell_left_out(root, key, *_lost_links(lost))
    remember(files)
    return dict(sorted(files.items()))


@cache
def _tell_left_out(_root: Path, key: str, what: str, how_many: str) -> None:
    """Say it once, though a command looks into a folder several times."""
    log.warning("%s: %s are left out: %s", key, what, how_many)


def _walk(root: Path, key: str) -> Iterator[tuple[str, Path, bool]]:
    """Yield what a tree holds with relative paths and whether it is an image, following links; each folder once.

    A folder that can't be listed is yielded as if it were an image, as is a link to itself: who reads it says why,
    and the rest goes on. A link to what isn't there is no image.
    """
    seen, pending = set(), [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                visible = [entry for entry in scan if not entry.name.startswith(_PASSED_OVER)]
        except OSError as error:
            if folder == root:
                raise _closed(key, root, error) from error
            yield prefix[:-1], folder, True
            continue
        folders = []
        for entry in sorted(visible, key=lambda each: each.name):
            path = Path(entry.path)
            if _is_folder(entry):
                folders.append((path, f"{prefix}{entry.name}/"))
            elif _is_there(path):
                yield prefix + entry.name, path, _is_image(path)
            elif entry.is_symlink():
                yield prefix + entry.name, path, False
        pending += reversed(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_there(path: Path) -> bool:
    """Whether there is something that can be read, or not read for a reason worth telling: no folder, no lost link."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _is_lost(path: Path) -> bool:
    return path.is_symlink() and not _is_there(path)


def _lost_links(count: int) -> tuple[str, str]:
    return "links to what isn't there", f"{count} (fix: fetch what they stand for)"


def _closed(key: str, folder: Path, error: OSError) -> RequestError:
    return RequestError(
        f"{key} can't be read: {error.strerror}", got=str(folder), fix=f"chmod, or {key}= another folder"
    )


def _key(relative: str) -> str:
    """Write a path as text that can be stored, also where its bytes are no UTF-8."""
    return os.fsencode(relative).decode("utf-8", "backslashreplace")


def _passed_over(relative: Path) -> bool:
    return any(part.startswith(_PASSED_OVER) for part in relative.parts)


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(IMAGE_ENDINGS):
        return not (name.endswith(DICOM_ENDINGS) and is_directory_record(path))
    without_extension = path.suffix == "" or path.suffix[1:].isdecimal()
    return without_extension and is_dicom(path) and not is_directory_record(path)
