"""What it costs to read images in a process with bounds: `enhance` of 500 small images, and the reading alone.

    python tests/benchmarks/bench_confinement.py [--images 500] [--side 96] [--rounds 3]

Both ways take turns within one process, after a round that counts for neither, so that other load falls on both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

import srexp
from srexp.data.formats import registry
from srexp.system import confinement


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "in")
        folder.mkdir()
        chance = np.random.default_rng(1)
        for number in range(options.images):
            pixels = chance.integers(0, 256, (options.side, options.side), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:04}.png")
        model = write_model(Path(scratch))
        counter = iter(range(10**6))

        def enhance() -> None:
            words = [f"model_uri={model}", f"input={folder}", f"output={scratch}/out{next(counter)}"]
            srexp.run("enhance", [*words, f"paths.root={scratch}/runs"])

        def read() -> None:
            for path in sorted(folder.iterdir()):
                registry.read_image(path)

        compare("enhance", enhance, options.rounds)
        compare("reading", read, options.rounds)


def write_model(folder: Path) -> Path:
    """Save a small network that enlarges nothing."""
    import keras

    image = keras.Input((None, None, 1))
    path = folder / "small.keras"
    keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image)).save(path)
    return path


def compare(name: str, work: Callable[[], None], rounds: int) -> None:
    """Print the median with and without a process of its own; each confined round starts one anew."""

    def direct(_: object, function: Callable[..., object], *arguments: object) -> object:
        return function(*arguments)

    seconds: dict[str, list[float]] = {"in this process": [], "confined": []}
    for number in range(rounds + 1):
        for way, measured in seconds.items():
            confinement.release()
            replaced = mock.patch.object(registry, "confined", direct)
            started = time.perf_counter()
            if way == "confined":
                work()
            else:
                with replaced:
                    work()
            if number:
                measured.append(time.perf_counter() - started)
    plain, confined = (statistics.median(each) for each in seconds.values())
    print(f"{name}: {plain:.2f} s in this process, {confined:.2f} s confined ({100 * (confined / plain - 1):+.1f} %)")


if __name__ == "__main__":
    main()
