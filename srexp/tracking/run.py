"""One MLflow run: what is written to it while it is open, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from srexp.errors import SrexpError
from srexp.tracking import environment
from srexp.tracking.journal import Journal
from srexp.tracking.outbox import Outbox
from srexp.tracking.parameters import flatten, mask, tag
from srexp.tracking.replay import is_away, reason
from srexp.tracking.store import Store, translated
from srexp.tracking.upload import digests

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

SYNC = "python -m srexp runs sync=true"
#: Longest time that a run waits for a server to know it, and the end of one that was interrupted for anything.
_START_SECONDS, _SHORT_SECONDS = 15.0, 3.0


class Run:
    """An open run. Get one from `Tracking.run`.

    Whatever is written goes into a journal in the run's folder, and from there to the store by a thread of its own,
    so that a store that is slow or away costs nothing here. Nothing touches MLflow's process-wide state, so several
    runs may be open at the same time.

    Args:
        store: Addresses of the store.
        journal: Whose first operation creates the run, or goes on with it.
        flush_seconds: Longest time that something waits before it is sent.
        wait_seconds: Longest time that the end waits for a store that is away.
        before: What the same run left unsent when it was interrupted.

    Attributes:
        store: Addresses of the store.
        journal: What was written.
        is_open: False once it ended, or could not begin.
        seconds: Time that the caller has spent writing so far.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        *,
        flush_seconds: float,
        wait_seconds: float,
        before: Sequence[Journal] = (),
    ) -> None:
        self.store, self.journal, self.wait_seconds = store, journal, wait_seconds
        self.seconds = 0.0
        self._outbox = Outbox(store, journal, seconds=flush_seconds, before=before)
        self.is_open, self._warned = True, False

    @property
    def id(self) -> str:
        """MLflow run id; `pending-...` as long as the store doesn't know the run."""
        return self.journal.run_id

    @property
    def experiment(self) -> str:
        """MLflow experiment id; empty as long as the store doesn't know the run."""
        return str(self.journal.known.get("experiment_id", ""))

    def begin(self) -> None:
        """Let the store know of the run; one that is away gets it later.

        Raises:
            SrexpError: The store answered and refused, or neither store nor disk takes anything.
        """
        failure = self._outbox.start(None if self.store.lock else _START_SECONDS)
        if failure is None:
            return
        if not is_away(self.store, failure):
            what = self._beginning
            self.discard()
            with translated(self.store, what):
                raise failure
        if self.journal.only_in_memory:
            self.discard()
            raise SrexpError(
                f"the run can be kept nowhere: {reason(failure)}",
                got=f"{mask(self.store.uri)}, and {self.journal.folder}",
                expected="a tracking store that answers, or a folder that may be written and has room",
                fix="start the server, make room, or correct tracking.uri or hydra.run.dir",
            ) from failure
        log.warning(
            "the tracking store %s takes nothing (%s); the work goes on, and its records wait in %s",
            mask(self.store.uri),
            reason(failure),
            self.journal.folder,
        )

    @property
    def _beginning(self) -> str:
        resumed = self.journal.waiting[0].get("run_id") if self.journal.waiting else None
        return f"run {resumed} can't be resumed" if resumed else "the run can't be created"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count the time spent writing."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - begin

    def add(self, kind: str, *, at: int | None = None, **content: Any) -> int:
        """Write an operation of a kind that `Replay` knows.

        Args:
            kind: Its name.
            at: Milliseconds since the epoch; None for now.
            **content: What it needs, ready for JSON.

        Returns:
            Its number.
        """
        with self.writing():
            number: int = self.journal.add(kind, at=at, **content)["n"]
        if number in self.journal.unwritten and not self._warned:
            self._warned = True
            log.warning("%s can't be written; what the store doesn't take now will be lost", self.journal.folder)
        return number

    def _keep(self, path: str, write: Callable[[Path], object]) -> None:
        """Keep a file in the journal, to be an artifact at a path; a disk that is full must not end the work."""
        folder, _, name = path.rpartition("/")
        try:
            with self.writing():
                kept = self.journal.file(name, write)
                sums = digests((self.journal.folder / kept).parent)
        except OSError as error:
            self.journal.lost.append(path)
            log.warning("%s of run %s can't be stored: %s", path, self.id, error)
            return
        self.add("file", path=kept, folder=folder or None, sha256=sums)

    def log_config(self, config: Mapping[str, object], text: str) -> None:
        """Keep the resolved configuration: as parameters to filter by, and whole as `config.yaml`.

        Args:
            config: Resolved configuration of mappings, lists and scalars.
            text: The same as YAML.
        """
        self.add("params", params=flatten(config))
        self.log_text(text, "config.yaml")

    def log_environment(self, overrides: Sequence[str], **facts: object) -> None:
        """Keep what the run ran on, and what was typed, as `environment.json`.

        Args:
            overrides: Hydra overrides of the command line.
            **facts: What the caller knows besides, such as devices and precision.
        """
        known = {"overrides": [mask(override) for override in overrides], **facts, **environment.describe()}
        self.log_dict(known, "environment.json")

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
        shared = {"name": name, "source": mask(source), "fingerprint": fingerprint}
        self.add("inputs", inputs=[{**shared, "context": context, "facts": facts} for context, facts in splits.items()])
        self.set_tags({"data.fingerprint": fingerprint})
        self.log_rows(manifest, "data/manifest.csv")

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; values are cut to MLflow's limit."""
        self.add("tags", tags={key: tag(value) for key, value in tags.items()})

    def log_metrics(self, values: Mapping[str, float], *, step: int, milliseconds: int | None = None) -> None:
        """Take metrics; they reach the store within seconds.

        Args:
            values: Name to value. Infinity is kept as NaN, for MLflow would make it 1.8e308 and spoil the chart.
            step: Epoch.
            milliseconds: When they were measured, since the epoch; None for now.
        """
        drawn = {name: math.nan if math.isinf(value) else float(value) for name, value in values.items()}
        self.add("metrics", at=milliseconds, step=int(step), values=drawn)

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
        from mlflow.tracking.multimedia import compress_image_size
        from PIL import Image

        flat = pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels
        image = Image.fromarray(np.ascontiguousarray(flat))
        # The names by which MLflow's UI knows them, as `MlflowClient.log_image` gives them.
        name = re.sub(r"[^a-zA-Z0-9_\-./ ]", "_", key).replace("/", "~")
        stem = f"images/{name}+step+{step}+timestamp+{int(time.time() * 1000)}+{uuid.uuid4()}"
        self._keep(f"{stem}.png", image.save)
        self._keep(f"{stem}+compressed.webp", compress_image_size(image).save)
        self.set_tags({"mlflow.loggedImages": "True"})

    def log_figure(self, figure: Figure, path: str) -> None:
        """Keep a Matplotlib figure as an artifact; the path's ending chooses the format."""
        self._keep(path, figure.savefig)

    def log_file(self, file: Path, folder: str | None = None) -> None:
        """Keep a copy of a file or folder as an artifact."""
        copy = shutil.copytree if file.is_dir() else shutil.copyfile
        self._keep(f"{folder}/{file.name}" if folder else file.name, lambda path: copy(file, path))

    def log_text(self, text: str, path: str) -> None:
        """Keep a text as an artifact, without credentials."""
        self._keep(path, lambda kept: kept.write_text(mask(text), encoding="utf-8"))

    def log_dict(self, values: Mapping[str, object], path: str) -> None:
        """Keep values as a JSON artifact."""
        self.log_text(json.dumps(values, indent=2, default=str), path)

    def log_result(self, values: Mapping[str, object]) -> None:
        """Keep `result.json`; what only the store can answer is put in when it does."""
        self.add("result", values=dict(values))

    def log_model(self, folder: Path, *, step: int, metrics: Mapping[str, float]) -> str:
        """Log a packed model, and wait for its address.

        Args:
            folder: From `pack`, within the journal's folder.
            step: Epoch that the weights come from.
            metrics: Final figures.

        Returns:
            `models:/m-...`; the folder itself, which is an address too, when the store is away.
        """
        values = {name: float(value) for name, value in metrics.items()}
        path = str(folder.relative_to(self.journal.folder))
        taken = self._answered(self.add("model", path=path, step=int(step), values=values))
        return str(self.journal.known["model_uri"]) if taken else str(folder)

    def register(
        self, model_uri: str, name: str, *, tags: Mapping[str, object], alias: str
    ) -> Mapping[str, Any] | None:
        """Make a model a version of a registered model, and wait for its number.

        Args:
            model_uri: From `log_model`.
            name: Registered model.
            tags: Of the version.
            alias: That moves to it.

        Returns:
            Name, version and alias; None when the store is away.
        """
        known = {key: tag(value) for key, value in tags.items()}
        logged = model_uri if model_uri.startswith("models:/") else None
        taken = self._answered(self.add("register", name=name, tags=known, alias=alias, model=logged))
        return dict(self.journal.known["registered"]) if taken else None

    def _answered(self, number: int) -> bool:
        refused = len(self.journal.refused)
        with self.writing():
            taken = self._outbox.flush(self.wait_seconds, until=number)
        if len(self.journal.refused) > refused:
            raise SrexpError(
                f"run {self.id} could not be written: {self.journal.refused[-1]}", got=mask(self.store.uri)
            )
        return taken

    def log_rows(self, rows: Iterable[Mapping[str, object]], path: str) -> None:
        """Keep rows as a CSV artifact; the first row names the columns."""
        listed = list(rows)
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, fieldnames=list(listed[0]) if listed else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
        self.log_text(out.getvalue(), path)

    def flush(self) -> bool:
        """Wait for the store to have all of it, as long as `wait_seconds`; it comes to it anyway in a few seconds.

        Returns:
            Whether it has.
        """
        with self.writing():
            return self._outbox.flush(self.wait_seconds)

    def end(self, status: str, cause: str | None = None, *, impatient: Callable[[], bool] = lambda: False) -> None:
        """Set the final status and wait for the store to have everything; `Tracking.run` does it.

        Args:
            status: FINISHED, FAILED or KILLED.
            cause: Why it didn't finish.
            impatient: Whether to stop waiting now.

        Raises:
            SrexpError: Something could be kept neither in the store nor on disk, or the store refused it.
        """
        if cause:
            self.set_tags({"srexp.error": cause})
        self.add("end", status=status)
        with self.writing():
            hurry = status != "FINISHED" and (self.store.lock is None or self._outbox.failure is not None)
            most = min(self.wait_seconds, _SHORT_SECONDS) if hurry else self.wait_seconds
            self._outbox.flush(most, impatient=impatient)
        gone = [*self.journal.lost, *(_called(each) for each in self.journal.only_in_memory)]
        self.is_open = False
        self._outbox.close()
        if waiting := self.pending():
            log.warning(
                "%d records of run %s are not in the tracking store yet (%s); they lie in %s, and `%s` sends them",
                waiting["records"],
                self.id,
                waiting["reason"],
                waiting["folder"],
                waiting["send"],
            )
        if gone or self.journal.refused:
            raise _lost(self.id, gone, self.journal.refused, mask(self.store.uri))

    def discard(self) -> None:
        """Forget a run that could not begin."""
        self.is_open = False
        self.journal.discard()
        self._outbox.close()

    def answered(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Put into a result what the store answered since, and what it hasn't got.

        Args:
            result: With `run_id`, and perhaps `model_uri` and `registered`.

        Returns:
            The same with what is known now: `run_id` is None while the store doesn't know the run, and `pending` says
            what waits where.
        """
        known = {"run_id": None, **self.journal.known}
        waiting = self.pending()
        told = {**result, **{key: value for key, value in known.items() if key in result}}
        return {**told, "pending": waiting} if waiting else told

    def pending(self) -> dict[str, Any]:
        """Say what the store hasn't got; empty when it has everything."""
        left = len(self.journal.waiting)
        if not left:
            return {}
        why = reason(self._outbox.failure) if self._outbox.failure else "it takes them slowly"
        return {"folder": str(self.journal.folder), "records": left, "reason": why, "send": SYNC}


def _called(operation: Mapping[str, Any]) -> str:
    name = operation.get("path") or operation.get("step") or ""
    return f"{operation['op']} {name}".strip()


def _lost(run_id: str, gone: Sequence[str], refused: Sequence[str], store: str) -> SrexpError:
    """Say what is stored nowhere, and what the store won't have."""
    told = [f"not stored, for there was no room: {', '.join(gone)}"] if gone else []
    told += [f"refused by the store: {'; '.join(refused)}"] if refused else []
    return SrexpError(
        f"run {run_id} is not complete; " + "; ".join(told),
        got=store,
        expected="a disk with room, and a store that takes what a run writes",
        fix="make room and run it again; what was stored before is as it was",
    )
