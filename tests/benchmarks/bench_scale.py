"""How long preparing takes before training can start, and how much memory, for 10,000 and 100,000 images.

    python tests/benchmarks/bench_scale.py [--images 10000 100000] [--different 200]

The images are links to a few hundred PNG of 512 x 512 pixels. Each size runs in a process of its own, from an empty
index: listing, decoding, splitting, the audit, and the first batch. `index` is what stays in memory of them after
everything else is gone; what comes beyond it must not grow with their number.
"""

from __future__ import annotations

import argparse
import gc
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

SIDE = 512


def main() -> None:
    """Measure and print, or be one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--different", type=int, default=200, help="PNG files that the links lead to")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory() as scratch:
        files = [write(number, Path(scratch, f"{number}.png")) for number in range(options.different)]
        for count in options.images:
            folder = Path(scratch, f"set{count}")
            for number in range(count):
                place = folder / f"{number // 1000:03}"
                place.mkdir(parents=True, exist_ok=True)
                # A patient's images are links to the same file, so that no file lies in two splits.
                patient = number % len(files)
                (place / f"p{patient:05}_{number:06}.png").hardlink_to(files[patient])
            subprocess.run([sys.executable, __file__, "--measure", folder], check=True)


def measure(folder: Path) -> None:
    """Prepare a folder up to the first batch; print seconds and memory."""
    from srexp.data.audit.audit import audit, facts
    from srexp.data.batches.augment import Dihedral
    from srexp.data.batches.patches import Pairing, PatchSampler
    from srexp.data.degradation.degradations import Bicubic
    from srexp.data.preparation.prepare import prepare
    from srexp.data.preparation.request import Preparation
    from srexp.data.sources.folder import Folder

    source = Folder(name="links", root=str(folder), patients=r"p(\d+)_", memory_mb=64)

    def prepared(cache: Path):
        return prepare(
            source,
            Preparation(seed=1, channel="grey", scale=2, patch_size=48, cache_dir=cache, facts=facts, progress=None),
        )

    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch)
        start = time.perf_counter()
        data = prepared(cache)
        listed = time.perf_counter() - start
        audit(data, cache_dir=cache)
        sampler = PatchSampler(
            data.entries["train"],
            Pairing(data.read, Bicubic(), scale=2, quantize_low=True),
            Dihedral(),
            patch_size=48,
            batch_size=16,
            patches_per_image=4,
            seed=1,
            steps_per_epoch=100,
        )
        sampler.batch(0, 0)
        seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        count = sum(map(len, data.entries.values()))
        del data, sampler
        gc.collect()
        tracemalloc.start()
        data = prepared(cache)
        data.memory.__init__(0)
        gc.collect()
        index = tracemalloc.get_traced_memory()[0] / 2**20  # without what decoding keeps
    print(
        f"{count:7,} images: {listed:5.1f} s to list and decode, {seconds:5.1f} s to the first batch, "
        f"peak {peak:5.0f} MiB, index {index:4.0f} MiB, beyond it {peak - index:4.0f} MiB",
        flush=True,
    )


def write(number: int, path: Path) -> Path:
    """Store a picture that compresses as a radiograph does."""
    from PIL import Image

    rng = np.random.default_rng(number)
    rows, columns = np.indices((SIDE, SIDE)) / SIDE
    smooth = 128 + 90 * np.sin((3 + number % 7) * rows + number) * np.cos((2 + number % 5) * columns + number / 3)
    Image.fromarray((smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)).save(path)
    return path


if __name__ == "__main__":
    main()
