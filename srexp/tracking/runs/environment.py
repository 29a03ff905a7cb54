"""What a run ran on: process, machine, packages, and the commit of the code."""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
from functools import cache
from pathlib import Path
from typing import NamedTuple

from srexp.system import process_identity

_GIT_SECONDS = 10


class Commit(NamedTuple):
    """State of the code.

    Args:
        sha: Commit that is checked out.
        dirty: Whether files that git knows differ from it.
    """

    sha: str
    dirty: bool


def origin_tags() -> dict[str, str]:
    """Say who started a run, and from which code.

    Returns:
        MLflow's own tags for user, source and commit.
    """
    from mlflow.utils import mlflow_tags

    tags = {
        mlflow_tags.MLFLOW_USER: _user(),
        mlflow_tags.MLFLOW_SOURCE_NAME: "srexp",
        mlflow_tags.MLFLOW_SOURCE_TYPE: "LOCAL",
    }
    if commit := commit_of(Path(__file__)):
        tags[mlflow_tags.MLFLOW_GIT_COMMIT] = commit.sha
    return tags


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have a number and no name
        return "unknown"


@cache
def commit_of(file: Path) -> Commit | None:
    """Find the commit of a source file.

    Args:
        file: A file of the code that runs.

    Returns:
        The commit; None when git isn't there or doesn't know the file, as in an installed package.
    """
    from git import GitError, Repo

    try:
        repository = Repo(file.parent, search_parent_directories=True)
        repository.git.ls_files("--error-unmatch", file)
        changes = repository.git.status("--porcelain", "--untracked-files=no", kill_after_timeout=_GIT_SECONDS)
        return Commit(repository.head.commit.hexsha, bool(changes))
    except (GitError, OSError, ValueError):  # of a commit that was never made
        return None


@cache
def packages() -> dict[str, str]:
    """List the installed packages.

    Returns:
        Name to version, sorted by name.
    """
    # Each look at `metadata` reads and parses a file, so `name` and `version` would do it twice.
    known = [found.metadata for found in importlib.metadata.distributions()]
    return dict(sorted(((each["Name"], each["Version"]) for each in known), key=lambda pair: pair[0].lower()))


def describe() -> dict[str, object]:
    """Describe machine, interpreter, code and packages.

    Returns:
        Facts that fit into a JSON file.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "process": process_identity.facts_of(),
        "processors": os.cpu_count(),
        **code(),
        "packages": packages(),
    }


def code() -> dict[str, object]:
    """Name the commit of this code, and say whether it was changed since; None where that isn't known."""
    commit = commit_of(Path(__file__))
    return {"commit": commit and commit.sha, "dirty": commit and commit.dirty}
