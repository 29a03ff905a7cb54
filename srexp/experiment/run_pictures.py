"""What a run shows: panels and error maps of test images, learning curves, inference times, rows of scores."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.data.sources.source import Split
from srexp.evaluation.figures.error_maps import error_map, error_map_rgb, error_scale
from srexp.evaluation.figures.panel import panel
from srexp.evaluation.figures.plots import grey_levels, inference_times, learning_curves, validation_strip
from srexp.evaluation.run_description import scored
from srexp.evaluation.score import Row, Scores
from srexp.evaluation.timing import Timing, time_inference
from srexp.experiment.network import bicubic_predictor, predictor
from srexp.experiment.scoring import score_split
from srexp.experiment.task import Task
from srexp.tracking.pages import picture
from srexp.tracking.runs.run import Run
from srexp.training.fit import Fitted
from srexp.types import Network, Pixels, Sample

#: Longer sides are reduced to this in MLflow's image grid, which shows thumbnails; the panels keep every pixel.
GRID_SIDE = 768
_STRIP = "figures/validation.png"
TIMED_REPEATS, TIMED_SECONDS = 20, 3.0


def score_and_draw(
    model: Network, task: Task, tracked: Run, fitted: Fitted, *, model_name: str, split: Split = "test"
) -> Scores:
    """Score a network on the images of a split, beside bicubic, and log what a run shows of that.

    Args:
        model: The network.
        task: Whose images and protocol.
        tracked: The open run.
        fitted: The course of its training; an empty one of a network that was given.
        model_name: Name of the network on the pictures.
        split: Which images.

    Returns:
        One row for each image.
    """
    pictures = RunPictures(tracked, task, model_name=model_name, step=fitted.best_epoch)
    scores = score_split(predictor(model, task.config), task, split, on_image=pictures.add)
    pictures.finish(model, fitted, scores)
    return scores


def draw_scored(
    model: Network, task: Task, tracked: Run, scores: Scores, *, model_name: str, split: Split = "test"
) -> None:
    """Log what a run shows of the images of a split that other processes have scored.

    Args:
        model: The network.
        task: Whose images and protocol.
        tracked: The open run.
        scores: Of all images of the split.
        model_name: Name of the network on the pictures.
        split: Which images.
    """
    pictures = RunPictures(tracked, task, model_name=model_name, step=0)
    predict, bicubic = predictor(model, task.config), bicubic_predictor(task.config, task.channels)
    shown = scores.rows[: task.config.tracking.max_images]
    for sample, row in zip(task.samples(split, {row.key for row in shown}), shown, strict=True):
        pictures.add(sample, predict(sample.low), bicubic(sample.low), row)
    pictures.finish(model, Fitted(), scores)


def describe(
    tracked: Run, task: Task, result: Mapping[str, Any], fitted: Fitted | None = None, *, model_name: str | None = None
) -> None:
    """Say on the page of a run what it came to, with a picture of how validation went.

    Args:
        tracked: The open run.
        task: What it is a run of.
        result: Its `result.json`.
        fitted: The course of its training; None for a network that was given.
        model_name: What the network is called; None for the one of the configuration.
    """
    config, drawn = task.config, ""
    name = model_name or config.model.name
    if fitted and fitted.history:
        curve = [numbers["val_psnr"] for numbers in fitted.history]
        tracked.log_figure(validation_strip({name: curve}, bicubic_psnr=fitted.bicubic_psnr), _STRIP)
        drawn = picture(_STRIP, "validation PSNR by epoch")
    verb = "" if config.verb == "train" else config.verb
    tracked.describe(scored(result, name, verb=verb, typed=config.typed, picture=drawn))


class RunPictures:
    """Collects pictures while images are scored, and logs the rest at the end.

    Args:
        tracked: The open run.
        task: What the images belong to.
        model_name: Name of the model on the pictures.
        step: Epoch that the weights come from.
    """

    def __init__(self, tracked: Run, task: Task, *, model_name: str, step: int) -> None:
        self.tracked, self.task, self.model_name, self.step = tracked, task, model_name, step
        self.shown = 0

    def add(self, sample: Sample, restored: Pixels, baseline: Pixels | None, row: Row) -> None:
        """Log the pictures of one scored image, up to `tracking.max_images` of them.

        Args:
            sample: Degraded image and target.
            restored: The model's image.
            baseline: Bicubic's image.
            row: Scores of the image.
        """
        if baseline is None or self.shown == self.task.config.tracking.max_images:
            return
        self.shown += 1
        figure = panel(sample, restored, baseline, row, self.task.protocol(), model_name=self.model_name)
        self.tracked.log_figure(figure, f"panels/{self.shown:02}.png")
        pictures = {"1 input": sample.low, "2 bicubic": baseline, "3 restored": restored, "4 target": sample.high}
        for kind, pixels in pictures.items():
            self._grid(f"{self.shown:02} {kind}", grey_levels(pixels))
        top = error_scale([row.baseline["psnr"]])
        for kind, pixels in {"5 error of bicubic": baseline, "6 error of restored": restored}.items():
            self._grid(f"{self.shown:02} {kind}", error_map_rgb(error_map(pixels, sample.high), top))

    def finish(self, model: Network, fitted: Fitted, scores: Scores) -> None:
        """Log rows, curves and inference times.

        Args:
            model: Scored model.
            fitted: Course of its training.
            scores: All rows.
        """
        with tempfile.TemporaryDirectory() as scratch:
            scores.write_csv(Path(scratch, "test.csv"))
            scores.write_parquet(Path(scratch, "test.parquet"))
            for file in sorted(Path(scratch).iterdir()):
                self.tracked.log_file(file, "scores")
        if fitted.history:
            curves = learning_curves(
                fitted.history,
                best_epoch=None if fitted.invented else fitted.best_epoch,  # a blend is no epoch's
                bicubic_psnr=fitted.bicubic_psnr,
                model_name=self.model_name,
            )
            self.tracked.log_figure(curves, "figures/learning_curves.png")
        timings = self._time(model)
        drawn_times = inference_times({self.model_name: list(timings.values())})
        self.tracked.log_figure(drawn_times, "figures/inference_times.png")
        self.tracked.log_dict({label: each.as_dict() for label, each in timings.items()}, "inference_times.json")
        seconds = {f"inference_seconds/{label}": timing.median for label, timing in timings.items()}
        self.tracked.log_metrics(seconds, step=self.step)

    def _time(self, model: Network) -> dict[str, Timing]:
        from srexp.enhance.predict import batch_predictor

        trainer, scale = self.task.config.trainer, self.task.config.scale
        patch, image = trainer.patch_size // scale, trainer.validation_size // scale
        rng = np.random.default_rng(0)
        inputs = {
            f"batch of {trainer.patches}": (batch_predictor(model), (trainer.patches, patch, patch)),
            f"image {trainer.validation_size}": (predictor(model, self.task.config), (image, image)),
        }
        return {
            label: time_inference(
                predict,
                rng.random((*shape, self.task.channels), dtype=np.float32),
                repeats=TIMED_REPEATS,
                max_seconds=TIMED_SECONDS,
            )
            for label, (predict, shape) in inputs.items()
        }

    def _grid(self, key: str, pixels: npt.NDArray[np.uint8]) -> None:
        self.tracked.log_image(_reduced(pixels), key=key, step=0)  # where MLflow's UI opens a series of pictures


def _reduced(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)
    image.thumbnail((GRID_SIDE, GRID_SIDE), Image.Resampling.BOX)
    return np.asarray(image)
