"""What a model is asked to do: the data of a configuration, how it is degraded, and how it is scored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from srexp.config.builders import build
from srexp.config.sections.base import Config
from srexp.data.audit.audit import audit, facts
from srexp.data.audit.findings import Finding, messages, require_clean
from srexp.data.batches.augment import Augmentation
from srexp.data.batches.multiscale import MultiscaleSampler
from srexp.data.batches.patches import Pairing, PatchSampler, require_divisible, scored_samples
from srexp.data.degradation.degradations import Degradation
from srexp.data.degradation.given import Given
from srexp.data.image import Channel
from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources.paired import Paired
from srexp.data.sources.public_dataset import Downloadable
from srexp.data.sources.source import Source, Split
from srexp.errors import RequestError
from srexp.experiment import start
from srexp.experiment.preflight import channels_of, require_store, require_trainable
from srexp.metrics.protocol import Protocol
from srexp.system.stdio import stage
from srexp.types import Sample


@dataclass(frozen=True)
class Parts:
    """What a configuration builds without TensorFlow."""

    source: Source
    degrade: Degradation
    augment: Augmentation
    protocol: Protocol


def builders(config: Config) -> Parts:
    """Build the light parts and hold them against each other.

    Args:
        config: Checked configuration.

    Returns:
        Source, degradation, augmentation and protocol.

    Raises:
        RequestError: A value is out of range, or two do not fit.
    """
    parts = Parts(
        source=build(config.dataset),
        degrade=build(config.degradation),
        augment=build(config.augmentation),
        protocol=build(config.protocol),
    )
    if isinstance(parts.source, Paired) != isinstance(parts.degrade, Given):
        raise RequestError(
            "dataset and degradation don't fit together",
            got=f"dataset={config.choices.get('dataset')} degradation={config.choices.get('degradation')}",
            expected="degradation=given with dataset=paired, whose low images are given, and with no other",
            fix="leave degradation out: dataset=paired chooses it",
        )
    parts.protocol.describe(config.scale)  # reads the file of weights that it names
    for scale in config.trainer.scales or [config.scale]:
        require_divisible(config.trainer.patch_size, scale)
        parts.degrade.halo(scale)
    if config.trainer.scales:
        _require_scales(config, parts)
    if config.trainer.batch_size != "auto":
        require_whole_visits(config.trainer.batch_size, config.trainer.patches_per_image)
    if config.verb in ("train", "check", "search", "adopt"):
        require_trainable(config, parts.protocol)
        require_store(config)
    return parts


def require_whole_visits(batch_size: int, patches_per_image: int) -> None:
    """Refuse a batch into which an image's patches don't go as a whole."""
    if batch_size % patches_per_image:
        raise RequestError(
            "trainer.patches_per_image does not divide trainer.batch_size",
            got=f"{patches_per_image} and {batch_size}",
            expected="each visit to an image to give its patches to one batch",
            fix="trainer.patches_per_image=1",
        )


def _require_scales(config: Config, parts: Parts) -> None:
    """Refuse several scales for one network where they can't be told apart, or there is but one."""
    scales = config.trainer.scales or []
    if config.scale not in scales or len(set(scales)) < len(scales):
        raise RequestError(
            "trainer.scales and scale don't fit together",
            got=f"trainer.scales={scales} scale={config.scale}",
            expected="different scales, of which scale is one",
            fix=f"scale={sorted({config.scale, *scales})}".replace(" ", ""),
        )
    if not config.experiment_name.endswith(f"x{config.scale}"):
        raise RequestError(
            "experiment_name doesn't say the scale, and each scale of a network has a task of its own",
            got=config.experiment_name,
            expected=f"a name that ends in x{config.scale}",
            fix=f"leave experiment_name out, or 'experiment_name={config.experiment_name}-x${{scale}}'",
        )
    if isinstance(parts.source, Paired):
        raise RequestError(
            "a paired data set has one scale, that of its files", got=f"trainer.scales={scales}", fix="leave it out"
        )


