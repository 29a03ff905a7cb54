"""`init`: look at a folder of images, and write an experiment file for it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from srexp.commands.printing.console import counting
from srexp.config.override_grammar import key_of
from srexp.config.sections.verbs import InitConfig
from srexp.errors import RequestError
from srexp.experiment.new_data.experiment_file import require_free, text_of, write
from srexp.experiment.new_data.inventory import Inventory, inventory
from srexp.metrics.table import counted
from srexp.system.terminal import Terminal

_LISTED = 10
_SHORT = 60


def run(config: InitConfig) -> dict[str, Any]:
    """Ask for what wasn't typed, where somebody can be asked; look, show, and write.

    Args:
        config: Checked configuration, with `dataset.root`, `dataset.patients`, `name` and `overwrite`.

    Returns:
        The file, and counts of what was found.

    Raises:
        RequestError: There is no such folder, no image in it, a file of that name already, or a training would be
            refused.
    """
    if (chosen := config.choices["dataset"]) != "folder":
        raise RequestError("init looks at a folder of images", got=f"dataset={chosen}", fix="leave it out")
    console = Terminal()
    asking = console.is_terminal and sys.stdin is not None and sys.stdin.isatty()
    root = config.dataset.root or (asking and _ask(console, "folder of the images")) or ""
    if not root:
        raise RequestError("dataset.root is missing", fix="dataset.root=/data/xrays, the folder of the images")
    name = config.name or _name_of(root)
    place = config.paths.studies / "experiment" / f"{name}.yaml"
    require_free(place, overwrite=config.overwrite)
    with counting("looking into images") as progress:
        found = inventory(root, progress)
    _show(console, root, found)
    patients, suggestion = config.dataset.patients, found.suggestion
    if asking and "dataset.patients" not in map(key_of, config.overrides):
        patients = _ask_patients(console, found, suggestion)
    count = None if patients is None else found.patients(patients)
    console.print(f"patients    {_patients(patients, count, suggestion)}")
    write(place, text_of(name, str(Path(root).expanduser().resolve()), patients, found), overwrite=config.overwrite)
    console.print(f"written     {place}")
    console.print(f"look at it  python -m srexp data +experiment={name}")
    console.print(f"train       python -m srexp +experiment={name}")
    return {
        "name": name,
        "file": str(place),
        "images": found.images,
        "files": len(found.files),
        "patients": count,
        "bits": {str(bits): number for bits, number in sorted(found.bits.items())},
        "smallest": list(found.sizes[0]),
        "largest": list(found.sizes[-1]),
        "unreadable": [{"file": file, "reason": reason} for file, reason in found.unreadable.items()],
        "warnings": [],
    }


def _name_of(root: str) -> str:
    """Make the name of an experiment from that of a folder.

    Example:
        >>> _name_of("/data/Chest X-rays (2019)/"), _name_of("/")
        ('chest_x_rays_2019', 'images')
    """
    return re.sub(r"[^a-z0-9]+", "_", Path(root).expanduser().resolve().name.lower()).strip("_") or "images"


def _ask(console: Terminal, what: str) -> str:
    try:
        return console.input(f"{what}: ").strip()
    except EOFError:
        raise KeyboardInterrupt from None


def _ask_patients(console: Terminal, found: Inventory, suggestion: str | None) -> str | None:
    """Ask until there is an answer under which every file has a patient."""
    console.print("Whose image is a file? A regex with one ( ) group on the name, a CSV file (file,patient), or dicom.")
    default = f"{suggestion}, {counted(found.patients(suggestion), 'patient')}" if suggestion else "each file its own"
    while True:
        answer = _ask(console, f"patients [{default}; - for each file its own]")
        patients = {"": suggestion, "-": None}.get(answer, answer)
        try:
            found.patients(patients)
        except RequestError as error:
            console.print(error.what)
            continue
        return patients


def _patients(patients: str | None, count: int | None, suggestion: str | None) -> str:
    if patients is not None:
        return f"{counted(count or 0, 'patient')} by {patients}"
    hint = f"; 'dataset.patients=\"{suggestion}\"' might tell them" if suggestion else ""
    return f"each file is a patient of its own{hint}"


def _show(console: Terminal, root: str, found: Inventory) -> None:
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds.most_common())
    console.print(f"folder      {root}")
    console.print(f"images      {found.images} in {counted(len(found.files), 'file')} ({kinds})")
    if found.looked_into < found.images:
        console.print(f"            of these, {found.looked_into} were looked into")
    console.print(f"sizes       {' x '.join(map(str, found.sizes[0]))} to {' x '.join(map(str, found.sizes[-1]))}")
    console.print(f"bits        {', '.join(f'{bits} ({count})' for bits, count in sorted(found.bits.items()))}")
    if found.colour:
        console.print(
            f"colour      {found.colour}: trained and scored as grey, unless protocol=y or protocol.channel=rgb"
        )
    for place, (look, count) in enumerate(found.names.most_common(_LISTED // 2)):
        console.print(f"{'' if place else 'names':<12}{look[:_SHORT]} ({count})")
    for name, reason in list(found.unreadable.items())[:_LISTED]:
        console.print(f"unreadable  {name}: {reason}", style="yellow")
    if len(found.unreadable) > _LISTED:
        console.print(f"            and {len(found.unreadable) - _LISTED} more, see result.json")
