"""What `conf/VERB.yaml` asks beside `conf/base.yaml`, a section for each verb that has keys of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from srexp.config.sections.base import Config, Positive
from srexp.config.sections.section import Section, Strict
from srexp.config.shards import EXPECTED, PATTERN, Shard

ModelUri = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
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

#: The configuration of each verb that has keys of its own.
VERB_CONFIGS: dict[str, type[Any]] = {}


class VerbConfig(Config):
    """A whole configuration with the keys that a verb adds, or several verbs."""

    def __init_subclass__(cls, verb: str = "") -> None:
        """Make it a data class, and the configuration of its verb.

        Args:
            verb: Whose configuration it is; empty of what several have in common.
        """
        super().__init_subclass__()
        if verb:
            VERB_CONFIGS[verb] = cls


class NamingConfig(VerbConfig):
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


class CheckConfig(VerbConfig, verb="check"):
    """What `check` adds."""

    search: Section | None = None


class TrainConfig(VerbConfig, verb="train"):
    """What `train` adds."""

    resume: Annotated[str, Field(min_length=1)] | None = None


class AdoptConfig(VerbConfig, verb="adopt"):
    """What `adopt` adds."""

    weights: Path | None
    licence: Annotated[str, Field(min_length=1)] | None
    source: Annotated[str, Field(min_length=1)] | None


class UiConfig(VerbConfig, verb="ui"):
    """What `ui` adds."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    study: Annotated[str, Field(min_length=1)] | None
    storage: str | None


class EvaluateConfig(VerbConfig, verb="evaluate"):
    """What `evaluate` adds."""

    model_uri: str | None
    require_digest: Digest | None
    split: Literal["all", "train", "validation", "test"]
    shard: ShardText | None


class SearchConfig(VerbConfig, verb="search"):
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


class ExportConfig(VerbConfig, verb="export"):
    """What `export` adds."""

    model_uri: ModelUri
    require_digest: Digest | None
    format: Literal["savedmodel", "onnx", "openvino", "litert"]
    output: Path | None
    tolerance: Annotated[float, Field(gt=0)]
    overwrite: bool


class RestoreConfig(VerbConfig):
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
    check_percent: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    compare: bool
    shard: ShardText | None


class PromoteConfig(VerbConfig, verb="promote"):
    """What `promote` adds."""

    name: Annotated[str, Field(min_length=1)]
    version: Positive | Annotated[str, Field(min_length=1)]
    rivals: list[ModelUri]
    rollback: bool
    force: bool
    reason: str | None
    promote: Section

    @property
    def address(self) -> str:
        """The version as a `model_uri`: by its number, or by an alias."""
        return f"models:/{self.name}{'/' if isinstance(self.version, int) else '@'}{self.version}"


class ModelsConfig(VerbConfig, verb="models"):
    """What `models` adds."""

    name: str | None


class RunsConfig(VerbConfig, verb="runs"):
    """What `runs` adds."""

    id: str | None
    limit: Positive
    reap: bool
    sync: bool
    relocate: bool
    reap_hosts: list[str]
