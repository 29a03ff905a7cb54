"""Models that no run of the store trained, as those of the package: scored here, as rows beside runs."""

from __future__ import annotations

from collections.abc import Sequence

from srexp.config.sections.verbs import CompareConfig
from srexp.data.sources.source import Split
from srexp.errors import RequestError, SrexpError
from srexp.experiment import network
from srexp.experiment.comparison.entry import Entry
from srexp.experiment.comparison.pictures import recorded_task
from srexp.experiment.comparison.runs import called_as_asked
from srexp.experiment.scoring import result_of, score_split, warnings_of
from srexp.experiment.task import Task
from srexp.experiment.trained.loaded_model import loaded_for
from srexp.system.masking.pseudonyms import pseudonymised
from srexp.tracking.registry.models import training_images
from srexp.tracking.runs.queries import StoredRun
from srexp.tracking.store.addresses import Found
from srexp.tracking.store.store import Store


def scored(store: Store, config: CompareConfig, found: Sequence[Found], run: Entry) -> tuple[list[Entry], list[str]]:
    """Score models on the test images of a run, under its protocol.

    Args:
        store: Where models are kept.
        config: Of the comparison.
        found: The models.
        run: Whose test images, which have to be where they were and to have the fingerprint that they had.

    Returns:
        An entry for each, and notes: who was scored here, and who has seen some of these images before.

    Raises:
        RequestError: A model doesn't fit the images, or these can't be read again.
        SrexpError: A model's files are damaged, or it gives no numbers.
    """
    if not found:
        return [], []
    called = ", ".join(each.label for each in found)
    try:
        task = recorded_task(config, run)
    except SrexpError as error:
        raise RequestError(
            f"the test images can't be read again, on which {called} would be scored: {error.what.rstrip(':')}",
            expected=f"the images of run {run.run.run_id}, with the fingerprint that they had",
            fix="dataset=folder dataset.root=PATH, where they are now; or leave it out of models",
        ) from error
    network.prepare(task.config)
    entries = [_entry(store, config, each, run, task) for each in found]
    notes = [note for each in found for note in _leak(store, each, task, run.split)]
    here = f"{called}: scored here, under the protocol of the runs; time_again=true times all models."
    return entries, [here, *notes]


def _entry(store: Store, config: CompareConfig, found: Found, run: Entry, task: Task) -> Entry:
    loaded = loaded_for(task, store, found)
    all_metrics = "baseline_vifp" in run.images[0]
    scores = score_split(network.predictor(loaded.model, task.config), task, run.split, full=all_metrics)
    result = {**result_of(scores, task), "model_uri": found.address, "warnings": warnings_of(scores)}
    entry = Entry(
        run=StoredRun(found.address, found.label, run.run.experiment, "FINISHED", 0, run.run.tags, {}),
        name=found.label,
        result=pseudonymised(result),
        images=[{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in scores.table()],
    )
    return called_as_asked(config, entry)


def _leak(store: Store, found: Found, task: Task, split: Split) -> list[str]:
    """Say which of the test images a model has seen; nothing where it has seen none."""
    seen, entries = training_images(store, found), task.prepared.entries[split]
    if seen is None:
        return [
            f"{found.label}: it isn't known which images it was trained on; some of those tested may be among them."
        ]
    known = sum(entry.sha256 in seen for entry in entries)
    return [f"{found.label} has seen {known} of these {len(entries)} test images before, which flatters it."] * bool(
        known
    )
