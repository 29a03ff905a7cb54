"""What it costs to read images in a process with bounds: training, `enhance` of 500 small images, the reading alone.

    python tests/benchmarks/bench_confinement.py [training enhance command reading] [--rounds 3] [--images 500]

Both ways take turns within one process, after a pair that counts for nothing, so that other load falls on both. Each
begins without a process that waits, so its start is counted. Printed is the median of the ratios of the pairs, by the
clock and in time on processors, that of the children included, which says more on a machine that has other work.
Training reads 24 images of 256 x 256 pixels. `command` is `enhance` as it is typed, with the start of a process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Protocol
from unittest import mock

import numpy as np
from PIL import Image

import srexp
from srexp import cli
from srexp.data.formats import registry
from srexp.system import confinement
from srexp.tracking.registry import safe_keras_file

TRAINED, SIDE = 24, 256
TYPED = "typed"
STEPS = ["trainer.epochs=1", "trainer.steps_per_epoch=100"]


class Work(Protocol):
    """What is measured."""

    __name__: str

    def __call__(self, *, confined: bool) -> None:
        """Do it."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["training", "enhance", "command", "reading"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--side", type=int, default=96)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        runs = iter(range(10**6))

        def training(*, confined: bool) -> None:
            words = ["dataset=folder", f"dataset.root={folder}/large", f"paths.root={folder}/runs{next(runs)}"]
            srexp.run("train", [*words, *STEPS])

        def words_of_enhance() -> list[str]:
            words = [f"model_uri={folder}/small.keras", f"input={folder}/small", f"output={folder}/out{next(runs)}"]
            return [*words, f"paths.root={folder}/runs"]

        def enhance(*, confined: bool) -> None:
            srexp.run("enhance", words_of_enhance())

        def command(*, confined: bool) -> None:
            typed = [sys.executable, __file__, TYPED, "confined" if confined else "direct", "enhance"]
            where = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
            subprocess.run([*typed, *words_of_enhance()], check=True, capture_output=True, env=where)

        def reading(*, confined: bool) -> None:
            for path in sorted((folder / "small").iterdir()):
                registry.read_image(path)

        write_images(folder / "large", TRAINED, SIDE)
        write_images(folder / "small", options.images, options.side)
        write_model(folder / "small.keras")
        for work in (training, enhance, command, reading):
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


def compare(work: Work, rounds: int) -> None:
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


def taken(work: Work, *, confined: bool) -> dict[str, float]:
    """Give the seconds that some work takes."""
    confinement.release()
    with replaced(confined=confined):
        began, before = time.perf_counter(), os.times()
        work(confined=confined)
        confinement.release()  # a child's time counts when it has ended
        after = os.times()
    return {"clock": time.perf_counter() - began, "processors": sum(after[:4]) - sum(before[:4])}


@contextmanager
def replaced(*, confined: bool) -> Iterator[None]:
    """Do all in this process meanwhile, unless it is to be confined."""
    with ExitStack() as stack:
        for module, name, direct in () if confined else DIRECT:
            stack.enter_context(mock.patch.object(module, name, direct))
        yield


class Direct:
    """Stands in for a call in another process, and makes it in this one."""

    def __init__(self, _: object, function: Callable[..., object], *arguments: object) -> None:
        self.answer = partial(function, *arguments)

    def __call__(self) -> object:
        """Make the call."""
        return self.answer()

    def drop(self) -> None:
        """Have nothing to end."""


#: What is replaced so that all is done in this process.
DIRECT: list[tuple[ModuleType, str, Callable[..., object]]] = [
    (registry, "Begun", Direct),
    (safe_keras_file, "confined", lambda *given: Direct(*given)()),
]


if __name__ == "__main__":
    if sys.argv[1:2] == [TYPED]:
        _, _, way, *sys.argv[1:] = sys.argv
        with replaced(confined=way == "confined"):
            sys.exit(cli.main())
    main()
