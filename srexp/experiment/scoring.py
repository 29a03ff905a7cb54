"""Scoring a split of a task: a network beside bicubic, what may be scored at all, and what is told of the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from srexp.data.sources.source import Split
from srexp.errors import RequestError, SrexpError
from srexp.experiment.network import Predict, bicubic_predictor
from srexp.experiment.task import Task

if TYPE_CHECKING:
    import keras

    from srexp.evaluation.score import OnImage, Scores

_PROBE = (24, 20)


def score_split(
    predict: Predict, task: Task, split: Split = "test", *, full: bool = True, on_image: OnImage | None = None
) -> Scores:
    """Score a network on the images of a split, bicubic beside it.

    Args:
        predict: The network, from `network.predictor`.
        task: Whose images and protocol.
        split: Which images.
        full: All metrics, or PSNR and SSIM alone.
        on_image: Called after each image, for pictures.

    Returns:
        One row for each image.

    Raises:
        RequestError: There is no image, or one is too small.
        SrexpError: A restored image holds NaN.
    """
    from srexp.evaluation.score import score

    config = task.config
    return score(
        predict,
        task.samples(split),
        task.parts.protocol,
        config.scale,
        baseline=bicubic_predictor(config, task.channels),
        intensity=config.dataset.intensity,
        full=full,
        on_image=on_image,
    )


def result_of(scores: Scores, task: Task) -> dict[str, Any]:
    """Tell in `result.json` what was scored, under which protocol, and what came out."""
    gain = scores.gain(seed=task.config.seed)
    return {
        "experiment_name": task.name,
        "test": {**scores.means("model"), "n_images": len(scores.rows)},
        "baseline": {"bicubic": scores.means("baseline")},
        "gain_db": gain.gain,
        "gain_ci95": gain.ci95,
        "p_value": gain.p_value,
        "protocol": task.protocol(),
        "data_fingerprint": task.prepared.fingerprint,
        "skipped_images": len(task.prepared.skipped),
    }


def figures_of(scores: Scores) -> dict[str, float]:
    """Name the means that exist as the metrics of a run: `test_NAME`, `bicubic_NAME` and `gain_db`."""
    named = {
        **{f"test_{name}": value for name, value in scores.means("model").items()},
        **{f"bicubic_{name}": value for name, value in scores.means("baseline").items()},
        "gain_db": scores.gain().gain,
    }
    return {name: value for name, value in named.items() if value is not None}


def require_scorable(task: Task, split: Split) -> None:
    """Refuse images that are too small for the protocol, all of them at once and before anything is scored.

    Args:
        task: Whose images.
        split: Which of them.

    Raises:
        RequestError: Some are too small.
    """
    from srexp.metrics.ssim import WINDOW

    scale = task.config.scale
    least = WINDOW + 2 * task.parts.protocol.border(scale)
    entries = task.prepared.entries[split]
    small = [entry.key for entry in entries if min(entry.height, entry.width) // scale * scale < least]
    if small:
        raise RequestError(
            f"{len(small)} of {len(entries)} images are too small to be scored: {', '.join(small[:20])}",
            expected=f"{least} pixels each way: SSIM's window inside the border that the protocol leaves out",
            fix="leave these images out, or set protocol.shave=0",
        )


def require_fit(model: keras.Model, task: Task, uri: str) -> None:
    """Hold a model's channels and scale against the configuration, by asking it for one small image.

    Args:
        model: Loaded model.
        task: What it is to be scored on.
        uri: What messages call it.

    Raises:
        RequestError: It takes other images, or enlarges by another scale.
        SrexpError: It doesn't enlarge by a whole number.
    """
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1:3] != (None, None):  # noqa: PLR2004 - (n, h, w, c)
        raise RequestError(f"{uri} doesn't take images of any size", got=shape, expected="(None, None, None, channels)")
    if shape[-1] != task.channels:
        needed = {1: "grey", 3: "rgb"}.get(shape[-1])
        raise RequestError(
            f"{uri} takes images of {shape[-1]} channel{'s' * (shape[-1] != 1)}",
            got=f"protocol.channel={task.channel}, which gives {task.channels}",
            expected="as many channels as the model was trained with",
            fix=f"protocol.channel={needed}" if needed else "choose another model_uri",
        )
    given = tuple(np.asarray(model(np.zeros((1, *_PROBE, shape[-1]), np.float32), training=False)).shape[1:3])
    scale = given[0] // _PROBE[0]
    if given != (_PROBE[0] * scale, _PROBE[1] * scale):
        raise SrexpError(
            f"{uri} doesn't enlarge by a whole number", got=f"{_PROBE} to {given}", expected="(h * scale, w * scale)"
        )
    if scale != task.config.scale:
        raise RequestError(
            f"{uri} enlarges {scale} times",
            got=f"scale={task.config.scale}",
            expected="the scale that the model was trained for",
            fix=f"scale={scale}",
        )
