"""What is measured within one process, srexp and its peer in turn: `python -m tests.benchmarks.ratios.inside`.

Takes the name of a measurement, what it is about, how many pairs, and the file that gets them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import srexp
from srexp.config.builders import build
from srexp.system import confinement
from srexp.system.kernels import choice
from srexp.types import Pixels, Sample

from .parts import since, spent
from .table import Cost

#: Steps of an epoch: some seconds each on two cores.
STEPS = {"srcnn": 24, "vdsr": 6, "hybrid": 24}
SCORED_SIDE, SCORED_IMAGES = 1024, {"srcnn": 2, "vdsr": 1, "hybrid": 2}
ENHANCED_SIDE, FEW, MANY = 192, 8, 48
LITTLE_VALIDATION = ["trainer.validation_images=1", "trainer.validation_size=64"]

Pair = tuple[Cost, Cost]


class Setting:
    """A training of srexp and one of plain Keras, of one network on the same patches."""

    def __init__(self, name: str, *, epochs: int, steps: int) -> None:
        from srexp.experiment import network
        from srexp.experiment.task import Task

        length = [f"trainer.epochs={epochs}", f"trainer.steps_per_epoch={steps}"]
        words = [f"model={name}", "trainer.precision=float32", *LITTLE_VALIDATION, *length]
        self.config = srexp.compose(words)
        choice.settle(name, "training")
        network.prepare(self.config)
        self.task = Task(self.config)
        sampler = self.task.sampler()
        batches = [sampler.batch(0, step) for step in range(steps)]
        self.low, self.high = (np.concatenate(images) for images in zip(*batches, strict=True))

    def plain(self) -> Any:
        """Build and compile the network as a user of Keras would."""
        from srexp.experiment import network

        model = network.float32_network(self.config, self.task.channels, scale=self.config.inner_scale)
        model.compile(optimizer=build(self.config.optimizer), loss=build(self.config.loss), jit_compile=False)
        return model

    def epoch(self, model: Any) -> None:
        """Let plain Keras take the steps of an epoch."""
        model.fit(self.low, self.high, batch_size=self.config.trainer.patches, shuffle=False, verbose=0)

    def fit(self, on_epoch: Callable[..., None] = lambda *_: None) -> None:
        """Train as the command does, with tracking, progress and checkpoints."""
        from srexp.experiment.fitting import fit_network
        from srexp.training.checkpoint import Checkpoints

        tracking = build(self.config.tracking, folder=self.config.paths.root)
        with tracking.run("bench", folder=Path.cwd() / "run") as run:
            checkpoints = Checkpoints(Path.cwd() / "checkpoints" / run.id)
            fit_network(self.task, run, on_epoch, checkpoints=checkpoints)


def train(name: str, rounds: int) -> list[Pair]:
    """Epochs of srexp, with a validation of one small crop and a checkpoint each; plain Keras's have neither."""
    setting = Setting(name, epochs=rounds + 1, steps=STEPS[name])
    model, pairs = setting.plain(), []
    setting.epoch(model)
    begun = spent()

    def take_turns(*_: object) -> None:
        nonlocal begun
        ours = since(begun)
        theirs = timed(partial(setting.epoch, model))
        pairs.append((ours, theirs))
        begun = spent()

    setting.fit(take_turns)
    return pairs[1:]  # the first one traces the step


def first(name: str, rounds: int) -> list[Pair]:
    """From `fit` to the end of the first step, with its epoch's end; plain Keras builds, compiles and takes it."""
    setting = Setting(name, epochs=1, steps=1)
    pairs = [(timed(setting.fit), timed(lambda: setting.epoch(setting.plain()))) for _ in range(rounds + 1)]
    return pairs[1:]


