"""What each metric takes of an image, on the processor, and as a share of all of them.

    python tests/benchmarks/bench_metrics.py [--side 1024] [--rounds 5]

The target has the smoothness and the noise of a radiograph, and what is measured has some noise more. The least of the
rounds counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from srexp.metrics import suite
from srexp.metrics.frequency_psnr import band_psnr
from srexp.metrics.ms_ssim import ssim_and_ms_ssim
from srexp.metrics.psnr import psnr
from tests.benchmarks.ratios.inside import picture


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    high = (picture(0, asked.side) * 255).round()
    restored = (high + np.random.default_rng(1).normal(0, 2, high.shape)).round().clip(0, 255)
    metrics = {"psnr": psnr, "ssim and ms_ssim": ssim_and_ms_ssim, **suite._MORE, "psnr of bands": band_psnr}
    works = {name: partial(metric, restored, high, max_value=255) for name, metric in metrics.items()}
    taken = {name: min(seconds(work) for _ in range(asked.rounds)) for name, work in works.items()}
    for name, least in sorted(taken.items(), key=lambda each: -each[1]):
        print(f"{name:18} {least * 1000:6.1f} ms  {least / sum(taken.values()):4.0%}")
    print(f"{'all':18} {sum(taken.values()) * 1000:6.1f} ms")


def seconds(work: Callable[[], object]) -> float:
    """Give what some work takes of the processor."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
