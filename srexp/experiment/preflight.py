"""What a training would come to grief over after hours, or in a run that is open, found before: without TensorFlow."""

from __future__ import annotations

import sys

from srexp.config.builders import build, check_arguments, locate
from srexp.config.sections.base import Config
from srexp.errors import RequestError
from srexp.metrics.protocol import Protocol
from srexp.tracking.names import require_run, require_task
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.failures import require_not_deleted
from srexp.training.courses.supervised import Supervised

#: What the trainer must have where a discriminator takes part, and why.
_EXPECTED = {
    "patience": "null: validation PSNR falls in the second phase, and patience would end it",
    "epochs": "2 or more: its second phase begins with an epoch of its own",
    "strategy": "single or auto: the discriminator can't be shared by several GPUs",
}


def require_trainable(config: Config, protocol: Protocol) -> None:
    """Refuse what building the network, scoring or registering it would refuse, in the same words.

    Args:
        config: Checked configuration of a training.
        protocol: What it builds for scoring.

    Raises:
        RequestError: An argument is out of range, a name can't be stored, or a crop can't be scored.
    """
    require_task(config.experiment_name)
    require_run(config.run_name, config.tags)
    check_arguments(config.model, scale=config.inner_scale, channels=channels_of(protocol))
    for section in (config.loss, config.optimizer, config.schedule):
        check_arguments(section)
    _require_course(config)
    if config.trainer.scales and config.model.target.startswith("srexp."):
        builder = locate(config.model.group, config.model.target)
        if getattr(sys.modules[builder.__module__], "ONE_SCALE", False):
            raise one_scale_only(config)
    for scale in config.trainer.scales or [config.scale]:
        _require_scored(config, protocol, scale)


def require_store(config: Config) -> None:
    """Refuse an address that is none, and a store in which the task was deleted.

    Args:
        config: Checked configuration of a training.

    Raises:
        RequestError: It says which, and what brings the task back.
    """
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    require_not_deleted(tracking.store.uri, config.experiment_name)


def course_of(config: Config, channels: int) -> Supervised:
    """Build the course of one training.

    Args:
        config: Checked configuration.
        channels: Of its images.
    """
    course: Supervised = build(config.training, scale=config.inner_scale, channels=channels)
    return course


def require_ranked_by_psnr(config: Config) -> None:
    """Refuse a course whose networks a search would put in the wrong order.

    Args:
        config: Checked configuration of a search.

    Raises:
        RequestError: It teaches to invent detail, by which validation PSNR falls.
    """
    if course_of(config, channels=1).invents:
        raise RequestError(
            "training=adversarial can't be searched: trials are put in order by validation PSNR, which it lowers",
            got=config.training.target,
            expected="training=supervised",
            fix="search with training=supervised, then train the best with training=adversarial",
        )


def _require_course(config: Config) -> None:
    """Refuse what an adversarial course can't go along with."""
    trainer = config.trainer
    if not course_of(config, channels=1).invents:
        return
    for key, got, holds, fix in (
        ("patience", trainer.patience, trainer.patience is None, "trainer.patience=null"),
        ("epochs", trainer.epochs, trainer.epochs > 1, "trainer.epochs=8"),
        ("strategy", trainer.strategy, trainer.strategy != "mirrored", "trainer.strategy=single"),
    ):
        if not holds:
            raise RequestError(
                f"trainer.{key} doesn't go with training=adversarial", got=got, expected=_EXPECTED[key], fix=fix
            )


def channels_of(protocol: Protocol) -> int:
    """Give the channels of the images that a network is given under a protocol."""
    return 3 if protocol.images == "rgb" else 1


def one_scale_only(config: Config) -> RequestError:
    """Say that a network has weights for one scale."""
    return RequestError(
        f"model={config.model.name} can't serve several scales",
        got=f"scale={config.trainer.scales}",
        expected="a network that enlarges first and whose weights are the same at every scale: srcnn, vdsr",
        fix=f"model=vdsr, or scale={config.scale}",
    )


def _require_scored(config: Config, protocol: Protocol, scale: int) -> None:
    """Refuse crops of which the border leaves less than SSIM's window."""
    least = protocol.smallest(scale)
    for key in ("validation_size", "test_size"):
        size = getattr(config.trainer, key)
        if size is not None and size // scale * scale < least:
            raise RequestError(
                f"trainer.{key} is too small to be scored at scale={scale}",
                got=size,
                expected=f"at least {least}: SSIM's window inside a border of {protocol.border(scale)}",
                fix=f"trainer.{key}={-(-least // scale) * scale}",
            )
