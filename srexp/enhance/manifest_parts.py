"""Parts of the list of an output folder: what each shard of an input makes, until the list has it.

A shard holds the lock of its part as long as it works, so a part whose lock is free is of one that has ended or died.
Whoever comes next puts it into the list. The folder stays, for the locks in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from srexp.errors import RequestError, SrexpError
from srexp.system.files.atomic_files import write_whole
from srexp.system.files.file_locks import in_turn
from srexp.system.files.json_files import DamagedError, read_note

FOLDER = ".srexp-shards"

#: What shards must agree on to have ended one work: an earlier end says nothing of files that came since.
_ALIKE = ("settings", "inputs")
_WAIT = 600.0  # seconds for the lists of others, which take milliseconds


def part_of(output: Path, shard: str) -> Path:
    """Give the file of a shard's part.

    Args:
        output: Output folder.
        shard: Its name, that of a file.
    """
    return _folder(output) / f"{shard}.csv"


@contextmanager
def held(output: Path, shard: str) -> Iterator[None]:
    """Hold the part of a shard while it works; what it said at an earlier end holds no longer.

    Args:
        output: Output folder.
        shard: Its name.

    Raises:
        RequestError: Another process works on this shard.
    """
    busy = RequestError(
        f"shard {shard} of these images is at work already", got=str(output), fix="wait for it, or output= another one"
    )
    with ExitStack() as stack:
        with _joining(output):  # which tries the locks of all shards, and isn't one that works on this one
            stack.enter_context(in_turn(_lock(part_of(output, shard)), 0, busy))
        _note(output, shard).unlink(missing_ok=True)
        yield


def join(output: Path, put: Callable[[Sequence[Path]], object]) -> list[str]:
    """Put the parts of shards that aren't at work into the list.

    Args:
        output: Output folder.
        put: Writes what the list and these parts hold as the list; they are deleted then.

    Returns:
        The shards that are at work.
    """
    if not _folder(output).is_dir():
        return []
    busy = SrexpError("the shard is at work", got=str(output))
    with ExitStack() as stack:
        stack.enter_context(_joining(output))
        free, at_work = [], []
        for lock in sorted(_folder(output).glob("*-of-*.lock")):
            try:
                stack.enter_context(in_turn(lock, 0, busy))
            except SrexpError:
                at_work.append(lock.stem)
                continue
            if (part := lock.with_suffix(".csv")).is_file():
                free.append(part)
        if free:
            put(free)
        for part in free:
            part.unlink()
    return at_work


def ended(output: Path, shard: str, said: Mapping[str, Any], shards: Sequence[str]) -> list[dict[str, Any]] | None:
    """Note that a shard has ended, and tell whether it was the last one to.

    Args:
        output: Output folder.
        shard: Its name.
        said: What the last one has to know of it, with the `settings` of the model and a digest of all `inputs`.
        shards: The names of all of them.

    Returns:
        What each of them said, once all have ended with the same settings and inputs; None before. One whose note is
        damaged has to end once more.
    """
    write_whole(_note(output, shard), json.dumps(said))
    notes = [_note(output, each) for each in shards]
    with suppress(DamagedError):
        found = [read for note in notes if (read := read_note(note, keys=[*said], fix="remove it"))]
        if len(found) == len(notes) and all(each[key] == said[key] for each in found for key in _ALIKE):
            return found
    return None


def _joining(output: Path) -> AbstractContextManager[None]:
    busy = SrexpError("the list in output is being written by another process", got=str(output), fix="try again")
    return in_turn(_folder(output) / "join.lock", _WAIT, busy)


def _folder(output: Path) -> Path:
    folder = output / FOLDER
    try:
        link = folder.is_symlink()
    except OSError as error:
        raise unwritable(output, error) from error
    if link:
        raise RequestError("a link in output has the name of srexp's own folder", got=str(folder), fix="remove it")
    return folder


def unwritable(output: Path, error: OSError) -> RequestError:
    """Say that an output folder is closed, or none.

    Args:
        output: The folder.
        error: What the system says of it.
    """
    return RequestError(
        f"output can't be written: {error.strerror or 'no reason is given'}",
        got=str(output),
        expected="a folder, which is made if need be",
        fix="output= another folder",
    )


def _lock(part: Path) -> Path:
    return part.with_suffix(".lock")


def _note(output: Path, shard: str) -> Path:
    return _folder(output) / f"{shard}.json"
