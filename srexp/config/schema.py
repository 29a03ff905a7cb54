"""The typed sections of a configuration; what is not written here, or in a builder's signature, is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self, dataclass_transform

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from srexp.config.shards import EXPECTED, PATTERN, Shard
from srexp.errors import RequestError

Positive = Annotated[int, Field(ge=1)]
ModelUri = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Scale = Annotated[int, Field(ge=1, le=8)]
_SCALE = {"type": "integer", "minimum": 1, "maximum": 8}
#: Of a machine that speaks DICOM (PS3.5 6.2).
AeTitle = Annotated[str, Field(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$")]
#: Of the file of a model.
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


def _is_shard(text: str) -> str:
    try:
        return str(Shard.read(text))
    except ValueError:
        raise ValueError(f"expected {EXPECTED}; all shards are a multirun: -m shard=all/8") from None


#: A part of an input, as `shards.Shard` reads it.
ShardText = Annotated[str, AfterValidator(_is_shard), WithJsonSchema({"type": "string", "pattern": f"^{PATTERN}$"})]

#: Pydantic settings of every section: a key that it has no field for is refused, and so are infinity and NaN.
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Section:
    """A choice that is built: `_target_` and the options that its builder's signature accepts.

    Args:
        group: Configuration group, for messages.
        target: Dotted path of the builder.
        options: Keyword arguments, already converted to the builder's types.
    """

    group: str
    target: str
    options: dict[str, Any]

    def __getattr__(self, key: str) -> Any:
        """Give an option by its name, as `config.optimizer.lr`."""
        if key.startswith("__"):  # asked for by pickle before there are options
            raise AttributeError(key)
        try:
            return self.options[key]
        except KeyError:
            raise AttributeError(f"{self.group} has no option {key!r}") from None


#: Fields of a configuration that `compose.check` fills in; they are no keys.
FILLED_IN = frozenset({"overrides", "choices", "run_dir", "sweep", "resolved"})
#: The configuration of each verb that has keys of its own.
VERB_CONFIGS: dict[str, type[Any]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Strict:
    """A section with typed keys, as a frozen data class; pydantic refuses a key that it has no field for."""

    __pydantic_config__ = STRICT

    def __init_subclass__(cls, verb: str = "") -> None:
        """Make it a data class.

        Args:
            verb: Whose configuration it is; empty of what several have in common.
        """
        dataclass(frozen=True, kw_only=True)(cls)
        if verb:
            VERB_CONFIGS[verb] = cls


def _on_one_machine(strategy: object) -> object:
    if strategy == "multi_worker":
        raise ValueError(
            "several machines can't train one network together; mirrored uses all GPUs of one machine, and -m with "
            "hydra/launcher=submitit_slurm or ray trains a network on each"
        )
    return strategy


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
    strategy: Annotated[Literal["auto", "single", "mirrored"], BeforeValidator(_on_one_machine)]
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
    choices: dict[str, str] = field(default_factory=dict)
    run_dir: Path = Path()
    sweep: Path | None = None
    resolved: dict[str, Any] = field(default_factory=dict)

    @property
    def shows_names(self) -> bool:
        """Whether images are called by their names in what is shown, and not by pseudonyms."""
        return False

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


class NamingConfig(Config):
    """What verbs add that show the names of images where that is asked."""

    names: bool

    @property
    def shows_names(self) -> bool:
        """Whether that is asked."""
        return self.names


class DataConfig(NamingConfig, verb="data"):
    """What `data` adds."""


class InitConfig(NamingConfig, verb="init"):
    """What `init` adds."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] | None
    overwrite: bool


class TrainConfig(Config, verb="train"):
    """What `train` adds."""

    resume: Annotated[str, Field(min_length=1)] | None = None


class AdoptConfig(Config, verb="adopt"):
    """What `adopt` adds."""

    weights: Path | None
    licence: Annotated[str, Field(min_length=1)] | None
    source: Annotated[str, Field(min_length=1)] | None


