"""Registered models and their versions, as the store knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srexp.errors import RequestError, did_you_mean
from srexp.tracking.registry.promotion import MOVING
from srexp.tracking.store.store import Store, every, opened


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a registered model.

    Args:
        name: Registered model, the task.
        number: Its number.
        aliases: What points to it, sorted.
        created: Milliseconds since the epoch.
        run_id: Run that trained it; None when it isn't known.
        tags: What its training, and its promotion, said of it.
        moving: Whether a process was killed while it moved the aliases of this model.
    """

    name: str
    number: int
    aliases: tuple[str, ...]
    created: int
    run_id: str | None
    tags: Mapping[str, str]
    moving: bool


def versions(store: Store, name: str | None = None) -> list[Version]:
    """List the versions of registered models, by name, newest first.

    Args:
        store: Where.
        name: Registered model; None for all.

    Returns:
        Versions.

    Raises:
        RequestError: There is no such model.
        SrexpError: The store can't be reached.
    """
    with opened(store, "the registered models can't be listed") as client:
        models = {each.name: each for each in every(client.search_registered_models)}
        if name is not None and name not in models:
            raise RequestError(
                "there is no such registered model",
                got=name,
                expected=f"one of {', '.join(sorted(models))}" if models else "a task that a model was trained for",
                fix=did_you_mean(name, models) or "leave name out to see all of them",
            )
        found = [each for each in every(client.search_model_versions) if name in (None, each.name)]
    listed = [_version(each, models[each.name]) for each in found if each.name in models]
    return sorted(listed, key=lambda each: (each.name, -each.number))


def _version(each: Any, model: Any) -> Version:
    number, moving = int(each.version), MOVING in model.tags
    aliases = tuple(sorted(alias for alias, pointed in model.aliases.items() if int(pointed) == number))
    return Version(each.name, number, aliases, each.creation_timestamp, each.run_id, each.tags, moving)
