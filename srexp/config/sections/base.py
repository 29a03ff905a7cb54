"""What `conf/base.yaml` asks, whatever the verb."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, WithJsonSchema

from srexp.config.sections.section import Section, Strict
from srexp.errors import RequestError

Positive = Annotated[int, Field(ge=1)]
Scale = Annotated[int, Field(ge=1, le=8)]
_SCALE = {"type": "integer", "minimum": 1, "maximum": 8}

#: Fields of a configuration that `compose.check` fills in; they are no keys.
FILLED_IN = frozenset({"overrides", "beside", "choices", "run_dir", "sweep", "resolved"})
#: How `Config.typed` writes the folder whose files are added to the groups.
CONFIG_DIR = "--config-dir="


class Trainer(Strict):
    """Length, batches and numerics of training: `conf/trainer`."""

    epochs: Positive
    steps_per_epoch: Positive
    max_minutes: Annotated[float, Field(gt=0)] | None
    batch_size: Positive | Literal["auto"]
    patch_size: Annotated[int, Field(ge=8)]
    scales: Annotated[list[Scale], Field(min_length=2)] | None
    start: Annotated[str, Field(min_length=1)] | None
    patches_per_image: Positive
    decoded_cache: bool
    validation_images: Positive
    validation_size: Annotated[int, Field(ge=16)]
    test_size: Annotated[int, Field(ge=16)] | None
    overfit_batches: Positive | None
    profile: bool
    patience: Positive | None
    precision: Literal["auto", "float32", "mixed_bfloat16"]
    deterministic: bool
    strategy: Literal["auto", "single", "mirrored", "multi_worker"]
    workers: Positive
    memory_mb: Annotated[int, Field(ge=64)]

    @property
    def patches(self) -> int:
        """Patches in a batch, where that is a number already."""
        if self.batch_size == "auto":
            raise RequestError(
                "trainer.batch_size=auto is for a training", expected="a number", fix="trainer.batch_size=16"
            )
        return self.batch_size


class Checkpoint(Strict):
    """When the state of a training is written: `checkpoint` in `conf/base.yaml`."""

    minutes: Annotated[float, Field(ge=0)] | None


class Paths(Strict):
    """Folders that runs write to, and who may read them: `conf/paths`."""

    root: Path
    outputs: Path
    studies: Path
    cache: Path
    shared: bool


class Config(Strict):
    """A whole configuration after it was checked: what `commands` receive."""

    verb: str
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]  # what NumPy and TensorFlow take
    scale: Annotated[Scale, WithJsonSchema({"anyOf": [_SCALE, {"type": "array", "items": _SCALE}]})]  # see `scales`
    experiment_name: Annotated[str, Field(min_length=1)]
    run_name: str | None
    tags: dict[str, str]
    audit: Literal["warn", "strict"]
    extensions: list[str]
    dataset: Section
    degradation: Section
    augmentation: Section
    model: Section
    loss: Section
    training: Section
    optimizer: Section
    schedule: Section
    protocol: Section
    tracking: Section
    trainer: Trainer
    checkpoint: Checkpoint
    paths: Paths
    overrides: list[str] = field(default_factory=list)
    beside: str | None = None
    choices: dict[str, str] = field(default_factory=dict)
    run_dir: Path = Path()
    sweep: Path | None = None
    resolved: dict[str, Any] = field(default_factory=dict)

    @property
    def shows_names(self) -> bool:
        """Whether images are called by their names in what is shown, and not by pseudonyms."""
        return False

    @property
    def typed(self) -> list[str]:
        """What was typed behind the verb: `--config-dir`, without which the overrides may mean nothing, and these."""
        return [*([f"{CONFIG_DIR}{self.beside}"] if self.beside else []), *self.overrides]

    @property
    def inner_scale(self) -> int:
        """What the network enlarges while it is trained: nothing, where batches of several scales come enlarged."""
        return 1 if self.trainer.scales else self.scale

    def changed(self, *, trainer: Mapping[str, Any] | None = None, **values: Any) -> Self:
        """Give the configuration with other values, as if they had been typed: as fields, and in `resolved` too.

        Args:
            trainer: Keys of `trainer`, to their values.
            **values: Fields of the configuration that are no sections.

        Returns:
            Another configuration; this one stays as it is.
        """
        resolved = {**self.resolved, **{key: value for key, value in values.items() if key in self.resolved}}
        if trainer:
            values["trainer"] = dataclasses.replace(self.trainer, **trainer)
            resolved["trainer"] = {**resolved["trainer"], **trainer}
        return dataclasses.replace(self, **values, resolved=resolved)
