"""What it costs to read images in a process with bounds: training, `enhance` of 500 small images, the reading alone.

    python tests/benchmarks/bench_confinement.py [training enhance reading] [--rounds 3] [--images 500] [--side 96]

Both ways take turns within one process, after a pair that counts for nothing, so that other load falls on both. Each
begins without a process that waits, so its start is counted. Printed is the median of the ratios of the pairs, by the
clock and in time on processors, that of the children included, which says more on a machine that has other work.
Training reads 24 images of 256 x 256 pixels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
from PIL import Image

import srexp
from srexp.data.formats import registry
from srexp.experiment.restoration import folder_enhancement
from srexp.system import confinement
from srexp.tracking.registry import safe_keras_file

TRAINED, SIDE = 24, 256
STEPS = ["trainer.epochs=1", "trainer.steps_per_epoch=100"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["training", "enhance", "reading"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--side", type=int, default=96)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        runs = iter(range(10**6))

        def training() -> None:
            words = ["dataset=folder", f"dataset.root={folder}/large", f"paths.root={folder}/runs{next(runs)}"]
            srexp.run("train", [*words, *STEPS])

        def enhance() -> None:
            words = [f"model_uri={folder}/small.keras", f"input={folder}/small", f"output={folder}/out{next(runs)}"]
            srexp.run("enhance", [*words, f"paths.root={folder}/runs"])

        def reading() -> None:
            for path in sorted((folder / "small").iterdir()):
                registry.read_image(path)

        write_images(folder / "large", TRAINED, SIDE)
        write_images(folder / "small", options.images, options.side)
        write_model(folder / "small.keras")
        for work in (training, enhance, reading):
            if work.__name__ in options.parts:
                compare(work, options.rounds)


def write_images(folder: Path, count: int, side: int) -> None:
    """Write PNG files that don't compress."""
    folder.mkdir()
    chance = np.random.default_rng(1)
    for number in range(count):
        Image.fromarray(chance.integers(0, 256, (side, side), np.uint8)).save(folder / f"{number:04}.png")


def write_model(path: Path) -> None:
    """Save a small network that enlarges nothing."""
    import keras

    image = keras.Input((None, None, 1))
    keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image)).save(path)


def compare(work: Callable[[], None], rounds: int) -> None:
    """Print how much longer some work takes with a process of its own for reading than without."""
    pairs = [(taken(work, confined=False), taken(work, confined=True)) for _ in range(rounds + 1)][1:]
    for measure in ("clock", "processors"):
        before, after = ([each[way][measure] for each in pairs] for way in (0, 1))
        ratios = sorted(100 * (each / plain - 1) for plain, each in zip(before, after, strict=True))
        print(
            f"{work.__name__}, {measure}: {statistics.median(before):.2f} s in this process,",
            f"{statistics.median(after):.2f} s confined: {statistics.median(ratios):+.1f} %",
            f"({ratios[0]:+.1f} to {ratios[-1]:+.1f})",
            flush=True,
        )


def taken(work: Callable[[], None], *, confined: bool) -> dict[str, float]:
    """Give the seconds that some work takes."""
    confinement.release()
    with ExitStack() as replaced:
        for module, name, direct in () if confined else DIRECT:
            replaced.enter_context(mock.patch.object(module, name, direct))
        began, before = time.perf_counter(), os.times()
        work()
        confinement.release()  # a child's time counts when it has ended
        after = os.times()
    return {"clock": time.perf_counter() - began, "processors": sum(after[:4]) - sum(before[:4])}


class Direct:
    """Stands in for a call in another process, and makes it in this one."""

    def __init__(self, _: object, function: Callable[..., object], *arguments: object) -> None:
        self.answer = partial(function, *arguments)

    def __call__(self) -> object:
        """Make the call."""
        return self.answer()


#: What is replaced so that all is done in this process.
DIRECT: list[tuple[ModuleType, str, Callable[..., object]]] = [
    (registry, "Begun", Direct),
    (folder_enhancement, "expect_image", lambda *_: None),
    (safe_keras_file, "confined", lambda *given: Direct(*given)()),
]


if __name__ == "__main__":
    main()
