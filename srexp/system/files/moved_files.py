"""Files that were recorded by an absolute path, in a folder that was moved or copied since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def here(recorded: Path, *folders: Path) -> Path:
    """Find where a file lies now: in one of these folders, if it can be, and only otherwise where it was recorded.

    A copy is found in the copied folder, though the original is still there.

    Args:
        recorded: Absolute path, whose last name is one that no other file has.
        folders: Where the parts of the project lie now.

    Returns:
        The longest end of the recorded path that exists in a folder; else the recorded path.

    Example:
        >>> here(Path("/gone/mlruns/outputs/0f3c"), Path("/data/mlruns"))
        PosixPath('/gone/mlruns/outputs/0f3c')
    """
    if any(recorded.is_relative_to(folder) for folder in folders):
        return recorded
    ends = [Path(*recorded.parts[place:]) for place in range(1, len(recorded.parts))]
    found = (folder / end for end in ends for folder in folders)
    return next((each for each in found if each.exists()), recorded)


def moved(recorded: Path, found: Path) -> tuple[Path, Path]:
    """Say which folder became which, from a file in it.

    Args:
        recorded: Where the file was.
        found: Where it is now.

    Returns:
        The largest folder that was moved as a whole, and where it is now.

    Example:
        >>> moved(Path("/old/runs/outputs/a"), Path("/new/place/runs/outputs/a"))
        (PosixPath('/old'), PosixPath('/new/place'))
    """
    while recorded != found and recorded.name and recorded.name == found.name:
        recorded, found = recorded.parent, found.parent
    return recorded, found


def with_moved(values: Any, old: Path, new: Path) -> Any:
    """Give a tree of values in which paths below a folder are those below another.

    Args:
        values: Mappings, lists and scalars; a text that begins with the folder is a path.
        old: The folder that was.
        new: The folder that is.

    Returns:
        The tree; the given one stays as it is.

    Example:
        >>> with_moved({"paths": {"root": "/old/mlruns"}, "seed": 1, "name": "older"}, Path("/old"), Path("/new"))
        {'paths': {'root': '/new/mlruns'}, 'seed': 1, 'name': 'older'}
    """
    if isinstance(values, Mapping):
        return {key: with_moved(each, old, new) for key, each in values.items()}
    if isinstance(values, list):
        return [with_moved(each, old, new) for each in values]
    if isinstance(values, str) and values.startswith(str(old)) and Path(values).is_relative_to(old):
        return str(new / Path(values).relative_to(old))
    return values
