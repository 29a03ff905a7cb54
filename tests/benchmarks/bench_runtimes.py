"""What `runtime=auto` takes, beside Keras and beside ONNX Runtime and OpenVINO called by hand.

    python tests/benchmarks/bench_runtimes.py [--size 1024] [--rounds 5] [--models srcnn vdsr]

By hand means what a user would write instead: a graph of (n, c, h, w) with a fixed shape and zero padding, without
srexp's interpolation and border, opened with the runtime's defaults. All take turns; ratios are medians over the
rounds. On a busy machine times on the clock scatter by tens of per cent; the processor's own time is what to look at.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=["srcnn", "vdsr"])
    options = parser.parse_args()
    for name in options.models:
        measure(name, options.size, options.rounds)


def measure(name: str, size: int, rounds: int) -> None:
    """Time one network at scale 1 on one image."""
    from srexp.enhance.runtimes.choice import RUNTIMES, choose
    from srexp.models import srcnn, vdsr

    model = srcnn.build(1, 1, kernels=[9, 5, 5], filters=[64, 32]) if name == "srcnn" else vdsr.build(1, 1)
    chosen = choose(model, shape=(size, size))
    low = np.random.default_rng(0).random((1, size, size, 1), dtype=np.float32)
    restorers = {f"auto ({chosen.runtime})": chosen.restore, "Keras": RUNTIMES["keras"].start(model)}
    if name == "srcnn":
        restorers["LiteRT"] = RUNTIMES["litert"].start(model)
    calls = {label: partial(restore, low) for label, restore in restorers.items()}
    calls |= by_hand(model, low, residual=name == "vdsr")
    seconds: dict[str, list[float]] = {label: [] for label in calls}
    processor: dict[str, list[float]] = {label: [] for label in calls}
    for turn in range(rounds + 1):
        for label, call in calls.items():
            start, worked = time.perf_counter(), time.process_time()
            call()
            if turn:  # the first compiles
                seconds[label].append(time.perf_counter() - start)
                processor[label].append(time.process_time() - worked)
    auto = next(iter(calls))
    for label in calls:
        times = f"{min(seconds[label]):7.3f} s, {min(processor[label]):7.3f} s of processor"
        ratios = f"{ratio(seconds[auto], seconds[label]):.2f} and {ratio(processor[auto], processor[label]):.2f}"
        print(f"{name} {size} x {size}  {label:24} {times}; auto takes {ratios} of it", flush=True)
    hands = [label for label in calls if "by hand" in label]
    for what, measured in (("time", seconds), ("processor", processor)):
        fastest = min(hands, key=lambda label, measured=measured: statistics.median(measured[label]))
        worst = ratio(measured[auto], measured[fastest])
        print(f"{name} {size} x {size}  {what}: auto takes {worst:.2f} of {fastest}", flush=True)


def ratio(mine: list[float], others: list[float]) -> float:
    """Give the median of the ratios of the rounds."""
    return statistics.median(one / other for one, other in zip(mine, others, strict=True))


def by_hand(model, low, *, residual: bool):
    """Open the convolutions of a model in both runtimes, as one would without srexp."""
    import onnxruntime
    import openvino
    from onnx import TensorProto, helper, numpy_helper

    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    nodes, weights, value = [], [], "x"
    for number, layer in enumerate(convolutions):
        kernel, bias = layer.get_weights()
        weights.append(numpy_helper.from_array(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), f"kernel{number}"))
        weights.append(numpy_helper.from_array(bias, f"bias{number}"))
        inputs = [value, f"kernel{number}", f"bias{number}"]
        value = f"conv{number}" if residual or layer is not convolutions[-1] else "y"
        nodes.append(helper.make_node("Conv", inputs, [value], pads=[kernel.shape[0] // 2] * 4))
        if layer is not convolutions[-1]:
            nodes.append(helper.make_node("Relu", [value], [f"relu{number}"]))
            value = f"relu{number}"
    if residual:
        nodes.append(helper.make_node("Add", [value, "x"], ["y"]))
    image = low.transpose(0, 3, 1, 2).copy()
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, image.shape) for end in "xy"]
    graph = helper.make_graph(nodes, "by_hand", ends[:1], ends[1:], weights)
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    session = onnxruntime.InferenceSession(whole)
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(whole), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return {
        "ONNX Runtime by hand": lambda: session.run(None, {"x": image}),
        "OpenVINO by hand": lambda: compiled({"x": image}),
    }


if __name__ == "__main__":
    main()
