"""What a training step takes beside PyTorch's, and how much of the machine's product rate it reaches.

    python tests/benchmarks/bench_training.py --torch PYTHON        # the Python of an environment with PyTorch
    python tests/benchmarks/bench_training.py --models vdsr --instructions avx2 --rounds 7

A step has 64 patches of 40 x 40 pixels, and Adam. Three processes for each row take turns: srexp's network in Keras
with the kernels that srexp chooses, the same network with zeros around its layers in PyTorch's eager mode with channels
last, and a product of two large matrices in TensorFlow. Ratios are medians over the rounds, on the clock: above 1 srexp
takes more steps than PyTorch. The rate counts three times the forward pass's multiply-adds, those for the border that
srexp's networks extend included. Instructions that the processor has beyond those of a row are kept from oneDNN and
PyTorch by environment variables. Do nothing else on the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.taking_turns import Cost, Worker, serve

#: What keeps libraries from instructions beyond a set: oneDNN's, PyTorch's own kernels.
CAPS = {
    "avx512": {},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
}
PRECISIONS = {"srcnn": ("float32",), "vdsr": ("float32", "bfloat16"), "hybrid": ("float32", "bfloat16")}
BATCH, PATCH, PRODUCT = 64, 40, 3072
TURN_SECONDS = 2.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", metavar="PYTHON", help="without it, the rate is measured alone")
    parser.add_argument("--models", nargs="+", default=list(PRECISIONS), choices=list(PRECISIONS))
    parser.add_argument("--instructions", nargs="+", choices=list(CAPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve({"srexp": keras_step, "torch": torch_step, "product": product}[asked.serve[0]], TURN_SECONDS)
        return
    print("| network | instructions | precision | patches/s | of PyTorch's | of the product rate |")
    print("|---|---|---|---|---|---|")
    for instructions in asked.instructions or available():
        for name in asked.models:
            for precision in PRECISIONS[name]:
                if precision == "float32" or instructions == "avx512":
                    print(row(asked, name, instructions, precision), flush=True)


def available() -> list[str]:
    """List the sets of instructions that the processor has."""
    from srexp.system.kernels.choice import instruction_set

    known = list(CAPS)
    return known[known.index(instruction_set() or sys.exit("no instructions that srexp has a choice for")) :]


def row(asked: argparse.Namespace, name: str, instructions: str, precision: str) -> str:
    """Let the processes take turns, and give a row of the table."""
    pythons = {"srexp": sys.executable, "product": sys.executable} | ({"torch": asked.torch} if asked.torch else {})
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", **CAPS[instructions]}
    workers = {who: Worker([python, __file__, "--serve", who], quiet) for who, python in pythons.items()}
    for worker in workers.values():
        worker.ask(name, instructions, precision)
    turns = [{who: worker.ask() for who, worker in workers.items()} for _ in range(asked.rounds)]
    for worker in workers.values():
        worker.end()
    patches = statistics.median(BATCH / turn["srexp"].clock for turn in turns)
    torch = statistics.median(turn["torch"].clock / turn["srexp"].clock for turn in turns) if asked.torch else None
    share = statistics.median(rate(name, turn["srexp"]) / rate("", turn["product"]) for turn in turns)
    beside = "not measured" if torch is None else f"{torch:.2f}"
    return f"| `{name}` | {instructions} | {precision} | {patches:.0f} | {beside} | {share:.0%} |"


def rate(name: str, cost: Cost) -> float:
    """Give operations per second: of a network's training step, or of the product."""
    return (6 * BATCH * multiply_adds(name) if name else 2 * PRODUCT**3) / cost.clock


def multiply_adds(name: str) -> float:
    """Give those of the convolutions for a patch, with the border that the network extends; not of interpolation."""
    import srexp
    from srexp.evaluation.cost import cost
    from srexp.experiment import network

    config = srexp.compose([f"model={name}"])
    model = network.float32_network(config, 1, scale=config.inner_scale)
    return cost(model, side=PATCH // config.inner_scale).multiply_adds * PATCH**2 / 1e6


def keras_step(name: str, instructions: str, precision: str) -> Callable[[], object]:
    """Build a network as srexp trains it; give a training step."""
    import numpy as np

    import srexp
    from srexp.config.builders import build
    from srexp.experiment import network
    from srexp.system.kernels import choice

    choice.instruction_set = lambda: instructions
    words = [f"model={name}", f"trainer.precision={'float32' if precision == 'float32' else 'mixed_bfloat16'}"]
    config = srexp.compose([*words, f"trainer.patch_size={PATCH}", f"trainer.batch_size={BATCH}"])
    choice.settle(name, "training", precision=config.trainer.precision)
    network.prepare(config)
    with network.trained_network(config, 1, precision=config.trainer.precision) as model:
        model.compile(optimizer=build(config.optimizer), loss=build(config.loss), jit_compile=False)
    draw, side = np.random.default_rng(0).random, PATCH // config.inner_scale
    low, high = draw((BATCH, side, side, 1), np.float32), draw((BATCH, PATCH, PATCH, 1), np.float32)
    return lambda: model.train_on_batch(low, high)


def product(_name: str, _instructions: str, precision: str) -> Callable[[], object]:
    """Give a product of two large matrices."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal((PRODUCT, PRODUCT)), precision)
    multiply = tf.function(lambda: tf.reduce_sum(tf.cast(tf.matmul(matrix, matrix), tf.float32)))
    return lambda: multiply().numpy()


def torch_step(name: str, _instructions: str, precision: str) -> Callable[[], object]:
    """Build the same network in PyTorch; give a training step of its eager mode."""
    import torch

    model = torch_network(name).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    side = PATCH // 2 if name == "hybrid" else PATCH
    low = torch.rand(BATCH, 1, side, side).to(memory_format=torch.channels_last)
    high = torch.rand(BATCH, 1, PATCH, PATCH)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            restored = model(low)
        torch.nn.functional.mse_loss(restored.float(), high).backward()
        optimizer.step()

    return step


def torch_network(name: str):
    """Give SRCNN or VDSR on interpolated patches, or the hybrid on those that aren't, with its interpolation."""
    from torch import nn
    from torch.nn.functional import interpolate

    relu = partial(nn.ReLU, inplace=True)

    def convolution(before: int, after: int, side: int) -> nn.Conv2d:
        return nn.Conv2d(before, after, side, padding=side // 2)

    if name == "srcnn":
        return nn.Sequential(convolution(1, 64, 9), relu(), convolution(64, 32, 5), relu(), convolution(32, 1, 5))

    class Sum(nn.Module):
        """An image, or features, and what is added to it."""

        def __init__(self, *body: nn.Module, factor: int = 1) -> None:
            super().__init__()
            self.body, self.factor = nn.Sequential(*body), factor

        def forward(self, image):
            added = self.body(image)
            if self.factor > 1:
                image = interpolate(image, scale_factor=self.factor, mode="bicubic", align_corners=False)
            return image + added

    if name == "vdsr":
        middle = [layer for _ in range(18) for layer in (convolution(64, 64, 3), relu())]
        return Sum(convolution(1, 64, 3), relu(), *middle, convolution(64, 1, 3))
    blocks = [Sum(convolution(48, 48, 3), relu(), convolution(48, 48, 3)) for _ in range(5)]
    first = [convolution(1, 64, 5), relu(), convolution(64, 48, 1)]
    return Sum(*first, *blocks, nn.ConvTranspose2d(48, 1, 6, stride=2, padding=2), factor=2)


if __name__ == "__main__":
    main()
