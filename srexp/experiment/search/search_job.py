"""What driver, workers and the end of a search share: its study, its folder, and the configuration of a trial."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srexp.config.compose import compose
from srexp.config.frozen_files import Files
from srexp.config.override_grammar import key_of, override
from srexp.config.overrides import literal, overrides_of
from srexp.config.sections.base import Config
from srexp.config.sections.verbs import SearchConfig
from srexp.errors import SrexpError
from srexp.search.study import Search, Study
from srexp.system.files.json_files import read_note
from srexp.tracking.runs.tracking import Tracking

TRIAL_TAG, STUDY_TAG = "srexp.trial", "srexp.search"
#: File in a study's folder that says which engine has it, and whether in a database.
ENGINE = "engine.json"


@dataclass(frozen=True)
class SearchJob:
    """What the driver of a search works with.

    Args:
        config: Of the search.
        engine: Its space, its objectives, how many trials.
        study: Its trials.
        tracking: Where runs are kept.
        files: What its trials are composed from.
    """

    config: SearchConfig
    engine: Search
    study: Study
    tracking: Tracking
    files: Files


def studies_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Give what is known of the studies that this machine began: `engine`, and whether in a `storage`, by name."""
    return {mark.parent.name: noted_engine(mark) for mark in folder.glob(f"*/{ENGINE}")}


def noted_engine(mark: Path) -> dict[str, Any]:
    """Read which engine has a study.

    Raises:
        DamagedError: The note is damaged.
    """
    kind = ("engine", "storage")
    known = read_note(mark, keys=kind, fix="remove it; the command that began the study writes it anew") or {}
    return {key: known.get(key) for key in kind}


def study_folder(config: SearchConfig) -> Path:
    """Give the folder of a study."""
    return config.paths.studies / str(config.search.name)


def trial_folder(config: SearchConfig, number: int) -> Path:
    """Give the folder of a trial, where its worker wrote, if that was on this machine."""
    return study_folder(config) / "trials" / f"{number:04}"


def base_overrides(config: SearchConfig) -> list[str]:
    """Give what every trial of a search is trained with, besides its values."""
    return overrides_of(config, without=("verb", "search", "run_name", "tags"))


def repeating(config: Config) -> str:
    """Give what would be typed behind `python -m srexp` to train with a configuration once more."""
    return shlex.join(dataclasses.replace(config, overrides=overrides_of(config)).typed)


def trial_overrides(base: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Give what would be typed to train one trial.

    Args:
        base: See `base_overrides`.
        values: Configuration keys to what the engine chose.
    """
    kept = [typed for typed in base if key_of(typed) not in values]
    return [*kept, *(override(key, literal(value)) for key, value in values.items())]


def trial_config(base: Sequence[str], values: Mapping[str, Any], epochs: int | None = None, **changed: Any) -> Config:
    """Compose the configuration of one trial.

    Args:
        base: See `base_overrides`.
        values: Configuration keys to what the engine chose.
        epochs: What the engine grants; None where it leaves the number to the configuration.
        **changed: What else the configuration shall say, such as `run_dir`.
    """
    granted = {} if epochs is None else {"trainer.epochs": epochs}
    return compose("train", trial_overrides(base, {**values, **granted}))[0].changed(**changed)


def refused(values: Mapping[str, Any], error: SrexpError, said: str, *, fix: str) -> SrexpError:
    """Say which values of the space something refuses.

    Args:
        values: Configuration keys to values that the space allows.
        error: What refused them.
        said: What the message says of them: `is refused`, or who refuses.
        fix: How to mend it.
    """
    shown = " ".join(override(key, value) for key, value in values.items())
    what = f"search.space allows {shown}, which {said}: {error.what}"
    return type(error)(what, got=error.got, expected=error.expected, fix=fix)
