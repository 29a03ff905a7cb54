"""One MLflow run: what is written to it while it is open."""

from __future__ import annotations

import json
import math
import re
import shlex
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from srexp.errors import SrexpError
from srexp.system.files.atomic_files import bring_to_disk
from srexp.system.masking.redaction import comma_separated, mask, masked
from srexp.tracking.journal.writer import Writer
from srexp.tracking.metric_names import stored
from srexp.tracking.pages import run_page, server_of
from srexp.tracking.runs import environment, resumed
from srexp.tracking.runs.resumed import NOTHING
from srexp.tracking.store.locations import path_of
from srexp.tracking.store.parameters import flatten, tag
from srexp.tracking.store.store import opened
from srexp.types import Figure

#: Folder of the pictures of MLflow's image grid.
_GRID = "images/"


class Kept(NamedTuple):
    """Where what a run logged is to be looked at.

    Args:
        page: Address of its page in MLflow.
        folder: Of its artifacts; None where they are on no disk of this machine.
        files: Their paths, but for those of the image grid, which is for that page.
        ui: The command that serves the page, where no server does.
    """

    page: str | None = None
    folder: Path | None = None
    files: tuple[str, ...] = ()
    ui: str = "python -m srexp ui"


#: Of a run that the store doesn't know.
NOTHING_KEPT = Kept()


class Run(Writer):
    """An open run. Get one from `Tracking.run`.

    What is logged here is in the journal at once, and in the store within seconds if it answers.

    Attributes:
        already: What the store has of the run from before it was interrupted; none of it is logged again.
    """

    already = NOTHING

    def kept(self, typed: Sequence[str] = ()) -> Kept:
        """Say where what was logged is to be looked at; nothing of it while the store doesn't know the run.

        Args:
            typed: Overrides of the command; those that say where the store is are the page's as well.
        """
        if not self.experiment:
            return NOTHING_KEPT
        folder = None
        with suppress(SrexpError), opened(self.store, f"run {self.id} can't be read") as client:
            folder = path_of(client.get_run(self.id).info.artifact_uri)
        files = tuple(name for name in self.files if not name.startswith(_GRID))
        ui = [NOTHING_KEPT.ui, *(shlex.quote(each) for each in typed if each.startswith(("paths.", "tracking.")))]
        return Kept(run_page(server_of(self.store), self.experiment, self.id), folder, files, " ".join(ui))

    def reopen(self) -> None:
        """Go on with a run that was interrupted: the store gets what was left unsent, and is asked what it has then.

        Raises:
            SrexpError: The store is away, so that nobody knows what of the run it has.
        """
        if not self.flush():
            raise SrexpError(
                f"run {self.id} can't go on while its tracking store is away",
                expected="a store that takes what the run has left unsent",
                fix="start the server, and the same command goes on",
            )
        resumed.reopen(self.store, self.id)
        self.already = resumed.already(self.store, self.id)

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
        known = {"overrides": list(overrides), **facts, **environment.describe()}
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

    def describe(self, text: str) -> None:
        """Say on the run's page, in Markdown, what it is or came to; `pages.RUN_ID` in it becomes the run's id."""
        self.add("note", text=mask(text))

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; values are cut to MLflow's limit."""
        self.add("tags", tags={key: tag(value) for key, value in tags.items()})

    def log_metrics(self, values: Mapping[str, float], *, step: int, milliseconds: int | None = None) -> None:
        """Take metrics that the store doesn't have already; they reach it within seconds.

        Args:
            values: Name, as this code has it, to value. Infinity is kept as NaN, for MLflow would make it 1.8e308 and
                spoil the chart.
            step: Epoch.
            milliseconds: When they were measured, since the epoch; None for now.
        """
        missing = self.already.missing(stored(values), step)
        if not missing:
            return
        drawn = {name: math.nan if math.isinf(value) else float(value) for name, value in missing.items()}
        self.add("metrics", at=milliseconds, step=int(step), values=drawn)

    def log_image(self, pixels: npt.NDArray[np.uint8], *, key: str, step: int) -> None:
        """Add a picture to the image grid, where those of one key form a series over steps; one that is there stays.

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
        # The names by which MLflow's UI knows them, as `MlflowClient.log_image` gives them.
        name = re.sub(r"[^a-zA-Z0-9_\-./ ]", "_", key).replace("/", "~")
        begun = self.already.pictures.get((name, step))
        if begun == "":
            return
        from mlflow.tracking.multimedia import compress_image_size
        from PIL import Image

        flat = pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels
        image = Image.fromarray(np.ascontiguousarray(flat))
        stem = begun or f"{_GRID}{name}+step+{step}+timestamp+{int(time.time() * 1000)}+{uuid.uuid4()}"
        self.keep(f"{stem}.png", image.save)
        self.keep(f"{stem}{resumed.SMALLER}", compress_image_size(image).save)
        self.set_tags({"mlflow.loggedImages": "True"})

    def log_figure(self, figure: Figure, path: str) -> None:
        """Keep a Matplotlib figure as an artifact; the path's ending chooses the format."""
        self.keep(path, figure.savefig)

    def log_file(self, file: Path, folder: str | None = None) -> None:
        """Keep a copy of a file or folder as an artifact."""
        copy = shutil.copytree if file.is_dir() else shutil.copyfile
        self.keep(f"{folder}/{file.name}" if folder else file.name, lambda path: copy(file, path))

    def log_text(self, text: str, path: str) -> None:
        """Keep a text as an artifact, without credentials."""
        self.keep(path, lambda kept: kept.write_text(mask(text), encoding="utf-8"))

    def log_dict(self, values: Mapping[str, object], path: str) -> None:
        """Keep values as a JSON artifact."""
        self.log_text(json.dumps(masked(values), indent=2, default=str), path)

    def log_rows(self, rows: Iterable[Mapping[str, object]], path: str) -> None:
        """Keep rows as a CSV artifact; the first row names the columns."""
        self.log_text(comma_separated(rows), path)

    def log_result(self, values: Mapping[str, object]) -> None:
        """Keep `result.json`; what only the store can answer is put in when it does."""
        self.add("result", values=masked(json.loads(json.dumps(values, default=str))))

    def log_model(self, folder: Path, *, step: int, metrics: Mapping[str, float]) -> str:
        """Log a packed model, and wait for its address.

        Args:
            folder: From `pack`, within the journal's folder.
            step: Epoch that the weights come from.
            metrics: Final figures.

        Returns:
            `models:/m-...`; the folder itself, which is an address too, when the store is away.
        """
        values = {name: float(value) for name, value in stored(metrics).items()}
        with self.writing(), suppress(OSError):  # a disk that takes it less firmly is no reason to lose it
            bring_to_disk(folder)
        path = str(folder.relative_to(self.journal.folder))
        taken = self.confirmed(self.add("model", path=path, step=int(step), values=values))
        return str(self.journal.known["model_uri"]) if taken else str(folder)

    def register(
        self, model_uri: str, name: str, *, tags: Mapping[str, object], alias: str
    ) -> Mapping[str, Any] | None:
        """Make a model a version of a registered model, unless it is one already, and wait for its number.

        Args:
            model_uri: From `log_model`.
            name: Registered model.
            tags: Of the version.
            alias: That moves to it.

        Returns:
            Name, version and alias; None when the store is away.
        """
        if self.already.registered:
            return self.already.registered
        known = {key: tag(value) for key, value in tags.items()}
        logged = model_uri if model_uri.startswith("models:/") else None
        taken = self.confirmed(self.add("register", name=name, tags=known, alias=alias, model=logged))
        return dict(self.journal.known["registered"]) if taken else None
