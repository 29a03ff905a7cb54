"""What the report of a comparison says of its runs: findings, protocol, differences, data and origins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from srexp.config.builders import build, check_section
from srexp.errors import SrexpError
from srexp.evaluation.comparison import quality_plots, tables, time_plots
from srexp.evaluation.comparison.elsewhere import Elsewhere
from srexp.evaluation.comparison.report import Report
from srexp.evaluation.comparison.standings import Standings
from srexp.evaluation.figures.hues import colours
from srexp.evaluation.figures.image_cards import Picture, data_uri, png, scale_bar
from srexp.experiment.comparison.entry import Entry
from srexp.experiment.comparison.pictures import Exhibits
from srexp.metrics.table import NONE, counted
from srexp.tracking.runs.environment import packages
from srexp.tracking.store.parameters import flatten
from srexp.types import Figure

#: Sections of a configuration that decide no figure.
INDIFFERENT = ("paths", "tracking", "tags", "verb", "run_name")
PACKAGES = ("tensorflow", "keras", "numpy", "mlflow")
DRAWN = {
    "gains": "Gain over bicubic of each model on each test image, and mean gains with 95 % intervals",
    "times": "Inference times of each model as box plots",
    "curves": "Validation PSNR against epochs and against wall time",
    "quality": "Gain over bicubic against inference time, training time, weights and multiply-adds",
}


def draw(chosen: Sequence[Entry], found: Standings) -> dict[str, Figure]:
    """Draw the figures.

    Args:
        chosen: The runs, whose order decides their colours.
        found: Their standings.

    Returns:
        Name to figure; those for which nothing is known are missing.
    """
    hue = colours([entry.name for entry in chosen])
    drawn = {
        "gains": quality_plots.gains(found, hue),
        "times": time_plots.times(found, hue),
        "curves": quality_plots.curves(found, hue),
        "quality": time_plots.quality_against_cost(found, hue, tables.common_input(found)),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def compose(
    chosen: Sequence[Entry],
    found: Standings,
    shown: Exhibits,
    notes: Sequence[str],
    figures: Mapping[str, Figure],
    *,
    others: Sequence[Elsewhere],
) -> Report:
    """Put the report together.

    Args:
        chosen: The runs.
        found: Their standings.
        shown: Test images as the models restore them.
        notes: What else limits the worth of the comparison.
        figures: From `draw`.
        others: What the models gain on other test images.

    Returns:
        What the page shows.
    """
    ordered = [entry for row in found.models for entry in chosen if entry.name == row.name]
    models, images = counted(len(chosen), "model"), counted(len(found.keys), "test image")
    made = time.strftime("%Y-%m-%d %H:%M %Z")
    return Report(
        title=chosen[0].run.experiment,
        subtitle=f"{models} and bicubic interpolation on {images}",
        found=found,
        elsewhere=others,
        notes=list(notes),
        alarms=_alarms(chosen),
        hues=colours([entry.name for entry in chosen]),
        drawings={name: _drawing(name, figure) for name, figure in figures.items()},
        cards=shown.cards,
        scale_bar=scale_bar(shown.max_grey_levels),
        max_grey_levels=shown.max_grey_levels,
        card_notes=shown.notes,
        findings=_findings(ordered),
        protocol=flatten(chosen[0].result["protocol"]),
        models=[entry.name for entry in ordered],
        differences=_differences(ordered),
        data=_data(chosen[0]),
        origins=_origins(ordered),
        made=f"Made by srexp {packages().get('srexp', '')} on {made}. For research, not for clinical use.",
    )


def _drawing(name: str, figure: Figure) -> Picture:
    width, height = (round(100 * length) for length in figure.get_size_inches())
    return Picture(data_uri(png(figure), "image/png"), width, height, DRAWN[name])


def _alarms(chosen: Sequence[Entry]) -> list[str]:
    names = ", ".join(entry.name for entry in chosen if entry.run.tags.get("degenerate") == "true")
    alarm = f"Degenerate: the input equals the target ({names}). These figures say nothing about restoration."
    return [alarm] if names else []


def _findings(chosen: Sequence[Entry]) -> dict[str, Sequence[str]]:
    """Put equal warnings of several runs together."""
    warned: dict[str, list[str]] = {}
    for entry in chosen:
        for warning in dict.fromkeys(entry.result.get("warnings", [])):
            warned.setdefault(warning, []).append(entry.name)
    return {text: () if len(names) == len(chosen) else names for text, names in warned.items()}


def _differences(chosen: Sequence[Entry]) -> dict[str, Sequence[str]]:
    sides = [flatten({key: value for key, value in entry.config.items() if key not in INDIFFERENT}) for entry in chosen]
    keys = sorted({key for side in sides for key in side})
    rows = {key: [side.get(key, NONE) for side in sides] for key in keys}
    trained = [bool(side) for side in sides]  # a model of the package has no configuration here
    return {key: values for key, values in rows.items() if len(set(compress(values, trained))) > 1}


def _data(entry: Entry) -> dict[str, str]:
    """Say what the images are and whose; where they lie is nobody's business."""
    dataset = entry.config.get("dataset", {})
    known = {"data set": str(dataset.get("name", entry.run.experiment)), "test images": str(len(entry.images))}
    if attribution := _attribution(dataset):
        known["images by"] = attribution
    sizes = sorted({(int(image["height"]), int(image["width"])) for image in entry.images})
    smallest, largest = (" x ".join(map(str, size)) for size in (sizes[0], sizes[-1]))
    known["sizes"] = smallest if smallest == largest else f"{smallest} to {largest}"
    known["bits"] = ", ".join(sorted({image["bits"] for image in entry.images}, key=int))
    return {**known, "fingerprint of data and split": str(entry.result["data_fingerprint"])}


def _attribution(dataset: Mapping[str, Any]) -> str:
    try:
        return str(build(check_section("dataset", dataset, [])).attribution or "")
    except SrexpError:  # a data set of a package of the user's, or of another version
        return ""


def _origins(chosen: Sequence[Entry]) -> dict[str, Sequence[str]]:
    known = [_origin(entry) for entry in chosen]
    return {name: [str(each.get(name, NONE)) for each in known] for name in known[0]}


def _origin(entry: Entry) -> dict[str, Any]:
    """Where one run comes from, by the names that the page has for it."""
    made, packages_then = entry.environment, entry.environment.get("packages", {})
    changes = ", with local changes" * bool(made.get("dirty"))
    return {
        "run": entry.run.run_id,
        "started": time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.run.started / 1000))
        if entry.run.started
        else NONE,
        "best epoch": entry.result.get("best_epoch", NONE),
        "commit": f"{str(made['commit'])[:12]}{changes}" if made.get("commit") else NONE,
        **{name: packages_then.get(name, NONE) for name in ("srexp", *PACKAGES)},
        **{name: made.get(name.lower(), NONE) for name in ("Python", "platform", "processors")},
        "precision": entry.run.tags.get("precision", NONE),
    }
