"""Where a training begins: at random, or from weights that are there, with what those have seen."""

from __future__ import annotations

from srexp.config.builders import build
from srexp.config.sections.base import Config
from srexp.data.audit.findings import Finding
from srexp.data.preparation.prepare import Prepared
from srexp.errors import RequestError
from srexp.tracking.registry.models import SEEN_BEFORE, invented, load, training_images
from srexp.tracking.runs.run import Run
from srexp.tracking.store import addresses
from srexp.tracking.store.store import Store
from srexp.types import Network


def settled(config: Config) -> Config:
    """Give a configuration whose `trainer.start` always means the same model, whatever is promoted meanwhile.

    Args:
        config: Checked configuration.

    Raises:
        RequestError: There is no such model.
        SrexpError: The store can't be reached.
    """
    start = config.trainer.start
    return config if start is None else config.changed(trainer={"start": _found(config, start).address})


def begin(network: Network, config: Config) -> None:
    """Give a network the weights that its training begins from.

    Args:
        network: With initial weights, which stay where `trainer.start` is null.
        config: Checked configuration.

    Raises:
        RequestError: There is no such model, it may run code, or its layers are other ones.
        SrexpError: Its files are damaged, or the store can't be reached.
    """
    start = config.trainer.start
    if start is None:
        return
    weights = load(_store(config), _found(config, start)).model.get_weights()
    ours, theirs = ([each.shape for each in both] for both in (network.get_weights(), weights))
    if ours != theirs:
        first = next((pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]), (len(ours), len(theirs)))
        raise RequestError(
            f"the weights of trainer.start={start} don't fit the network",
            got=f"{len(theirs)} arrays, of which one is {first[1]}",
            expected=f"the {len(ours)} arrays of model={config.model.name} at x{config.inner_scale}, there {first[0]}",
            fix="choose the model and the scale of those weights; networks that are folded when they are stored can't "
            "be gone on with",
        )
    network.set_weights(weights)


def findings(config: Config, prepared: Prepared) -> list[Finding]:
    """Look at the weights from which the training of a task begins: what they invent, and which images they have seen.

    Args:
        config: Checked configuration.
        prepared: Its data.

    Returns:
        One finding for each that holds, also where it isn't known what they have seen; none where training begins at
        random.
    """
    start = config.trainer.start
    if start is None:
        return []
    return [*_invented(config, start), *_seen(config, start, prepared)]


def _invented(config: Config, start: str) -> list[Finding]:
    if not invents(config):
        return []
    message = f"detail is invented: {start}, from which training begins, was trained against a discriminator"
    return [Finding("start", "note", message)]


def _seen(config: Config, start: str, prepared: Prepared) -> list[Finding]:
    seen = training_images(_store(config), _found(config, start))
    if seen is None:
        return [Finding("start", "note", f"it isn't known which images {start} was trained on before")]
    entries = prepared.entries["test"]
    images = tuple(entry.key for entry in entries if entry.sha256 in seen)
    if not images:
        return []
    message = f"{start}, from which training begins, has seen {len(images)} of the {len(entries)} test images before"
    return [Finding("start", "warning", message, images)]


def invents(config: Config) -> bool:
    """Whether the weights from which a training begins were taught to invent detail: it goes on with what they add.

    Args:
        config: Checked configuration.
    """
    start = config.trainer.start
    return start is not None and invented(_store(config), _found(config, start))


def record(tracked: Run, config: Config) -> None:
    """Keep with a run what its training begins from, and which images that has seen.

    Args:
        tracked: The open run.
        config: Checked configuration.
    """
    start = config.trainer.start
    if start is None:
        return
    seen = training_images(_store(config), _found(config, start)) or {}
    tracked.set_tags({"start": start})
    tracked.log_rows(({"sha256": sha256, "split": split} for sha256, split in seen.items()), SEEN_BEFORE)


def _store(config: Config) -> Store:
    store: Store = build(config.tracking, folder=config.paths.root).store
    return store


def _found(config: Config, start: str) -> addresses.Found:
    return addresses.find(_store(config), start)
