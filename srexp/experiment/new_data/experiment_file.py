"""The experiment file that `init` writes: what was found, with a comment for each key, accepted by `check`."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srexp.config.compose import compose
from srexp.config.overrides import literal
from srexp.config.paths import config_home
from srexp.errors import RequestError
from srexp.experiment.new_data.inventory import Inventory
from srexp.experiment.preflight import require_usable
from srexp.experiment.task import builders
from srexp.system.files.atomic_files import write_whole
from srexp.system.templates import filled

_FILE = "experiment.yaml.j2"
_PATCH, _SCALE = 48, 2  # of conf/trainer and conf/base


def text_of(name: str, root: str, patients: str | None, found: Inventory) -> str:
    """Write the file.

    Args:
        name: Of the experiment and its data set.
        root: The folder, as it shall stand in the file.
        patients: As `dataset.patients` has it.
        found: What is in the folder.

    Returns:
        YAML with comments.
    """
    smallest = min(min(size) for size in found.sizes)
    fitting = min(_PATCH, smallest // _SCALE * _SCALE)
    facts: Mapping[str, Any] = {
        "name": name,
        "schema": (config_home() / "conf" / "schema.json").as_uri(),
        "date": time.strftime("%Y-%m-%d"),
        "root": root,
        "patients": patients,
        "counted": None if patients is None else found.patients(patients),
        "suggestion": found.suggestion,
        "found": found,
        "patch_size": None if fitting == _PATCH else fitting,
        "quoted": lambda value: json.dumps(literal(value), ensure_ascii=False),
    }
    return filled(__package__, _FILE, **facts)


def write(path: Path, text: str, *, overwrite: bool) -> None:
    """Write the file once `check` accepts what it says; never over another one unless that is asked.

    Args:
        path: Of the file, whose stem is the experiment's name.
        text: Of `text_of`.
        overwrite: Whether a file that is there is replaced.

    Raises:
        RequestError: There is a file already, or a training would be refused.
    """
    require_free(path, overwrite=overwrite)
    require_accepted(path.stem, text)
    try:
        write_whole(path, text)
    except OSError as error:
        raise RequestError(f"{path} can't be written: {error.strerror}", fix="paths.studies= another folder") from error


def require_free(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace an experiment.

    Raises:
        RequestError: There is a file already.
    """
    if path.exists() and not overwrite:
        raise RequestError("there is an experiment of this name", got=str(path), fix="name=ANOTHER, or overwrite=true")


def require_accepted(name: str, text: str) -> None:
    """Refuse what `check` would refuse, in its words, before anything is written.

    Raises:
        RequestError: Too few patients, images smaller than a patch, or a text that no preset may have.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "experiment", f"{name}.yaml")
        place.parent.mkdir()
        place.write_text(text, encoding="utf-8")
        config = compose("check", [f"+experiment={name}", f"hydra.searchpath=['file://{folder}']"])[0]
    parts = builders(config)
    require_usable(config, parts.source, parts.protocol)
