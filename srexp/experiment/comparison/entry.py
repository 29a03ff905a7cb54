"""A run as a comparison sees it: its artifacts, the images that it scored, and its row of the standings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from srexp.data.sources.source import Split
from srexp.evaluation.comparison.standings import BASELINE, Contender, Point
from srexp.evaluation.timing import Timing
from srexp.tracking.runs import queries
from srexp.tracking.runs.queries import StoredRun
from srexp.tracking.store.store import Store

BICUBIC = "baseline_"  # how its columns begin


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run with what its artifacts hold.

    Args:
        run: The run.
        name: What it is called in tables and figures.
        result: Its `result.json`.
        images: Rows of its `scores/test.csv`.
        timings: What was timed, from `inference_times.json`.
        curve: Its learning curve.
        config: Its `config.yaml`, resolved.
        listed: Names of all its images, where it calls them by these and not by pseudonyms.
        environment: Its `environment.json`.
    """

    run: StoredRun
    name: str
    result: Mapping[str, Any]
    images: Sequence[Mapping[str, str]]
    timings: Mapping[str, Timing] = field(default_factory=dict)
    curve: Sequence[Point] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    listed: Sequence[str] = ()

    @property
    def keys(self) -> list[str]:
        """Names of the test images."""
        return [image["key"] for image in self.images]

    @property
    def whole(self) -> bool:
        """Whether every image of the data set was a test image, as `evaluate split=all` takes them."""
        return self.result.get("split") == "all"

    @property
    def split(self) -> Split:
        """The split whose images it calls its test images: that of a training, or what `evaluate` was told."""
        return "test" if self.whole else cast(Split, self.result.get("split", "test"))

    def figures(self, prefix: str = "") -> dict[str, list[float]]:
        """Values of the metrics that every image has, image by image: of the model, or of bicubic by its prefix."""
        names = [column.removeprefix(BICUBIC) for column in self.images[0] if column.startswith(BICUBIC)]
        columns = {name: [image.get(f"{prefix}{name}") for image in self.images] for name in names}
        return {name: [float(text) for text in texts if text] for name, texts in columns.items() if all(texts)}

    def contender(self) -> Contender:
        """Give the run as a row of the standings; the cost of its network isn't known here."""
        return Contender(
            name=self.name,
            values=self.figures(),
            timings=self.timings,
            train_seconds=self.result.get("seconds", {}).get("train") if self.curve else None,
            patches_per_second=self.result.get("train_patches_per_second"),
            curve=self.curve,
            bicubic_val_psnr=self.run.metrics.get("bicubic_val_psnr"),
            invents=self.run.tags.get("detail") == "invented",
        )

    def baseline(self) -> Contender:
        """Give bicubic, as this run scored it."""
        return Contender(name=BASELINE, values=self.figures(BICUBIC))


@contextmanager
def as_written(store: Store, run: StoredRun | str, path: str) -> Iterator[None]:
    """Say which artifact of a run is damaged where what stands in it can't be used.

    Args:
        store: Where.
        run: It, or its id.
        path: Of the artifact whose content is used within.

    Raises:
        DamagedError: Something else stands where figures, names or lists were written.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise queries.damaged(store, run, path, f"something in it isn't what was written there ({error})") from error
