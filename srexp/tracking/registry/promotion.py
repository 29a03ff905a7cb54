"""Which version of a registered model serves its task: the alias `champion`, moved in one call, after its evidence.

A promotion happens when `champion` moves, which is one call of the store; everything else is written before it. What a
process leaves that is killed on the way:

- evidence on a version that isn't champion: it is written anew by the version's next promotion;
- a note of the move, and perhaps `previous` on the champion itself: the next promotion or rollback of this model puts
  `previous` back where it was and removes the note. If `champion` had moved, only the note is left to remove.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srexp.errors import RequestError, SrexpError
from srexp.lazy_imports import mlflow
from srexp.system.files.file_locks import in_turn
from srexp.system.masking.redaction import masked
from srexp.tracking.store.failures import ABSENT, required
from srexp.tracking.store.parameters import tag
from srexp.tracking.store.store import Client, Store, opened

CHAMPION, PREVIOUS = "champion", "previous"
#: Tag of a version with all its evidence; the plain values among it have tags `promotion.KEY` of their own.
EVIDENCE = "promotion"
#: Tag of a registered model while its aliases move.
MOVING = "promotion.moving"

_LOCK_SECONDS = 60.0
_PLAIN = (str, int, float, bool)


@dataclass(frozen=True, slots=True)
class Places:
    """Versions that the aliases point to.

    Args:
        champion: Version that serves the task; None before the first promotion.
        previous: Version that a rollback returns to.
    """

    champion: int | None
    previous: int | None


def places(store: Store, name: str) -> Places:
    """Say where the aliases of a registered model point.

    Args:
        store: Where.
        name: Registered model.

    Returns:
        Champion and previous champion.

    Raises:
        RequestError: There is no such model.
        SrexpError: The store can't be reached.
    """
    with opened(store, f"the aliases of {name} can't be read") as client:
        return _places(client, _registered(client, name))


def settle(store: Store, lock: Path, name: str) -> Places:
    """Mend what a killed process left of a move, and say where the aliases point.

    Args:
        store: Where.
        lock: File that promotions on this machine take in turn.
        name: Registered model.

    Returns:
        Champion and previous champion.

    Raises:
        RequestError: There is no such model.
        SrexpError: The store can't be reached, or another process holds the lock.
    """
    with _in_turn(lock), opened(store, f"the aliases of {name} can't be read") as client:
        return _settled(client, name)


def version_tags(store: Store, name: str, version: int) -> dict[str, str]:
    """Give the tags of a version: what its training said of it, and the evidence of its promotion."""
    with opened(store, f"version {version} of {name} can't be read") as client:
        return dict(client.get_model_version(name, str(version)).tags)


def promote(
    store: Store, lock: Path, name: str, version: int, evidence: Mapping[str, Any], *, over: int | None
) -> bool:
    """Make a version the champion; the champion so far becomes `previous`.

    Args:
        store: Where.
        lock: File that promotions on this machine take in turn.
        name: Registered model.
        version: The new champion.
        evidence: Why, ready for JSON; becomes tags of the version before anything moves.
        over: The champion that the evidence speaks of; None for none.

    Returns:
        False when another promotion was faster: another version is champion now, and nothing was written.

    Raises:
        SrexpError: The store refused, or another process holds the lock.
    """
    with _in_turn(lock), opened(store, f"version {version} of {name} could not be promoted") as client:
        now = _settled(client, name)
        if now.champion != over:
            return False
        _write_evidence(client, name, version, evidence)
        _move(client, name, now, Places(version, now.previous if now.champion is None else now.champion))
        return True


def rollback(store: Store, lock: Path, name: str, record: Mapping[str, Any]) -> Places:
    """Make the previous champion the champion again; the two change places.

    Args:
        store: Where.
        lock: File that promotions on this machine take in turn.
        name: Registered model.
        record: Who did it, when and why; becomes the tag `promotion.rolled_back` of the version that has to go.

    Returns:
        Where the aliases point now.

    Raises:
        RequestError: There is no previous champion, or no such model.
        SrexpError: The store refused, or another process holds the lock.
    """
    with _in_turn(lock), opened(store, f"{name} could not be rolled back") as client:
        now = _settled(client, name)
        back = require_previous(name, now)
        to = Places(champion=back, previous=now.champion)
        if text := client.get_model_version(name, str(back)).tags.get(EVIDENCE):
            _write_evidence(client, name, back, json.loads(text))
        client.set_model_version_tag(name, str(now.champion), f"{EVIDENCE}.rolled_back", tag(dict(record)))
        _move(client, name, now, to)
        return to


def require_previous(name: str, now: Places) -> int:
    """Give the version that a rollback returns to.

    Args:
        name: Registered model.
        now: Where its aliases point.

    Returns:
        The previous champion.

    Raises:
        RequestError: There is none.
    """
    if now.champion is None or now.previous is None or now.previous == now.champion:
        raise RequestError(
            f"{name} has no previous champion to go back to",
            got=f"champion: {now.champion or 'none'}, previous: {now.previous or 'none'}",
            expected="a version that was champion before this one",
            fix=f"promote one: python -m srexp promote name={name} version=N",
        )
    return now.previous


def _in_turn(lock: Path) -> AbstractContextManager[None]:
    busy = SrexpError("another process has been moving aliases for a minute", fix=f"see which process holds {lock}")
    return in_turn(lock, _LOCK_SECONDS, busy)


def _registered(client: Client, name: str) -> Any:
    absent = RequestError(
        "there is no such registered model",
        got=name,
        expected="a name that `python -m srexp models` lists",
        fix="name=NAME, or train a model first",
    )
    with required(absent):
        return client.get_registered_model(name)


def _places(client: Client, registered: Any) -> Places:
    versions = (registered.aliases.get(alias) for alias in (CHAMPION, PREVIOUS))
    return Places(*(_existing(client, registered.name, version) for version in versions))


def _existing(client: Client, name: str, version: int | str | None) -> int | None:
    """Give a version if it is there: an alias, or the note of a move, may outlive the one that it names."""
    if version is None:
        return None
    try:
        return int(client.get_model_version(name, str(version)).version)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None


def _settled(client: Client, name: str) -> Places:
    """Mend what a killed process left of a move; give where the aliases point then."""
    registered = _registered(client, name)
    now = _places(client, registered)
    note = registered.tags.get(MOVING)
    if note is None:
        return now
    begun = json.loads(note)
    if now.champion != begun["champion"] and now.previous != begun["was_previous"]:
        now = Places(now.champion, _existing(client, name, begun["was_previous"]))
        if now.previous is None:
            client.delete_registered_model_alias(name, PREVIOUS)
        else:
            client.set_registered_model_alias(name, PREVIOUS, str(now.previous))
    client.delete_registered_model_tag(name, MOVING)
    return now


def _write_evidence(client: Client, name: str, version: int, evidence: Mapping[str, Any]) -> None:
    """Write evidence: whole in one call, then the plain values by which versions can be filtered."""
    whole = json.dumps(masked(evidence), allow_nan=False)
    client.set_model_version_tag(name, str(version), EVIDENCE, whole)
    known = client.get_model_version(name, str(version)).tags
    for key, value in evidence.items():
        wanted = tag(value) if isinstance(value, _PLAIN) else "none" if value is None else None
        if wanted is not None and known.get(f"{EVIDENCE}.{key}") != wanted:
            client.set_model_version_tag(name, str(version), f"{EVIDENCE}.{key}", wanted)


def _move(client: Client, name: str, now: Places, to: Places) -> None:
    """Move the aliases, `champion` last; the note before tells the next process what a killed one was about to do."""
    begun = {"champion": to.champion, "was_previous": now.previous}
    client.set_registered_model_tag(name, MOVING, json.dumps(begun))
    if to.previous is not None:
        client.set_registered_model_alias(name, PREVIOUS, str(to.previous))
    client.set_registered_model_alias(name, CHAMPION, str(to.champion))
    client.delete_registered_model_tag(name, MOVING)
