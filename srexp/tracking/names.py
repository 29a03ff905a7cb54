"""What MLflow takes as a name of an experiment, a registered model, a run or a tag."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from srexp.errors import RequestError

#: Folder of the checkpoints of a run, in the folder of the run; a tag as long as the run can go on.
CHECKPOINTS_TAG = "srexp.checkpoints"
#: Tag of the runs and versions of a smoke test, with the name of its preset; their figures mean nothing.
DEBUG_TAG = "debug"
#: Shortest of the columns in which MLflow's tables keep names.
MOST = 250
_OWN = ("mlflow.", "srexp.")
# MLflow's `validate_param_and_metric_name`.
_KEY = re.compile(r"[/\w.\- :]+")


def require_task(name: str) -> None:
    """Refuse a task that can be no experiment or no registered model, which both have its name.

    Args:
        name: `experiment_name`.

    Raises:
        RequestError: MLflow's registry, or a database, doesn't take it.

    Example:
        >>> require_task("samples-bicubic-x2")
    """
    is_path = bool(set(name) & set("/:")) or name == "." or name.startswith("..")
    if not name.strip() or is_path or _unprintable(name) or len(name) > MOST:
        raise RequestError(
            "no registered model can have this name",
            got=name,
            expected=f"up to {MOST} characters, no / and no :, no .. in front, none that can't be printed",
            fix=f"experiment_name={re.sub('[^A-Za-z0-9_.-]+', '-', name).strip('-.')[:MOST] or 'my-task'}",
        )


def require_run(name: str | None, tags: Iterable[str]) -> None:
    """Refuse what MLflow doesn't take as the name of a run, or of its tags; values of tags are cut.

    Args:
        name: `run_name`.
        tags: Keys of `tags`.

    Raises:
        RequestError: A name is too long, has characters that MLflow doesn't take, or is one of its own.
    """
    if name and (_unprintable(name) or len(name) > MOST):
        raise RequestError(
            "run_name can't be stored",
            got=name,
            expected=f"up to {MOST} characters that can be printed",
            fix="a shorter run_name, or leave it out",
        )
    for key in tags:
        parts = key.split("/")
        if (
            not _KEY.fullmatch(key)
            or _unprintable(key)
            or len(key) > MOST
            or not set(parts).isdisjoint(("", ".", ".."))
            or key.startswith("..")
        ):
            raise RequestError(
                "tags has a key that MLflow doesn't take",
                got=key,
                expected=f"up to {MOST} letters, digits, blanks and _ - . : /, no path that leads back",
                fix=f"+tags.{re.sub('[^A-Za-z0-9_]+', '_', key)[:MOST]}=...",
            )
        if key.startswith(_OWN):  # who started a run, from what, and below which other one
            raise RequestError(
                "tags has a key that MLflow and srexp keep for what they say of a run themselves",
                got=key,
                expected=f"a name that begins with neither {' nor '.join(_OWN)}",
                fix=f"+tags.{key.replace('.', '_')}=...",
            )


def without_own(tags: Mapping[str, str]) -> dict[str, str]:
    """Leave out tags that MLflow and srexp keep for themselves, which earlier versions took from a configuration.

    Example:
        >>> without_own({"mlflow.user": "ann", "ward": "7"})
        {'ward': '7'}
    """
    return {key: text for key, text in tags.items() if not key.startswith(_OWN)}


def _unprintable(text: str) -> bool:
    """Whether there are control characters, or halves of characters, which no database takes."""
    return any(unicodedata.category(each) in ("Cc", "Cs") for each in text)
