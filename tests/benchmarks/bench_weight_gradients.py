"""What a training step gains by taking the gradient of wide convolutions' weights as products of matrices.

    python tests/benchmarks/bench_weight_gradients.py                     # the networks that have such layers
    python tests/benchmarks/bench_weight_gradients.py --models vdsr --batch 64 --patch 40

Two processes take turns, both with oneDNN's kernels and AVX2 alone: one leaves the gradient to TensorFlow, the other
one has products. Above 1 the products are faster; ratios are medians over the rounds. Do nothing else on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.bench_training import CAPS
from tests.benchmarks.taking_turns import Worker, serve

WAYS = ("own", "products")
TURN_SECONDS = 2.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["vdsr", "hybrid", "edsr", "span", "rirca", "imdn"])
    parser.add_argument("--batch", default="16")
    parser.add_argument("--patch", default="48")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(prepared, TURN_SECONDS)
        return
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", **CAPS["avx2"]}
    print("| network | patches | patches/s | faster | on the clock |\n|---|---|---|---|---|", flush=True)
    for name in asked.models:
        workers = {way: Worker([sys.executable, __file__, "--serve"], quiet) for way in WAYS}
        for way, worker in workers.items():
            worker.ask(name, way, asked.batch, asked.patch)
        turns = [{way: worker.ask() for way, worker in workers.items()} for _ in range(asked.rounds)]
        for worker in workers.values():
            worker.end()
        rate = statistics.median(int(asked.batch) / turn["products"].clock for turn in turns)
        ratio = statistics.median(turn["own"].processor / turn["products"].processor for turn in turns)
        clock = statistics.median(turn["own"].clock / turn["products"].clock for turn in turns)
        print(f"| `{name}` | {asked.batch} of {asked.patch} | {rate:.0f} | {ratio:.2f} | {clock:.2f} |", flush=True)


def prepared(name: str, way: str, batch: str, patch: str) -> Callable[[], object]:
    """Build a network as srexp trains it; give a training step."""
    import numpy as np

    import srexp
    from srexp.config.builders import build
    from srexp.experiment import network
    from srexp.system.kernels import choice

    choice.instruction_set = lambda: "avx2" if way == "products" else None
    words = ["trainer.precision=float32", f"trainer.patch_size={patch}", f"trainer.batch_size={batch}"]
    config = srexp.compose([f"model={name}", *words])
    network.prepare(config)
    with network.trained_network(config, 1, precision="float32") as model:
        model.compile(optimizer=build(config.optimizer), loss=build(config.loss), jit_compile=False)
    draw, size = np.random.default_rng(0).random, int(patch)
    side = size // config.inner_scale
    low, high = draw((int(batch), side, side, 1), np.float32), draw((int(batch), size, size, 1), np.float32)
    return lambda: model.train_on_batch(low, high)


if __name__ == "__main__":
    main()