class UiConfig(Config, verb="ui"):
    """What `ui` adds."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    study: Annotated[str, Field(min_length=1)] | None
    storage: str | None


class EvaluateConfig(Config, verb="evaluate"):
    """What `evaluate` adds."""

    model_uri: str | None
    require_digest: Digest | None
    split: Literal["all", "train", "validation", "test"]
    shard: ShardText | None


class SearchConfig(Config, verb="search"):
    """What `search` adds."""

    search: Section


class CompareConfig(NamingConfig, verb="compare"):
    """What `compare` adds."""

    runs: list[str]
    models: list[str]
    select: Literal["best", "all"]
    pictures: Annotated[int, Field(ge=0)]
    max_grey_levels: Annotated[float, Field(gt=0, le=255)] | None
    detail: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)] | None
    time_again: bool


class ExportConfig(Config, verb="export"):
    """What `export` adds."""

    model_uri: ModelUri
    require_digest: Digest | None
    format: Literal["savedmodel", "onnx", "openvino", "litert"]
    output: Path | None
    tolerance: Annotated[float, Field(gt=0)]
    overwrite: bool


class RestoreConfig(Config):
    """What verbs add that restore images."""

    require_digest: Digest | None
    runtime: Literal["keras", "onnxruntime", "openvino", "litert", "auto"]
    precision: Literal["float32", "bfloat16", "int8"]
    memory_mb: Annotated[int, Field(ge=64)]


class Pacs(Strict):
    """Where `serve dicom=true` listens, to whom, and to whom it sends: `pacs` in `conf/serve.yaml`."""

    title: AeTitle
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    callers: list[AeTitle]
    hosts: list[Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]+$")]]
    destination: str | None
    spool: Path
    spool_mb: Positive
    max_mb: Positive
    connections: Positive
    idle_seconds: Seconds
    object_seconds: Seconds
    retry_seconds: Seconds


class ServeConfig(RestoreConfig, verb="serve"):
    """What `serve` adds."""

    model_uri: ModelUri | Annotated[list[ModelUri], Field(min_length=1)] | None
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    hosts: list[Annotated[str, Field(pattern=r"^([^\s:/@\[\]]+|\[[0-9a-fA-F:.]+\])$")]]
    origins: list[Annotated[str, Field(pattern=r"^https?://[^\s/@]+$")]]
    max_mb: Positive
    max_pixels: Positive
    workers: Positive
    waiting: Annotated[int, Field(ge=0)]
    spool_mb: Positive
    head_seconds: Seconds
    body_seconds: Seconds
    image_seconds: Seconds
    connections: Positive
    connections_per_client: Positive
    dicom: bool
    pacs: Pacs


class EnhanceConfig(NamingConfig, RestoreConfig, verb="enhance"):
    """What `enhance` adds."""

    model_uri: ModelUri
    input: Annotated[str, Field(min_length=1)]
    output: Annotated[str, Field(pattern="://")] | Path
    format: Literal["same", "png", "jpeg", "bmp", "tiff", "dicom"]
    overwrite: bool
    intensity: Literal["bits", "window", "percentile"] | None
    self_ensemble: bool
    spread: bool
    check: bool
    check_levels: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    compare: bool
    shard: ShardText | None


class PromoteConfig(Config, verb="promote"):
    """What `promote` adds."""

    name: Annotated[str, Field(min_length=1)]
    version: Positive | Annotated[str, Field(min_length=1)]
    rivals: list[ModelUri]
    rollback: bool
    force: bool
    reason: str | None
    promote: Section


class ModelsConfig(Config, verb="models"):
    """What `models` adds."""

    name: str | None


class RunsConfig(Config, verb="runs"):
    """What `runs` adds."""

    id: str | None
    limit: Positive
    reap: bool
    sync: bool
    relocate: bool
    reap_hosts: list[str]


#: Arguments that a command hands to a builder at run time; they are no configuration keys.
RUNTIME: dict[str, frozenset[str]] = {
    "model": frozenset({"scale", "channels"}),
    "training": frozenset({"scale", "channels"}),
    "tracking": frozenset({"folder"}),
    "search": frozenset({"folder"}),
}
