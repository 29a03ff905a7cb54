"""Where the time of a training step goes, by pass, beside the machine's rate in a product of two large matrices.

    python tests/benchmarks/profile_steps.py --instructions avx2            # all networks of bench_training.py
    python tests/benchmarks/profile_steps.py --models vdsr --steps 10

TensorFlow's profiler times every operation of steps as bench_training.py takes them. All is done by one thread, and so
is the product, so that no operation's time has another one's in it. A convolution has three passes: restoring, the
gradient of what comes in, and that of its weights; each has as many multiply-adds as the first one. A pass's slowest
layer is the one that does the fewest of them in its time. Do nothing else on the machine.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks import bench_training
from tests.benchmarks.bench_training import BATCH, CAPS, PATCH, PRECISIONS, available, keras_step, rate
from tests.benchmarks.taking_turns import Worker, timed

PASSES = ("restoring", "gradient of what comes in", "gradient of weights")
REST = "all else"
_CONVOLUTION, _BACKWARD, _WEIGHTS = "Conv2D", "gradient_tape/", "BackpropFilter"  # oneDNN's have more to their names
_PRODUCTS = "gradient_tape/products/"  # of `srexp.system.kernels.weight_gradients`
_ONE_THREAD = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(PRECISIONS), choices=list(PRECISIONS))
    parser.add_argument("--instructions", choices=list(CAPS), default=available()[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--peak", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak:
        print(*rows(asked.models[0], asked.instructions, asked.steps, asked.peak), sep="\n")
        return
    print("| network | pass | of the step | of the product rate | slowest layer |")
    print("|---|---|---|---|---|", flush=True)
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", **CAPS[asked.instructions], **_ONE_THREAD}
    worker = Worker([sys.executable, bench_training.__file__, "--serve", "product"], quiet)
    worker.ask("", asked.instructions, "float32")
    peaks = [rate("", worker.ask())]
    for name in asked.models:
        words = ["--models", name, "--instructions", asked.instructions, "--steps", str(asked.steps)]
        words += ["--peak", str(peaks[-1])]
        subprocess.run([sys.executable, __file__, *words], check=True, env={**os.environ, **quiet})
        peaks.append(rate("", worker.ask()))
    worker.end()
    print(f"\nThe product: {', '.join(f'{each / 1e9:.0f}' for each in peaks)} GFLOP/s, before and after each network")


def rows(name: str, instructions: str, steps: int, peak: float) -> list[str]:
    """Profile a network's steps; give its rows of the table."""
    step = keras_step(name, instructions, "float32")
    timed(step, 2)
    spent = seconds_of_operations(step, steps)
    work, whole = multiply_adds_of_layers(name), sum(spent.values())
    made = []
    for which in PASSES:
        layers = {layer: seconds for (one, layer), seconds in spent.items() if one == which}
        rates = {layer: 2 * work[layer] / seconds / peak for layer, seconds in layers.items()}
        slowest = min(rates, key=rates.__getitem__)
        seconds = sum(layers.values())
        rate = 2 * sum(work[layer] for layer in layers) / seconds / peak
        made.append(f"| `{name}` | {which} | {seconds / whole:.0%} | {rate:.0%} | `{slowest}`, {rates[slowest]:.0%} |")
    return [*made, f"| `{name}` | {REST} | {spent[REST, ''] / whole:.0%} | - | - |"]


def seconds_of_operations(step: Any, steps: int) -> dict[tuple[str, str], float]:
    """Give the time of a step by pass and layer."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            begun = time.perf_counter()
            for _ in range(steps):
                step()
            whole = (time.perf_counter() - begun) / steps
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    (plane,) = [each for each in space.planes if each.name == "/host:CPU"]
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for line in plane.lines:
        for event in line.events:
            scope, _, operation = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if _CONVOLUTION in operation or scope.startswith(_PRODUCTS):
                spent[told(scope, operation)] += event.duration_ps / 1e12 / steps
    return spent | {(REST, ""): whole - sum(spent.values())}


def told(scope: str, operation: str) -> tuple[str, str]:
    """Give pass and layer of a convolution.

    Example:
        >>> told("gradient_tape/vdsr_1/conv_2_1/convolution/Conv2DBackpropFilter", "Conv2DBackpropFilter")
        ('gradient of weights', 'conv_2')
        >>> told("vdsr_1/conv_2_1/Relu", "_FusedConv2D")
        ('restoring', 'conv_2')
        >>> told("gradient_tape/products/hidden_02/MatMul_1", "_MklMatMul")
        ('gradient of weights', 'hidden_02')
    """
    layer = re.sub(r"_\d+$", "", scope.removeprefix(_BACKWARD).split("/")[1])
    if scope.startswith(_PRODUCTS):
        layer = scope.split("/")[2]
    if _WEIGHTS in operation or _CONVOLUTION not in operation:
        return PASSES[2], layer
    return PASSES[1 if scope.startswith(_BACKWARD) else 0], layer


def multiply_adds_of_layers(name: str) -> dict[str, float]:
    """Give a step's multiply-adds of a pass by layer; a sum has those of the convolution that is one with it."""
    import keras

    import srexp
    from srexp.experiment import network

    config = srexp.compose([f"model={name}"])
    side = PATCH // config.inner_scale
    model = network.float32_network(config, 1, scale=config.inner_scale)
    layers = [each for each in model.layers if isinstance(each, keras.layers.Conv2D | keras.layers.Conv2DTranspose)]
    # A transposed convolution multiplies each pixel that comes in, the other ones each that goes out.
    places = [each.input if isinstance(each, keras.layers.Conv2DTranspose) else each.output for each in layers]
    found = keras.Model(model.inputs, places).compute_output_spec(keras.KerasTensor((BATCH, side, side, 1)))
    shapes = [each.shape for each in found]
    work = {
        layer.name: float(layer.kernel.shape.num_elements() * shape[0] * shape[1] * shape[2])
        for layer, shape in zip(layers, shapes, strict=True)
    }
    sums = [each for each in model.layers if isinstance(each, keras.layers.Add)]
    before = {
        total.name: layer.name for total in sums for layer in layers if any(layer.output is one for one in total.input)
    }
    return work | {total: work[name] for total, name in before.items()}


if __name__ == "__main__":
    main()