def score(name: str, rounds: int) -> list[Pair]:
    """All metrics of a network and of bicubic, which is restored, too, by the forward passes of the network."""
    from srexp.evaluation import score as scores
    from srexp.experiment import network
    from srexp.metrics.protocol import Protocol

    config = srexp.compose([f"model={name}"])
    choice.settle(name, "restoring")
    network.prepare(config)
    predict = network.predictor(network.float32_network(config, 1), config)
    bicubic = network.bicubic_predictor(config, 1)
    samples = [sample(number) for number in range(SCORED_IMAGES[name])]

    def ours() -> None:
        scores.score(predict, samples, Protocol(), config.scale, baseline=bicubic, full=True)

    def theirs() -> None:
        for each in samples:
            predict(each.low)

    tiny = sample(0, 64)
    scores.score(predict, [tiny], Protocol(), config.scale, baseline=bicubic, full=True)  # one graph serves all sizes
    return [(timed(ours), timed(theirs)) for _ in range(rounds)]


def sample(number: int, side: int = SCORED_SIDE) -> Sample:
    """Give an image with the smoothness and the noise of a radiograph, and its half."""
    high = picture(number, side)
    return Sample(str(number), "", 8, high.reshape(side // 2, 2, -1, 2, 1).mean((1, 3)), high)


def picture(number: int, side: int) -> Pixels:
    """Draw something with the smoothness and the noise of a radiograph."""
    y, x = np.indices((side, side), np.float32) / 60
    noise = np.random.default_rng(number).normal(0, 0.01, (side, side))
    drawn = 0.5 + 0.35 * np.sin(x + number) * np.cos(y) + noise
    return (drawn.clip(0, 1) * 255).round().astype(np.float32)[..., np.newaxis] / np.float32(255)


def enhance(uri: str, rounds: int) -> list[Pair]:
    """Further files of a folder, by what the same loop by hand takes for as many; the start of neither counts."""
    from PIL import Image

    folders = {"few": range(FEW), "many": range(MANY)}
    for name, numbers in folders.items():
        Path(name).mkdir()
        for number in numbers:
            drawn = picture(number, ENHANCED_SIDE)[..., 0] * 255
            Image.fromarray(drawn.astype(np.uint8)).save(Path(name, f"{number:03}.png"))
    srexp.run("export", [f"model_uri={uri}", "format=onnx", "output=exported"])
    by_hand = hand(next(Path("exported").glob("*.onnx")))

    def ours(name: str, turn: int) -> Cost:
        words = [f"model_uri={uri}", f"input={name}", f"output=ours/{name}{turn}", "runtime=onnxruntime"]

        def work() -> None:
            srexp.run("enhance", words)
            confinement.release()  # the process that reads counts when it has ended

        return timed(work)

    def theirs(turn: int) -> Cost:
        output = Path(f"theirs{turn}")
        output.mkdir()
        return timed(lambda: [by_hand(path, output) for path in sorted(Path("many").iterdir())[FEW:]])

    pairs = []
    for turn in range(rounds + 1):
        few, hands, many = ours("few", turn), theirs(turn), ours("many", turn)
        pairs.append((Cost(*(all_of - less for all_of, less in zip(many, few, strict=True))), hands))
    return pairs[1:]


def hand(exported: Path) -> Callable[[Path, Path], None]:
    """Give what a user would write: read, restore, round, write."""
    import onnxruntime
    from PIL import Image

    session = onnxruntime.InferenceSession(exported)
    name = session.get_inputs()[0].name

    def restore(path: Path, output: Path) -> None:
        low = np.asarray(Image.open(path), np.float32)[np.newaxis, ..., np.newaxis] / np.float32(255)
        high = session.run(None, {name: low})[0][0, ..., 0]
        Image.fromarray((high.clip(0, 1) * 255 + 0.5).astype(np.uint8)).save(output / path.name)

    return restore


def timed(work: Callable[[], object]) -> Cost:
    """Give what some work takes."""
    begun = spent()
    work()
    return since(begun)


if __name__ == "__main__":
    what, about, count, answer = sys.argv[1:]
    measurements = {each.__name__: each for each in (train, first, score, enhance)}
    Path(answer).write_text(json.dumps(measurements[what](about, int(count))))
