"""One MLflow run: what is written to it while it is open, and how it ends."""

from __future__ import annotations

import csv
import io
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from srexp.errors import SrexpError
from srexp.tracking import environment
from srexp.tracking.buffer import MetricBuffer, Point
from srexp.tracking.lineage import dataset_input
from srexp.tracking.parameters import flatten, mask, tag
from srexp.tracking.store import Store, translated

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

MAX_BATCH = 100
_TRIES = 5


class Run:
    """An open run. Get one from `Tracking.run`.

    Metrics wait in a buffer and cost nothing here; everything else is written at once. Nothing touches MLflow's
    process-wide state, so several runs may be open at the same time.

    Args:
        client: Client of the store.
        store: Addresses of the store.
        experiment: Experiment id.
        run_id: Run id.
        flush_seconds: Longest time that a metric waits.

    Attributes:
        id: MLflow run id.
        experiment: MLflow experiment id.
        store: Addresses of the store.
        client: For what isn't covered here.
        seconds: Time that the caller has spent writing to the store so far.
    """

    def __init__(self, client: MlflowClient, store: Store, experiment: str, run_id: str, flush_seconds: float) -> None:
        from mlflow.exceptions import MlflowException

        self.client, self.store, self.experiment, self.id = client, store, experiment, run_id
        self.seconds = 0.0
        self._metrics = MetricBuffer(self._send_points, seconds=flush_seconds, retry_on=(MlflowException, OSError))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count the time spent writing to the store, and say in srexp's terms what the store refuses.

        Raises:
            SrexpError: The store refused, or can't be reached.
        """
        begin = time.perf_counter()
        try:
            with translated(self.store, f"run {self.id} could not be written"):
                yield
        finally:
            self.seconds += time.perf_counter() - begin

    def log_config(self, config: Mapping[str, object], text: str) -> None:
        """Keep the resolved configuration: as parameters to filter by, and whole as `config.yaml`.

        Args:
            config: Resolved configuration of mappings, lists and scalars.
            text: The same as YAML.
        """
        from mlflow.entities import Param

        params = [Param(name, value) for name, value in flatten(config).items()]
        with self.writing():
            for begin in range(0, len(params), MAX_BATCH):
                self.client.log_batch(self.id, params=params[begin : begin + MAX_BATCH])
        self.log_text(text, "config.yaml")

    def log_environment(self, overrides: Sequence[str], **facts: object) -> None:
        """Keep what the run ran on, and what was typed, as `environment.json`.

        Args:
            overrides: Hydra overrides of the command line.
            **facts: What the caller knows besides, such as devices and precision.
        """
        known = {"overrides": [mask(override) for override in overrides], **facts, **environment.describe()}
        with self.writing():
            self.client.log_dict(self.id, known, "environment.json")

    def log_dataset(
        self,
        *,
        name: str,
        source: str,
        fingerprint: str,
        splits: Mapping[str, Mapping[str, object]],
        manifest: Iterable[Mapping[str, object]],
    ) -> None:
        """Keep which data the run used: data set inputs, and the manifest of its splits as `data/manifest.csv`.

        Args:
            name: Name of the data set.
            source: Where it came from: a folder, a URL, or a package.
            fingerprint: Digest of pixels, membership and split.
            splits: What each was used for (`training`, `validation`, `test`) to facts such as the number of images.
            manifest: One row for each image.
        """
        inputs = [
            dataset_input(name=name, source=source, fingerprint=fingerprint, context=context, facts=facts)
            for context, facts in splits.items()
        ]
        with self.writing():
            self._send_inputs(inputs)
        self.set_tags({"data.fingerprint": fingerprint})
        self.log_rows(manifest, "data/manifest.csv")

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; values are cut to MLflow's limit."""
        from mlflow.entities import RunTag

        entities = [RunTag(key, tag(value)) for key, value in tags.items()]
        with self.writing():
            for begin in range(0, len(entities), MAX_BATCH):
                self.client.log_batch(self.id, tags=entities[begin : begin + MAX_BATCH])

    def log_metrics(self, values: Mapping[str, float], *, step: int, milliseconds: int | None = None) -> None:
        """Take metrics; they reach the store within seconds.

        Args:
            values: Name to value. Infinity is kept as NaN, for MLflow would make it 1.8e308 and spoil the chart.
            step: Epoch.
            milliseconds: When they were measured, since the epoch; None for now.
        """
        drawn = {name: math.nan if math.isinf(value) else value for name, value in values.items()}
        self._metrics.add(drawn, step=step, milliseconds=milliseconds)

    def log_image(self, pixels: npt.NDArray[np.uint8], *, key: str, step: int) -> None:
        """Add a picture to the image grid, where those of one key form a series over steps.

        The MLflow UI opens a series of several steps at step 0, and shows a single picture whatever its step.

        Args:
            pixels: (h, w), (h, w, 1) or (h, w, 3), uint8. Floats are refused, for MLflow would stretch each picture
                to its own range.
            key: Name of the series.
            step: Epoch.

        Raises:
            SrexpError: Not a picture of 8-bit grey levels or colours.
        """
        grey_or_colour = pixels.ndim > 1 and pixels.shape[2:] in ((), (1,), (3,))
        if pixels.dtype != np.uint8 or not grey_or_colour:
            raise SrexpError(
                f"picture {key} can't be logged",
                got=f"{pixels.dtype} {pixels.shape}",
                expected="uint8 (h, w), (h, w, 1) or (h, w, 3)",
            )
        flat = pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels
        name = re.sub(r"[^a-zA-Z0-9_\-./ ]", "_", key)
        with self.writing():
            self.client.log_image(self.id, np.ascontiguousarray(flat), key=name, step=step, synchronous=True)

    def log_figure(self, figure: Figure, path: str) -> None:
        """Keep a Matplotlib figure as an artifact; the path's ending chooses the format."""
        with self.writing():
            self.client.log_figure(self.id, figure, path)

    def log_file(self, file: Path, folder: str | None = None) -> None:
        """Keep a copy of a file or folder as an artifact."""
        with self.writing():
            self.client.log_artifact(self.id, str(file), folder)

    def log_text(self, text: str, path: str) -> None:
        """Keep a text as an artifact, without credentials."""
        with self.writing():
            self.client.log_text(self.id, mask(text), path)

    def log_dict(self, values: Mapping[str, object], path: str) -> None:
        """Keep values as an artifact, JSON or YAML by the path's ending."""
        with self.writing():
            self.client.log_dict(self.id, dict(values), path)

    def log_rows(self, rows: Iterable[Mapping[str, object]], path: str) -> None:
        """Keep rows as a CSV artifact; the first row names the columns."""
        listed = list(rows)
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, fieldnames=list(listed[0]) if listed else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
        self.log_text(out.getvalue(), path)

    def flush(self) -> None:
        """Send the metrics that wait; done anyway every few seconds and at the end."""
        self._metrics.flush()

    def end(self, status: str, reason: str | None = None) -> None:
        """Send the rest and set the final status; `Tracking.run` does it.

        Args:
            status: FINISHED, FAILED or KILLED.
            reason: Why it didn't finish.

        Raises:
            SrexpError: The store didn't take the rest.
        """
        try:
            with self.writing():
                lost = self._metrics.close()
            if reason:
                self.set_tags({"srexp.error": reason})
        finally:
            with self.writing():
                self.client.set_terminated(self.id, status)
        if lost:
            raise SrexpError(f"{lost} metric values of run {self.id} could not be stored", got=mask(self.store.uri))

    def _send_inputs(self, inputs: Sequence[DatasetInput]) -> None:
        """Send data set inputs; MLflow fails when two runs name a new data set at once, and then knows it."""
        from mlflow.exceptions import MlflowException

        for left in reversed(range(_TRIES)):
            try:
                return self.client.log_inputs(self.id, list(inputs))
            except MlflowException as error:
                if not left or not re.search("unique|duplicate", str(error), re.IGNORECASE):
                    raise
        return None

    def _send_points(self, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        self.client.log_batch(self.id, metrics=[Metric(*point) for point in points])
