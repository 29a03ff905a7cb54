"""How many patches per second the pipeline makes, beside how many SRCNN trains on, on this machine.

    python tests/benchmarks/bench_pipeline.py [--seconds 5] [--workers 2]

Training must not wait for its data: at least 20 times SRCNN's rate from memory, at least 5 times from a disk whose
cache is cold. Each rate is the best of three measurements, the one that other work on the machine disturbed least.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from srexp.data.batches.augment import Affine, Augmentation, Dihedral
from srexp.data.batches.patches import Pairing, PatchSampler
from srexp.data.batches.tf_dataset import training_batches
from srexp.data.degradation.acquisition import Blur, Noise
from srexp.data.degradation.chain import chain
from srexp.data.degradation.degradations import Bicubic, Degradation
from srexp.data.formats.registry import read_image
from srexp.data.image import Stored, stored

SCALE, PATCH, BATCH, SIDE, IMAGES = 2, 48, 16, 512, 64
XRAY = chain(name="xray", steps={"contrast": {"spread": 1.2}, "blur": {"spread": 1.5}, "noise": {"spread": 2.0}})
RECIPES: list[tuple[Degradation, Augmentation]] = [
    (Bicubic(), Dihedral()),
    (Bicubic(), Affine()),
    (Blur(), Dihedral()),
    (Noise(), Dihedral()),
    (XRAY, Dihedral()),
]


@dataclass(frozen=True)
class File:
    """What the sampler asks of an entry."""

    path: Path
    height: int = SIDE
    width: int = SIDE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement")
    parser.add_argument("--workers", type=int, default=2, help="threads of the pipeline")
    options = parser.parse_args()

    print(f"{PATCH} x {PATCH} patches, scale {SCALE}, batches of {BATCH}, {IMAGES} images {SIDE} x {SIDE} of 8 bits\n")
    trained = best(lambda: train_srcnn(options.seconds))
    show("SRCNN 9-5-5 trains on", trained, trained)

    pictures = [synthetic(number) for number in range(IMAGES)]
    files = [File(Path(f"{number}.png")) for number in range(IMAGES)]
    held = dict(zip(files, pictures, strict=True))
    for recipe in RECIPES:
        name = f"{recipe[0].name}, {recipe[1].name}"
        sampler = sampler_of(files, held.__getitem__, *recipe, per_image=4)
        show(f"memory, {name}, one thread", best(lambda sampler=sampler: draw(sampler, 0, options.seconds)), trained)
        piped = best(lambda sampler=sampler: draw(sampler, options.workers, options.seconds))
        show(f"memory, {name}, pipeline", piped, trained)

    with tempfile.TemporaryDirectory() as folder:
        files = [File(write(picture, Path(folder) / f"{number}.png")) for number, picture in enumerate(pictures)]
        for per_image in (1, 4, 16):
            sampler = sampler_of(files, read_cold, *RECIPES[0], per_image=per_image)
            piped = best(lambda sampler=sampler: draw(sampler, options.workers, options.seconds))
            show(f"cold disk, {per_image} patches per decoded image", piped, trained)


def sampler_of(
    files: list[File],
    read: Callable[[File], Stored],
    degrade: Degradation,
    augment: Augmentation,
    *,
    per_image: int,
) -> PatchSampler:
    """Sample from some images."""
    return PatchSampler(
        files,
        Pairing(read, degrade, scale=SCALE, quantize_low=True),
        augment,
        patch_size=PATCH,
        batch_size=BATCH,
        patches_per_image=per_image,
        seed=1,
        steps_per_epoch=100,
    )


def train_srcnn(seconds: float) -> float:
    """Give the patches per second that SRCNN trains on, from one batch over and over."""
    import keras

    from srexp.models import srcnn

    model = srcnn.build(SCALE, 1, kernels=[9, 5, 5], filters=[64, 32], start="paper")
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    low, high = (rng.random((BATCH, side, side, 1), dtype=np.float32) for side in (PATCH // SCALE, PATCH))
    low, high = keras.ops.convert_to_tensor(low), keras.ops.convert_to_tensor(high)
    return rate(lambda: model.train_on_batch(low, high), seconds)


def draw(sampler: PatchSampler, workers: int, seconds: float) -> float:
    """Give the patches per second of a sampler, alone (no workers) or in the pipeline."""
    if not workers:
        steps = iter(range(sys.maxsize))
        return rate(lambda: sampler.batch(*divmod(next(steps), sampler.steps_per_epoch)), seconds)
    with training_batches(sampler, start_step=0, total_steps=10**9, workers=workers) as batches:
        following: Iterator[object] = iter(batches)
        return rate(lambda: next(following), seconds)


def rate(one_batch: Callable[[], object], seconds: float) -> float:
    """Give the patches per second of something that handles one batch per call."""
    for _ in range(5):
        one_batch()
    calls, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        one_batch()
        calls += 1
    return calls * BATCH / taken


def best(measure: Callable[[], float]) -> float:
    """Measure three times."""
    return max(measure() for _ in range(3))


def show(what: str, patches: float, trained: float) -> None:
    """Print one line."""
    print(f"{what:48} {patches:8.0f} patches/s {patches / trained:7.1f} x", flush=True)


def synthetic(number: int) -> Stored:
    """Make a picture that compresses as a radiograph does: smooth, with some noise."""
    rng = np.random.default_rng(number)
    rows, columns = np.indices((SIDE, SIDE)) / SIDE
    smooth = 128 + 90 * np.sin(7 * rows + number) * np.cos(5 * columns)
    return stored((smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8), 8, lossy=False)


def write(picture: Stored, path: Path) -> Path:
    """Store a picture, on the disk itself."""
    from PIL import Image

    with path.open("wb") as file:
        Image.fromarray(picture.pixels[..., 0]).save(file, "PNG")
        file.flush()
        os.fsync(file.fileno())
    return path


def read_cold(file: File) -> Stored:
    """Decode a file that the operating system no longer remembers."""
    with file.path.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return read_image(file.path, 0, "bits")


if __name__ == "__main__":
    main()
