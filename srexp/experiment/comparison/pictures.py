"""Pictures of a comparison: the models of the runs load again and restore a few test images once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from srexp.config.sections.base import Config
from srexp.config.sections.verbs import CompareConfig
from srexp.data.sources.public_dataset import Downloadable
from srexp.data.sources.source import Split
from srexp.errors import SrexpError
from srexp.evaluation.comparison.standings import BASELINE, Contender, Standings
from srexp.evaluation.figures.image_cards import Card, card
from srexp.evaluation.timing import Timing, time_inference
from srexp.experiment.comparison.entry import Entry
from srexp.experiment.network import Predict, bicubic_predictor, predictor, timed_image
from srexp.experiment.recorded_config import recomposed
from srexp.experiment.task import Task, builders
from srexp.experiment.trained.loaded_model import awaited
from srexp.metrics.table import with_unit
from srexp.system.masking.pseudonyms import TAG, VARIABLE, fingerprint, pseudonym
from srexp.tracking.store.store import Store
from srexp.types import Network, Pixels, Sample

#: Models with pictures; with more, none could be large enough to be looked at.
MOST_MODELS = 5

#: Room for pictures in a report that stays below 10 MB.
MOST_BYTES = 8_000_000

_SAME = 0.01  # dB by which a model may differ from its scores when another machine restores an image
_REPEATS, _SECONDS = 20, 8.0


@dataclass
class Exhibits:
    """What the loaded models show.

    Args:
        max_grey_levels: Upper end of the one scale of all error maps.
        cards: Test images as the models restore them.
        notes: What isn't shown, and why.
    """

    max_grey_levels: float
    cards: list[Card] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def load_models(store: Store, entries: Sequence[Entry]) -> tuple[dict[str, Network], list[str]]:
    """Load the models of runs.

    Args:
        store: Where.
        entries: The runs.

    Returns:
        Name to model, and a note for each that can't be loaded.
    """
    from srexp.tracking.registry import models
    from srexp.training import numerics

    loaded, notes = {}, []
    for entry in entries:
        uri = entry.result.get("model_uri") or f"runs:/{entry.run.run_id}/model"
        try:
            found = awaited(store, str(uri))
            numerics.load_quietly()
            loaded[entry.name] = models.load(store, found).model
        except SrexpError as error:
            notes.append(f"{entry.name}: {error.what}; its weights aren't counted and its pictures are missing.")
    return loaded, notes


def with_costs(contenders: Sequence[Contender], models: Mapping[str, Network]) -> list[Contender]:
    """Add what the networks are made of; interpolation has no weights and no convolution.

    Args:
        contenders: Rows without costs.
        models: Name to model.

    Returns:
        The same rows with costs.
    """
    from srexp.evaluation.cost import Cost, cost

    costs = {BASELINE: Cost(0, 0.0)} | {name: cost(model) for name, model in models.items()}
    return [replace(each, cost=costs.get(each.name)) for each in contenders]


def timed_again(
    contenders: Sequence[Contender], models: Mapping[str, Network], scale: int, config: CompareConfig
) -> list[Contender]:
    """Time all models here and now, bicubic too, on one input.

    Args:
        contenders: Rows with the times of their runs.
        models: Name to model.
        scale: Ratio of the high to the low resolution.
        config: With the size of the image, `trainer.validation_size`, and the memory for it.

    Returns:
        The same rows with new times in place of the old ones; those whose model isn't there have none.
    """
    channels = next(iter(models.values())).input_shape[-1] if models else 1
    every = _restorers(models, config, channels, scale)
    image = timed_image(config, channels, scale=scale)
    label = f"image {len(image) * scale}"

    def time(name: str) -> dict[str, Timing]:
        known = every.get(name)
        return {label: time_inference(known, image, repeats=_REPEATS, max_seconds=_SECONDS)} if known else {}

    return [replace(each, timings=time(each.name)) for each in contenders]


def exhibit(
    config: CompareConfig,
    entries: Sequence[Entry],
    models: Mapping[str, Network],
    found: Standings,
    max_grey_levels: float,
) -> Exhibits:
    """Restore some test images with every model, and make their pictures.

    The data set is composed again from the configuration of the first run, and used only when its fingerprint is that
    of the runs. Nothing is downloaded for it.

    Args:
        config: Of the comparison.
        entries: The runs.
        models: Name to model.
        found: The standings, which choose the images and the models.
        max_grey_levels: Upper end of the error scale.

    Returns:
        Cards, and notes on what isn't shown.
    """
    if not config.pictures or not models:
        return Exhibits(max_grey_levels)
    try:
        task = recorded_task(config, entries[0])
    except SrexpError as error:
        return Exhibits(
            max_grey_levels, notes=[f"No pictures: the test images can't be read again ({error.what.rstrip(':')})."]
        )
    ranked = [row.name for row in found.models if row.name in models]
    best = {name: models[name] for name in ranked[:MOST_MODELS]}
    shown = _restored(config, task, entries[0].split, best, found, max_grey_levels=max_grey_levels)
    if len(ranked) > MOST_MODELS:
        shown.notes.append(f"Pictures show the {MOST_MODELS} models that rank highest.")
    return shown


def recorded_task(config: CompareConfig, entry: Entry) -> Task:
    """Prepare the data set of a run again, where it is still there.

    Args:
        config: Of the comparison.
        entry: The run.

    Returns:
        Its task.

    Raises:
        SrexpError: The images aren't there, are other ones, or have other pseudonyms.
    """
    composed = recomposed(config, entry.config)
    source = builders(composed).source
    if isinstance(source, Downloadable) and (sentence := source.missing()):
        raise SrexpError(str(sentence))
    if entry.run.tags.get(TAG, fingerprint()) != fingerprint():
        raise SrexpError(f"their pseudonyms were made with another key, which {VARIABLE} can give")
    task = Task(composed, whole=entry.whole)
    if task.prepared.fingerprint != entry.result["data_fingerprint"]:
        raise SrexpError("the data set has another fingerprint than when it was scored")
    return task


def _spread(found: Standings, most: int) -> list[str]:
    """Choose images from the lowest to the highest gain of the best model, at equal distances."""
    best, bicubic = (np.asarray(row.contender.values["psnr"]) for row in (found.models[0], found.row(BASELINE)))
    known, count = np.isfinite(best) & np.isfinite(bicubic), len(found.keys)
    order = np.argsort(np.subtract(best, bicubic, where=known, out=np.full(count, np.inf)), kind="stable")
    places = dict.fromkeys(round(place) for place in np.linspace(0, count - 1, min(most, count)))
    return [found.keys[order[place]] for place in places]


def _restored(
    config: CompareConfig,
    task: Task,
    split: Split,
    models: Mapping[str, Network],
    found: Standings,
    *,
    max_grey_levels: float,
) -> Exhibits:
    """Make the cards of the wanted images, in their order, as long as there is room."""
    shown, wanted = Exhibits(max_grey_levels), _spread(found, config.pictures)
    restorers = _restorers(models, task.config, task.channels, task.config.scale)
    room = MOST_BYTES
    for sample in _samples(task, split, wanted):
        restored = {name: restore(sample.low) for name, restore in restorers.items()}
        place = list(found.keys).index(sample.key)
        psnr = {name: found.row(name).contender.values["psnr"][place] for name in restored}
        if strange := _unlike(task, sample, restored, psnr):
            shown.notes.append(strange)
        made = card(
            sample,
            restored,
            psnr,
            scale=task.config.scale,
            max_grey_levels=max_grey_levels,
            place=_place(config, sample, shown),
        )
        room -= made.bytes
        if room < 0:
            break
        shown.cards.append(made)
    if len(shown.cards) < len(found.keys):
        chosen = (
            ", from the lowest to the highest gain of the best model" if room >= 0 else ": there is no room for more"
        )
        shown.notes.append(f"Pictures of {len(shown.cards)} of {len(found.keys)} test images are shown{chosen}.")
    return shown


def _place(config: CompareConfig, sample: Sample, shown: Exhibits) -> tuple[int, int] | None:
    """Give the place that was asked for, where the image has it."""
    if config.detail is None:
        return None
    row, column = config.detail
    if row < sample.high.shape[0] and column < sample.high.shape[1]:
        return row, column
    shown.notes.append(f"{sample.key} ends before detail=[{row},{column}]: it shows where the models differ most.")
    return None


def _restorers(models: Mapping[str, Network], config: Config, channels: int, scale: int) -> dict[str, Predict]:
    restorers = {name: predictor(model, config, scale=scale) for name, model in models.items()}
    return {BASELINE: bicubic_predictor(config, channels, scale=scale), **restorers}


def _samples(task: Task, split: Split, wanted: Sequence[str]) -> Iterator[Sample]:
    """Give the wanted images of a split, in their order; no others are read."""
    by_key = {entry.key: entry for entry in task.prepared.entries[split]}
    called = {key: pseudonym(key) for key in wanted}
    chosen = [replace(by_key[called[key]], key=key) for key in wanted if called[key] in by_key]
    task.prepared = replace(task.prepared, entries={**task.prepared.entries, split: chosen})
    return task.samples(split)


def _unlike(task: Task, sample: Sample, restored: Mapping[str, Pixels], scored: Mapping[str, float]) -> str:
    """Say which model restores an image differently from when it was scored; empty when none does."""
    from srexp.metrics.psnr import apart, psnr

    for name, image in restored.items():
        levels = task.parts.protocol.levels(
            image, sample.high, bits=sample.bits, scale=task.config.scale, key=sample.key
        )
        again = psnr(*levels, max_value=2**sample.bits - 1)
        if not apart(again, scored[name]) <= _SAME:
            return (
                f"{name} restores {sample.key} with {with_unit(again)} here, and had {with_unit(scored[name])} when it "
                "was scored: pictures and table may not belong together."
            )
    return ""
