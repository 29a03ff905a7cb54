"""Where configuration is read from and where runs write to, whatever the current directory."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_CHECKOUT = _PACKAGE.parent


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
    return found if os.path.isdir(found / "experiment") else config_home()  # noqa: PTH112  # never raises
