"""Scoring a split of a task: a network beside bicubic, what may be scored at all, and what is told of the scores."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any

from srexp.data.sources.source import Split
from srexp.evaluation.score import OnImage, Scores, score
from srexp.experiment.network import Predict, bicubic_predictor
from srexp.experiment.preflight import require_large
from srexp.experiment.task import Task
from srexp.metrics.table import counted

_NAMED = 3


def score_split(
    predict: Predict,
    task: Task,
    split: Split = "test",
    *,
    full: bool = True,
    on_image: OnImage | None = None,
    within: Container[str] | None = None,
) -> Scores:
    """Score a network on the images of a split, bicubic beside it.

    Args:
        predict: The network, from `network.predictor`.
        task: Whose images and protocol.
        split: Which images.
        full: All metrics, or PSNR and SSIM alone.
        on_image: Called after each image, for pictures.
        within: Names of images, others are left out; None for all.

    Returns:
        One row for each image.

    Raises:
        RequestError: There is no image, or one is too small.
        SrexpError: A restored image holds NaN.
    """
    config = task.config
    return score(
        predict,
        task.samples(split, within),
        task.parts.protocol,
        config.scale,
        baseline=bicubic_predictor(config, task.channels),
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


def warnings_of(scores: Scores) -> list[str]:
    """Say where the mean PSNRs of a model and of bicubic are means over different images, as the gain is not."""
    exact = [
        {row.key for row, psnr in zip(scores.rows, scores.values("psnr", who), strict=True) if psnr == math.inf}
        for who in ("model", "baseline")
    ]
    by_one = sorted(exact[0] ^ exact[1])
    if not by_one:
        return []
    return [
        f"{counted(len(by_one), 'image')} restored exactly by the model or by bicubic, and not by both: each mean PSNR "
        f"leaves out its own, the gain compares the same images ({', '.join(by_one[:_NAMED])})"
    ]


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
    sizes = [(entry.key, (entry.height, entry.width)) for entry in task.prepared.entries[split]]
    require_large(sizes, task.config, task.parts.protocol, split, task.config.scale)
