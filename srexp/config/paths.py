"""Where configuration is read from and where runs write to, whatever the current directory."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf

from srexp.errors import RequestError

_PACKAGE = Path(__file__).resolve().parent.parent
_CHECKOUT = _PACKAGE.parent
_IMAGES = {"root", "test_root", "low", "high"}
_NUMBER = re.compile(r"\d{5,}")  # a shorter one may be anything


def _in_checkout() -> bool:
    return (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "conf").is_dir()


def config_home() -> Path:
    """Folder that holds `conf/` and `sweeps/`: the checkout, or the package of an installed wheel."""
    return _CHECKOUT if _in_checkout() else _PACKAGE


def project_root() -> Path:
    """Folder in which `mlruns/` lies.

    `SREXP_ROOT` decides when set; otherwise the checkout; otherwise, for an installed wheel, the nearest folder at or
    above the current one that already has an `mlruns/`, as git finds its repository; otherwise the current folder.
    """
    if chosen := os.environ.get("SREXP_ROOT"):
        return Path(chosen).expanduser().resolve()
    if _in_checkout():
        return _CHECKOUT
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "mlruns").is_dir()), here)


def found_presets() -> Path:
    """Folder in which searches leave the presets of their best trials; that of `conf/` where none has."""
    found = project_root() / "mlruns" / "studies"
    return found if (found / "experiment").is_dir() else config_home()


def require_nameless(tree: DictConfig) -> None:
    """Refuse a folder of images in whose own path there is a patient's number: runs keep where their images were.

    Args:
        tree: Composed configuration; `dataset.patients`, where it is a pattern, says what tells a patient.

    Raises:
        RequestError: The pattern finds a number in the name of a folder.
    """
    dataset = OmegaConf.select(tree, "dataset") or {}
    with suppress(re.error, MissingMandatoryValue, IndexError):  # said where they are needed
        pattern = re.compile(str(dataset.get("patients") or r"(?!)()"))
        for key in _IMAGES & dataset.keys():
            found = (pattern.search(part) for part in Path(str(dataset[key])).parts)
            if any(each and _NUMBER.fullmatch(each[1] or "") for each in found):
                raise RequestError(
                    f"dataset.{key} has a patient's number in the name of a folder, which runs would keep",
                    expected="a path in whose parts dataset.patients finds none; below it there may be",
                    fix=f"ln -s THAT_FOLDER images, and dataset.{key}=images",
                )
