"""How far the networks of the zoo are from their inputs by `enhance check=true`, and which planted discs that finds.

    python tests/benchmarks/fidelity.py FOLDER [--networks hybrid-cxr-x2 srcnn-cxr-x2] [--overrides +experiment=cxr_x2]

The images are those of the test split of FOLDER that a network was neither trained on nor chosen by. They are made
worse as it knows them, at its scale, and bicubic interpolation is beside it. To what one network made of each image a
disc is added in the middle of each quarter, and the result is checked as `enhance` does it.
"""

from __future__ import annotations

import argparse
import csv
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import srexp
from srexp.config.compose import compose
from srexp.data.degradation.reduced_again import LEVELS, Distance, ReducedAgain
from srexp.data.formats.registry import read_image
from srexp.enhance.output_manifest import DISTANCE, PLACE
from srexp.experiment.task import Task
from srexp.types import Pixels
from srexp.zoo.catalogue import Shipped, shipped

DIAMETERS, CONTRASTS = (4, 6, 8, 12, 20, 40), (5, 10, 20, 40, 80)  # pixels of the result, grey levels of 255


class Checked(NamedTuple):
    """What `enhance check=true` said of each file, and how many files it warned of."""

    levels: list[float]
    percents: list[float]
    marked: int

    def cells(self) -> list[str]:
        return [_told(self.levels, 3), _told(self.percents, 2), f"{self.marked} of {len(self.levels)}"]


def main() -> None:
    """Measure and print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=lambda name: Path(name).resolve())
    parser.add_argument("--networks", nargs="+", choices=shipped(), default=[*shipped()])
    parser.add_argument("--discs", choices=shipped(), default="hybrid-cxr-x2", help="to whose results discs are added")
    parser.add_argument("--overrides", nargs="*", default=["+experiment=cxr_x2"])
    options = parser.parse_args()
    rows, discs = [], []
    with tempfile.TemporaryDirectory() as scratch, redirect_stdout(io.StringIO()):
        for network in map(shipped().__getitem__, options.networks):
            facts = network.card()["facts"]
            scale, degradation = facts["task"].rsplit("-x", 1)[1], facts["degradation.name"]
            low, output = Path(scratch, network.name), Path(scratch, f"{network.name}-restored")
            settings = [*options.overrides, f"dataset.root={options.root}", f"scale={scale}"]
            count = write(low, network, [*settings, f"degradation={degradation}", "split=test"])
            restored = check(network.address, low, output, [])
            plain = check("bicubic", low, Path(scratch, f"{network.name}-bicubic"), [f"scale={scale}"])
            rows.append([f"`{network.name}`", f"`{degradation}` x{scale}", str(count), *restored.cells()])
            rows[-1] += plain.cells()
            if network.name == options.discs:
                discs = planted(low, output, int(scale))
    heads = ["network", "pairs", "images", "grey levels, mean ± sd (worst)", "% at the worst place", "marked"]
    table([*heads, *(f"bicubic: {head}" for head in ("grey levels", "%", "marked"))], rows)
    table(["diameter \\ contrast", *map(str, CONTRASTS)], discs)


def write(folder: Path, network: Shipped, overrides: Sequence[str]) -> int:
    """Write what a network has to restore of images that it hasn't seen, and say how many there are."""
    folder.mkdir()
    seen = network.seen()
    task = Task(compose("evaluate", ["model_uri=bicubic", *overrides])[0])
    count = 0
    for count, sample in enumerate((each for each in task.samples("test") if each.sha256 not in seen), 1):
        kind, most = (np.uint8, 255) if sample.bits <= 8 else (np.uint16, 65535)
        Image.fromarray(np.round(sample.low[..., 0] * most).astype(kind)).save(folder / f"{count:04}.png")
    return count


def check(model: str, low: Path, output: Path, overrides: Sequence[str]) -> Checked:
    """Restore a folder, and read what is listed and warned of."""
    asked = [f"model_uri={model}", f"input={low}", f"output={output}", "check=true", *overrides]
    result = srexp.run("enhance", asked)
    with (output / "enhanced.csv").open(newline="", encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    levels, percents = ([float(row[column]) for row in listed] for column in (DISTANCE, PLACE))
    config = compose("enhance", asked)[0]
    far = sum(
        one > config.check_levels or other > config.check_percent for one, other in zip(levels, percents, strict=True)
    )
    assert bool(far) == any("reduced again" in warning for warning in result["warnings"])
    return Checked(levels, percents, far)


def planted(folder: Path, output: Path, scale: int) -> list[list[str]]:
    """Add discs to what was restored, and give the share that is found, of each diameter in a row by contrast.

    One is found where a figure passes its bound that is below it without the disc.
    """
    config = compose("enhance", ["model_uri=bicubic", "input=.", "output=."])[0]
    bounds = config.check_levels, config.check_percent
    pairs = [
        (read_image(path).to_float(), read_image(output / path.name).to_float()) for path in sorted(folder.iterdir())
    ]
    before = [distance(low, restored, scale) for low, restored in pairs]
    rows = []
    for diameter in DIAMETERS:
        row = [f"{diameter} ({diameter / scale:g} of the input)"]
        for contrast in CONTRASTS:
            found = [
                any(
                    was <= bound < now
                    for was, bound, now in zip(untouched, bounds, distance(low, image, scale), strict=True)
                )
                for (low, restored), untouched in zip(pairs, before, strict=True)
                for image in with_disc(restored, diameter, contrast / LEVELS)
            ]
            row.append(f"{np.mean(found):.0%}".replace("%", " %"))
        rows.append(row)
    return rows


def with_disc(image: Pixels, diameter: int, contrast: float) -> Iterator[Pixels]:
    """Give an image with a disc in the middle of each quarter in turn, a dark one where it is bright."""
    height, width = image.shape[:2]
    for down in (Fraction(1, 4), Fraction(3, 4)):
        for right in (Fraction(1, 4), Fraction(3, 4)):
            rows, columns = np.ogrid[:height, :width]
            within = (rows - int(height * down)) ** 2 + (columns - int(width * right)) ** 2 <= diameter**2 / 4
            sign = 1 if image[within].mean() + contrast <= 1 else -1
            yield image + np.float32(sign * contrast) * within[..., np.newaxis]


def distance(low: Pixels, restored: Pixels, scale: int) -> Distance:
    """Say how far an image is from its input."""
    told: list[Distance] = []
    for _ in ReducedAgain(low, scale, told.append).passing(iter([restored])):
        pass
    return told[0]


def _told(values: Sequence[float], digits: int) -> str:
    return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f} ({max(values):.{digits}f})"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    for row in (heads, ["---"] * len(heads), *rows):
        print(f"| {' | '.join(row)} |")
    print()


if __name__ == "__main__":
    main()