class Task:
    """Data that was decoded, checked and split, with everything that decides what a score means.

    Args:
        config: Checked configuration.
        like: Another task, whose decoded data serves this one too where it is the same.
        whole: Take every image for a test image, whatever its split and its size; nothing will be trained.
    """

    def __init__(self, config: Config, *, like: Task | None = None, whole: bool = False) -> None:
        self.config, self.parts, self.whole = config, builders(config), whole
        same = like if like is not None and like.whole == whole and self._same_data(like) else None
        if not same:
            download(self.parts.source)
            stage(f"reading the images of {config.dataset.name}")
        self.prepared: Prepared = same.prepared if same else prepare_data(config, self.parts, _progress(), whole=whole)
        self.audit: list[Finding] = same.audit if same else self._audit()

    def with_batch_size(self, size: int) -> Task:
        """Give the same task with so many patches in a batch, as if that had been typed."""
        other = copy.copy(self)
        other.config = self.config.changed(trainer={"batch_size": size})
        return other

    def _audit(self) -> list[Finding]:
        found = [*audit_data(self.config, self.parts, self.prepared), *start.findings(self.config, self.prepared)]
        if self.config.audit == "strict":
            require_clean(found)
        return found

    def _same_data(self, other: Task) -> bool:
        """Whether what another task decoded, checked and split is what this one would."""
        ours, theirs = self.config, other.config
        same = ("dataset", "degradation", "protocol", "scale", "seed", "audit")
        if (
            any(ours.resolved[key] != theirs.resolved[key] for key in same)
            or ours.trainer.start != theirs.trainer.start
        ):
            return False
        patch, scale = ours.trainer.patch_size, ours.scale
        return patch == theirs.trainer.patch_size or (
            not other.prepared.skipped  # perhaps for a patch that had no room
            and all(
                min(entry.height // scale, entry.width // scale) * scale >= patch
                for entries in other.prepared.entries.values()
                for entry in entries
            )
        )

    @property
    def channel(self) -> Channel:
        """Channel of the images that the network is given and gives."""
        return self.parts.protocol.images

    @property
    def channels(self) -> int:
        """Number of channels of the images."""
        return channels_of(self.parts.protocol)

    @property
    def degenerate(self) -> bool:
        """Whether the input is the target, so that no score says anything about restoration."""
        return self.parts.degrade.degenerate(self.config.scale)

    @property
    def name(self) -> str:
        """Experiment and registered model."""
        return self.config.experiment_name

    def protocol(self) -> dict[str, Any]:
        """Describe how images are scored; equal descriptions and fingerprints mean comparable numbers."""
        described = self.parts.protocol.describe(self.config.scale, intensity=self.config.dataset.intensity)
        crop = self.config.trainer.test_size
        return {**described, "degradation": self.config.degradation.options, "crop": crop}

    def findings(self, split: Split = "test") -> list[str]:
        """Say what limits the worth of the scores of a split."""
        size = self.config.trainer.test_size
        cropped = [f"scored on centre crops of {size} pixels, not on whole images"] if size else []
        of_splits = {"unknown-patients"} if self.whole else set()
        of_others = set() if split == "test" else {"few-test-images", "range"}
        told = [finding for finding in self.audit if finding.kind not in of_splits | of_others]
        return [*messages(told), *cropped]

    def sampler(self) -> PatchSampler | MultiscaleSampler:
        """Give the training batches as a function of (epoch, step); of several scales in turn where that is asked."""
        if scales := self.config.trainer.scales:
            return MultiscaleSampler([self._sampler(scale) for scale in scales])
        return self._sampler(self.config.scale)

    def _sampler(self, scale: int) -> PatchSampler:
        trainer = self.config.trainer
        return PatchSampler(
            self.prepared.entries["train"],
            self._pairing(scale),
            self.parts.augment,
            patch_size=trainer.patch_size,
            batch_size=trainer.patches,
            patches_per_image=trainer.patches_per_image,
            seed=self.config.seed,
            steps_per_epoch=trainer.steps_per_epoch,
        )

    def validation_samples(self) -> Iterator[Sample]:
        """Give the centre crops on which the best epoch is chosen."""
        trainer = self.config.trainer
        chosen = self.prepared.entries["validation"][: trainer.validation_images]
        return self._samples(chosen, trainer.validation_size)

    def require_choice(self) -> None:
        """Refuse validation images by which no epoch, network or trial is better than another.

        Raises:
            RequestError: Each of them has one value only, which plain interpolation restores exactly.
        """
        protocol, trainer, keys = self.parts.protocol, self.config.trainer, []
        for each in self.validation_samples():
            levels = protocol.levels(each.high, each.high, bits=each.bits, scale=self.config.scale, key=each.key)[1]
            if np.ptp(levels, axis=(0, 1)).any():
                return
            keys.append(each.key)
        raise RequestError(
            "the validation images have nothing to restore, so the best epoch can't be chosen by them",
            got=f"centre crops of {trainer.validation_size} pixels with one value each, of {', '.join(keys)}",
            expected="at least one with a structure in it",
            fix="a larger trainer.validation_size or trainer.validation_images, another seed, or no blank images",
        )

    def samples(self, split: Split, within: Container[str] | None = None) -> Iterator[Sample]:
        """Give the images of a split, whole unless configured otherwise; of some names alone where those are given."""
        entries = [each for each in self.prepared.entries[split] if within is None or each.key in within]
        return self._samples(entries, self.config.trainer.test_size)

    def _samples(self, entries: Any, crop: int | None) -> Iterator[Sample]:
        return scored_samples(entries, self._pairing(self.config.scale), crop=crop)

    def _pairing(self, scale: int) -> Pairing:
        """Say where `low` and `high` come from; `low` may have a file of its own."""
        read_low = self.prepared.read_low if isinstance(self.parts.degrade, Given) else None
        rounded = self.parts.protocol.quantize_low
        return Pairing(self.prepared.read, self.parts.degrade, scale=scale, quantize_low=rounded, read_low=read_low)


def prepare_data(
    config: Config, parts: Parts, progress: Callable[[int, int], None] | None = None, *, whole: bool = False
) -> Prepared:
    """Decode and check the images of a data set that is there, and split them.

    Args:
        config: Checked configuration.
        parts: What it builds.
        progress: Called with the number of images done and their total.
        whole: See `Task`.

    Returns:
        The data set with the facts that an audit needs.

    Raises:
        RequestError: The data set can't be used.
    """
    asked = Preparation(
        seed=config.seed,
        channel=parts.protocol.images,
        scale=config.scale,
        patch_size=config.trainer.patch_size,
        scored=parts.protocol.smallest(config.scale),
        cache_dir=config.paths.cache,
        names=config.shows_names,
        decoded_dir=config.paths.cache / "decoded" if config.trainer.decoded_cache else None,
        facts=facts,
        progress=progress,
        all_in="test" if whole else None,
    )
    return prepare(parts.source, asked)


def audit_data(config: Config, parts: Parts, prepared: Prepared, *, most: int = 200) -> list[Finding]:
    """Look for what limits the worth of scores on the data of a configuration.

    Args:
        config: Checked configuration.
        parts: What it builds.
        prepared: Its data, see `prepare_data`.
        most: How many pairs of similar images are compared in full.

    Returns:
        What was found, warnings first.
    """
    return audit(
        prepared,
        degenerate=parts.degrade.degenerate(config.scale),
        notes=parts.source.warnings if isinstance(parts.source, Downloadable) else (),
        most=most,
        cache_dir=config.paths.cache,
    )


def download(source: Source) -> None:
    """Fetch what a public data set lacks on this machine.

    Args:
        source: Any data set; only one that is downloaded is asked.

    Raises:
        RequestError: There is no connection, or the server has no such file.
        SrexpError: What arrived is not what was published.
    """
    if isinstance(source, Downloadable) and source.missing():
        from srexp.data.download.progress import TransferBar

        with TransferBar() as progress:
            source.download(progress)


def _progress() -> Callable[[int, int], None] | None:
    """Show how many images were decoded, on a terminal and where it takes long enough to be seen."""
    from srexp.system.terminal import Terminal

    console = Terminal(stderr=True)
    if not console.is_terminal:
        return None

    def show(done: int, total: int) -> None:
        if total > 100 and (done % 50 == 0 or done == total):  # noqa: PLR2004 - fewer are decoded in a moment
            console.print(f"images {done}/{total}", end="\n" if done == total else "\r")

    return show
