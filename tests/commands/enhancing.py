"""`enhance` with a few words, and what it lists."""

from __future__ import annotations

import csv
from pathlib import Path

import srexp


def enhance(model, source, output="out", **options):
    overrides = [f"model_uri={model}", f"input={source}", f"output={output}"]
    return srexp.run("enhance", [*overrides, *(f"{key}={value}" for key, value in options.items())])


def rows(output="out"):
    with Path(output, "enhanced.csv").open(newline="") as file:
        return list(csv.DictReader(file))
