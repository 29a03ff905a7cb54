"""One version in a promotion, or a model that it has to beat: scored on the test images of a task, and timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from srexp.errors import SrexpError
from srexp.evaluation.score import Scores
from srexp.experiment.network import Predict, predictor, timed_image
from srexp.experiment.scoring import score_split
from srexp.experiment.task import Task
from srexp.experiment.trained.loaded_model import loaded_for
from srexp.tracking.registry.models import Loaded, training_images
from srexp.tracking.store import addresses
from srexp.tracking.store.store import Store
from srexp.types import Pixels

ROUNDS, REPEATS, SECONDS = 4, 5, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version, or a rival of it, that was scored.

    Args:
        version: Its number; 0 of a model that is no version of the task.
        called: What it is called; empty: by its number.
        scores: Its figures, bicubic's beside them; None when it has none.
        lacking: Why it has none.
        predict: The model; None when it can't be loaded.
        digest: Of its file.
        saw: Test images that it was trained on or chosen by; None when that isn't known.
    """

    version: int = 0
    called: str = ""
    scores: Scores | None = None
    lacking: str = ""
    predict: Predict | None = None
    digest: str = ""
    saw: int | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.called or f"version {self.version}"

    def means(self) -> dict[str, float | None]:
        """Its means by metric."""
        return self.scores.means() if self.scores else {"psnr": None, "ssim": None}


class _NotNumbersError(Exception):
    """A model restored an image to values that are no numbers."""


def scored_champion(store: Store, name: str, version: int, task: Task) -> Candidate:
    """Load and score today's champion; one that can't be used must not stay champion for ever, so it has no figures.

    Args:
        store: Where models are kept.
        name: Registered model.
        version: The champion.
        task: Whose test images.

    Returns:
        Its figures, or why it has none.
    """
    try:
        found = addresses.find(store, f"models:/{name}/{version}")
        loaded = loaded_for(task, store, found)
    except SrexpError as error:
        return Candidate(version=version, lacking=error.what)
    return replace(scored(loaded, task, version), saw=seen(store, found, task))


def scored_rival(store: Store, found: addresses.Found, task: Task) -> Candidate:
    """Load and score a model that is to be beaten, of the package or from anywhere else.

    Args:
        store: Where models are kept.
        found: The model.
        task: Whose test images.

    Returns:
        Its figures, or why it has none.

    Raises:
        RequestError: It doesn't fit the task.
        SrexpError: Its files are damaged or gone.
    """
    rival = scored(loaded_for(task, store, found), task, 0)
    return replace(rival, called=found.readable, saw=seen(store, found, task))


def seen(store: Store, found: addresses.Found, task: Task) -> int | None:
    """Count the test images that a model was trained on, or chosen by.

    Args:
        store: Where models are kept.
        found: The model.
        task: Whose test images.

    Returns:
        Their number; None where nobody kept what it has seen.
    """
    try:
        known = training_images(store, found)
    except SrexpError:
        return None
    return None if known is None else sum(entry.sha256 in known for entry in task.prepared.entries["test"])


def scored(loaded: Loaded, task: Task, version: int) -> Candidate:
    """Score a model on the test images of a task, bicubic beside it.

    Args:
        loaded: The model.
        task: Whose test images.
        version: Its number; 0 of a model that is no version of the task.

    Returns:
        Its figures, or why it has none.
    """
    predict = predictor(loaded.model, task.config)
    try:
        scores = score_split(_numbers(predict), task, full=False)
    except _NotNumbersError as error:
        return Candidate(version=version, lacking=str(error), predict=predict, digest=loaded.digest)
    return Candidate(version=version, scores=scores, predict=predict, digest=loaded.digest)


def _numbers(predict: Predict) -> Predict:
    def restore(low: Pixels) -> Pixels:
        restored = predict(low)
        if bad := int(np.count_nonzero(~np.isfinite(restored))):
            raise _NotNumbersError(f"{bad} of {restored.size} restored values of an image are NaN or infinite")
        return restored

    return restore


def inference_seconds(task: Task, predictors: Sequence[Predict]) -> list[float]:
    """Time models in turns, so that whatever else the machine does slows all of them.

    Args:
        task: Whose validation crops say how large the image is.
        predictors: The models.

    Returns:
        Median seconds for one image, in the same order.
    """
    from srexp.evaluation.timing import time_inference

    image = timed_image(task.config, task.channels)
    samples: list[list[float]] = [[] for _ in predictors]
    for _ in range(ROUNDS):
        for predict, taken in zip(predictors, samples, strict=True):
            timing = time_inference(predict, image, warmup=1, repeats=REPEATS, max_seconds=SECONDS)
            taken.extend(timing.samples)
    return [median(taken) for taken in samples]
