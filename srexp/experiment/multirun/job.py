"""What each job of a multirun leaves in its folder, whatever process ran it: what it was, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srexp.errors import SrexpError
from srexp.system.files.atomic_files import write_whole
from srexp.system.files.json_files import DamagedError, read_note
from srexp.system.masking.pseudonyms import pseudonym, pseudonymised, remember
from srexp.system.masking.redaction import masked

#: Keys whose values may name a patient's file.
_FILES = ("input", "output")
JOB, RESULT, FAILURE = "job.json", "result.json", "failure.json"


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a multirun, read from its folder.

    Args:
        folder: Its output folder.
        verb: What it ran.
        overrides: Keys that the command line changed, to their values as typed.
        result: Its `result.json`; empty when it has none.
        failure: Its message and exit code; empty when it did not fail.
        configuration: Digest of what it was composed to, seed taken out; empty where it could not be composed.
    """

    folder: Path
    verb: str
    overrides: dict[str, str]
    result: dict[str, Any]
    failure: dict[str, Any]
    configuration: str = ""

    @property
    def state(self) -> str:
        """`finished`, `finished before`, `failed` or `interrupted`."""
        if self.failure:
            return "failed"
        if not self.result:
            return "interrupted"
        return "finished before" if self.result.get("skipped") else "finished"

    def __str__(self) -> str:
        """Give the overrides as they were typed."""
        return " ".join(f"{key}={value}" for key, value in self.overrides.items())


def begin(folder: Path, verb: str, overrides: Sequence[str]) -> None:
    """Note what a job is, before anything can fail, and forget what an earlier one left in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (RESULT, FAILURE):
        (folder / name).unlink(missing_ok=True)
    typed = dict(override.split("=", 1) for override in overrides if "=" in override)
    files = {key: value for key, value in typed.items() if key in _FILES}
    remember(files.values())
    _write(folder / JOB, {"verb": verb, "overrides": {**typed, **{key: pseudonym(files[key]) for key in files}}})


def configured(folder: Path, configuration: str) -> None:
    """Note the digest of what a job was composed to, seed taken out."""
    _write(folder / JOB, {**_read(folder / JOB), "configuration": configuration})


def fail(folder: Path, failure: SrexpError) -> None:
    """Note why a job failed."""
    _write(folder / FAILURE, _said(failure))


def _said(failure: SrexpError) -> dict[str, Any]:
    return {"message": pseudonymised(str(failure)), "exit_code": failure.exit_code}


def failure(folder: Path) -> dict[str, Any]:
    """Read why a job failed: message and exit code; empty when it did not."""
    return _read(folder / FAILURE, "message", "exit_code")


def finish(folder: Path, result: dict[str, Any], *, names: bool = False) -> None:
    """Note what a command returned; of runs that belong to no multirun, too, and of those that failed at first.

    Args:
        folder: Output folder of the run.
        result: What it returned.
        names: Whether images are called by their names and not by pseudonyms.
    """
    (folder / FAILURE).unlink(missing_ok=True)
    _write(folder / RESULT, result if names else pseudonymised(result))


def forget(sweep: Path) -> None:
    """Forget the jobs of an earlier multirun into the same folder; their results stay."""
    for folder in _folders(sweep):
        (folder / JOB).unlink(missing_ok=True)


def jobs(sweep: Path) -> list[Job]:
    """Read what the jobs of a multirun left.

    Args:
        sweep: Folder of the multirun.

    Returns:
        The jobs that began, in the order of their folders' names, numbers as numbers; one has failed of which a file
        is damaged.
    """
    folders = sorted(_folders(sweep), key=lambda path: (not path.name.isdecimal(), path.name.zfill(9)))
    return [_left_in(each) for each in folders]


def _left_in(folder: Path) -> Job:
    about: dict[str, Any] = {"verb": "", "overrides": {}}
    try:
        about |= _read(folder / JOB, *about)
        return Job(folder, **about, result=_read(folder / RESULT), failure=failure(folder))
    except DamagedError as error:
        return Job(folder, **about, result={}, failure=_said(error))


def _folders(sweep: Path) -> list[Path]:
    """List the folders of jobs; what a job that is still at work takes away meanwhile is passed over."""
    return [Path(folder) for folder, _, files in os.walk(sweep) if JOB in files]


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all; one that was there before stays where the disk doesn't take the new one."""
    try:
        write_whole(path, json.dumps(masked(content), indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise SrexpError(
            f"{path} isn't stored: {error.strerror or error}",
            expected="a folder that may be written, on a disk with room",
            fix="make room; what was stored before is as it was",
        ) from error


def _read(path: Path, *keys: str) -> dict[str, Any]:
    return read_note(path, keys=keys, fix="repeat the multirun: what finished is found in the store") or {}
