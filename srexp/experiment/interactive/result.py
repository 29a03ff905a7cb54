"""What a verb gives back to Python: a mapping as `result.json` has it, with typed names, and a view for notebooks."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from srexp.config.builders import build
from srexp.config.sections.base import Config
from srexp.errors import SrexpError, did_you_mean
from srexp.metrics.table import figure, heading, with_interval
from srexp.system.templates import filled
from srexp.tracking.runs.queries import read_pictures
from srexp.tracking.runs.tracking import Tracking

_VIEW = "result.html.j2"
#: Pictures of a run that a notebook shows: folders and beginnings of names, the first of each.
_WIDTH = 1000
_PICTURES = (("figures", "learning_curves"), ("panels", ""))


class Means(TypedDict):
    """Means over images, PSNR in dB; None where there is none."""

    psnr: float | None
    ssim: float | None


class Scored(Means):
    """Means over so many images."""

    n_images: int


class Bicubic(TypedDict):
    """Scores of bicubic interpolation on the same images."""

    bicubic: Means


class Registered(TypedDict):
    """Where a model is in the registry."""

    name: str
    version: int | str
    alias: str | None


class Result(dict[str, Any]):
    """What a verb writes to `result.json`, with its keys as attributes too: `result.seconds` is `result["seconds"]`.

    Args:
        found: What the verb returned.
        config: What it ran with.

    Attributes:
        folder: Where `result.json` lies, beside all else that the verb wrote there.
        warnings: What limits the worth of the figures.

    Example:
        >>> Result({"seed": 1}).seed
        1
    """

    folder: Path
    warnings: list[str]
    _config: Config | None

    def __init__(self, found: Mapping[str, Any], config: Config | None = None) -> None:
        super().__init__(found)
        self.folder = config.run_dir if config else Path()
        self._config = config

    def __getattr__(self, name: str) -> Any:
        """Give a key by its name."""
        if name in self:
            return self[name]
        near = "" if name.startswith("_") else did_you_mean(name, self)
        raise AttributeError(f"the result has no {name}{f'; {near}' if near else ''}")

    def __dir__(self) -> list[str]:
        """List the keys for whatever completes."""
        return sorted({*super().__dir__(), *self})

    def _repr_html_(self) -> str:
        """Draw what a notebook shows."""
        return filled(
            __package__,
            _VIEW,
            title=self.get("experiment_name") or "",
            headings=self._headings(),
            rows=self._rows(),
            warnings=self.get("warnings") or [],
            pictures=self._pictures(),
        )

    def _headings(self) -> list[str]:
        return []

    def _rows(self) -> list[list[str]]:
        """Give what is one word or one number."""
        plain = {key: value for key, value in self.items() if isinstance(value, str | int | float)}
        return [[key, f"{value:.4g}" if isinstance(value, float) else str(value)] for key, value in plain.items()]

    def _pictures(self) -> list[str]:
        """Read learning curves and the first panel of its run, as WebP in base 64; none where the store has none."""
        if not self._config or not self.get("run_id"):
            return []
        tracking: Tracking = build(self._config.tracking, folder=self._config.paths.root)
        with suppress(SrexpError):
            return [_small(each) for each in read_pictures(tracking.store, self["run_id"], _PICTURES)]
        return []


class TrainResult(Result):
    """What `train` and `adopt` give back.

    Attributes:
        run_id: Of the MLflow run; None where the store hasn't it yet.
        experiment_name: The task.
        model_uri: Address of the best-validation model, for `srexp.load`.
        registered: Where it is in the registry.
        best_epoch: Whose weights it has.
        validation: Scores of that epoch.
        test: Scores on the test images.
        baseline: Scores of bicubic interpolation there.
        gain_db: PSNR over bicubic, in dB.
        gain_ci95: 95 % interval of it; None with too few images.
        p_value: Of a paired test against bicubic; None with too few images.
        protocol: How was scored.
        data_fingerprint: Of images and splits.
        seconds: Time of each stage.
        train_patches_per_second: Pace of the training.
        peak_rss_mb: Most memory that was taken.
    """

    run_id: str | None
    experiment_name: str
    model_uri: str
    registered: Registered | None
    best_epoch: int
    validation: Means
    test: Scored
    baseline: Bicubic
    gain_db: float | None
    gain_ci95: list[float] | None
    p_value: float | None
    protocol: dict[str, Any]
    data_fingerprint: str
    seconds: dict[str, float]
    train_patches_per_second: float | None
    peak_rss_mb: float

    def _headings(self) -> list[str]:
        return ["", heading("psnr"), heading("ssim")]

    def _rows(self) -> list[list[str]]:
        scores = {"model": self["test"], "bicubic": self["baseline"]["bicubic"]}
        rows = [[name, *(figure(of[key], key, fine=True) for key in ("psnr", "ssim"))] for name, of in scores.items()]
        ours, bicubics = (of["ssim"] for of in scores.values())
        better = None if ours is None or bicubics is None else ours - bicubics
        gain = with_interval(self["gain_db"], self["gain_ci95"]), figure(better, "ssim", sign=True, fine=True)
        return [*rows, ["gain", *gain]]


class EvaluateResult(Result):
    """What `evaluate` gives back.

    Attributes:
        run_id: Of the MLflow run; None where the store hasn't it yet.
        experiment_name: The task.
        model_uri: Address of the model.
        split: Which images.
        test: Mean scores on them.
        baseline: Scores of bicubic interpolation there.
        metrics: Each metric, to `model`, `bicubic` and `gain`.
        protocol: How was scored.
        trained_on: How many of the images the model has seen, by split; None where that isn't known.
    """

    run_id: str | None
    experiment_name: str
    model_uri: str
    split: str
    test: Scored
    baseline: Bicubic
    metrics: dict[str, dict[str, Any]]
    protocol: dict[str, Any]
    trained_on: dict[str, int] | None

    def _headings(self) -> list[str]:
        return ["", "model", "bicubic", "better by"]

    def _rows(self) -> list[list[str]]:
        rows = []
        for metric, each in self["metrics"].items():
            means = (figure(each[who]["mean"], metric, fine=True) for who in ("model", "bicubic"))
            better = with_interval(each["gain"]["gain"], each["gain"]["ci95"], metric)
            rows.append([heading(metric), *means, better])
        return rows


class EnhanceResult(Result):
    """What `enhance` gives back.

    Attributes:
        model_uri: Address of the model.
        scale: How many times larger images became.
        output: The folder that was written to.
        outputs: Files that were written, relative to it.
        restored: Files that were restored, relative to the input.
        skipped: Files that were finished before.
    """

    model_uri: str
    scale: int
    output: str
    outputs: list[str]
    restored: list[str]
    skipped: list[str]


#: Verbs whose results have a type of their own.
KINDS: dict[str, type[Result]] = {
    "train": TrainResult,
    "adopt": TrainResult,
    "evaluate": EvaluateResult,
    "enhance": EnhanceResult,
}


def _small(picture: bytes) -> str:
    """Make a picture as wide as a notebook, so that the file with it stays one that can be sent."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        image.thumbnail((_WIDTH, _WIDTH))
        written = io.BytesIO()
        image.convert("RGB").save(written, "WEBP", quality=80)
    return base64.b64encode(written.getvalue()).decode()
