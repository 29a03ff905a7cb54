"""What a training would come to grief over after hours, or in a run that is open, found before: without TensorFlow."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from srexp.config.builders import build, check_arguments, locate
from srexp.config.sections.base import Config
from srexp.data.preparation.prepare import probe_request
from srexp.data.sources.source import Source, Split
from srexp.errors import RequestError
from srexp.metrics.protocol import Protocol
from srexp.system.masking.pseudonyms import pseudonym
from srexp.tracking.names import require_run, require_task
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.failures import require_not_deleted
from srexp.training.cluster import environment
from srexp.training.courses.supervised import Supervised

#: What the trainer must have where a discriminator takes part, and why.
_EXPECTED = {
    "patience": "null: validation PSNR falls in the second phase, and patience would end it",
    "epochs": "2 or more: its second phase begins with an epoch of its own",
    "strategy": "single or auto: the discriminator can't be shared by several GPUs or processes",
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
    if config.trainer.strategy == "multi_worker":
        _require_cluster(config)
    if config.trainer.scales and config.model.target.startswith("srexp."):
        builder = locate(config.model.group, config.model.target)
        if not getattr(sys.modules[builder.__module__], "ANY_SCALE", False):
            raise one_scale_only(config)
    for scale in config.trainer.scales or [config.scale]:
        _require_scored(config, protocol, scale)


def require_usable(config: Config, source: Source, protocol: Protocol) -> None:
    """Refuse images of which names and headers tell that they can't be used, in the words of a training.

    Args:
        config: Checked configuration of a training.
        source: Its data set, which is there.
        protocol: What it builds for scoring.

    Raises:
        RequestError: Files are missing, damaged or too small, or too few for a split.
    """
    for scale in config.trainer.scales or [config.scale]:
        least = protocol.smallest(scale)
        found = probe_request(source, config.trainer.patch_size, scale, seed=config.seed, scored=least)
        for split in ("validation", "test"):
            if split == "test" or scale == config.scale:
                sizes = [(pseudonym(key), size) for key, size in found[split]]
                require_large(sizes, config, protocol, split, scale)


def require_large(
    sizes: Sequence[tuple[str, tuple[int, int] | None]], config: Config, protocol: Protocol, split: Split, scale: int
) -> None:
    """Refuse images that are too small for the protocol, all of them at once and before anything is scored.

    Args:
        sizes: Height and width of each image of a split, by name; None where they aren't known.
        config: Says how many of them are scored.
        protocol: How they are scored.
        split: Which they are.
        scale: At which scale.

    Raises:
        RequestError: Some are too small.
    """
    from srexp.metrics.ssim import WINDOW

    least = protocol.smallest(scale)
    taken = sizes[: config.trainer.validation_images if split == "validation" else None]
    sides = {key: min(size) // scale * scale for key, size in taken if size}
    if small := {key: side for key, side in sides.items() if side < least}:
        raise RequestError(
            f"{len(small)} of {len(taken)} images are too small to be scored: {', '.join(list(small)[:20])}",
            expected=f"{least} pixels each way: SSIM's window inside the border that the protocol leaves out",
            fix="leave these images out, or all such with dataset.on_error=skip"
            + (", or set protocol.shave=0" if min(small.values()) >= WINDOW else ""),
        )


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
        ("strategy", trainer.strategy, trainer.strategy in ("single", "auto"), "trainer.strategy=single"),
    ):
        if not holds:
            raise RequestError(
                f"trainer.{key} doesn't go with training=adversarial", got=got, expected=_EXPECTED[key], fix=fix
            )


def _require_cluster(config: Config) -> None:
    """Refuse what several processes can't do together, and an environment that doesn't say which they are."""
    trainer = config.trainer
    for what, got, holds, expected, fix in (
        ("-m", str(config.sweep), config.sweep is None, "one training", "leave -m out"),
        (
            "trainer.max_minutes", trainer.max_minutes, trainer.max_minutes is None,
            "null: the learning rate would follow the clock of each process", "trainer.max_minutes=null",
        ),
        (
            "trainer.batch_size", trainer.batch_size, trainer.batch_size != "auto",
            "a number: auto tries what one process has room for", "trainer.batch_size=16",
        ),
        (
            "training", config.training.target, not course_of(config, channels=1).one_device,
            "training=supervised: the discriminator can't be shared", "training=supervised",
        ),
    ):  # fmt: skip
        if not holds:
            raise RequestError(
                f"{what} doesn't go with trainer.strategy=multi_worker", got=got, expected=expected, fix=fix
            )
    if trainer.patches % (workers := environment.size()):
        raise RequestError(
            f"trainer.batch_size can't be divided among {workers} processes",
            got=f"trainer.batch_size={trainer.patches}",
            expected=f"a multiple of {workers}: each takes an equal part of every batch",
            fix=f"trainer.batch_size={-(-trainer.patches // workers) * workers}",
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
