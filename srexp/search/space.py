"""The space of a search: configuration keys to what they may be, some only where another key has a certain value."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from srexp.errors import RequestError, did_you_mean
from srexp.search.key import Key, identity, parse_key, refuse


@dataclass(frozen=True)
class Space:
    """The keys of a search, parents before the keys that depend on them, else by name.

    Args:
        keys: At least one.

    Example:
        >>> space = Space.parse({
        ...     "model": {"type": "categorical", "choices": ["srcnn", "vdsr"]},
        ...     "model.depth": {"type": "int", "low": 8, "high": 12, "step": 4, "when": {"model": "vdsr"}},
        ... })
        >>> list(space.grid())
        [{'model': 'srcnn'}, {'model': 'vdsr', 'model.depth': 8}, {'model': 'vdsr', 'model.depth': 12}]
    """

    keys: tuple[Key, ...]

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Space:
        """Read the mapping `search.space`.

        Args:
            said: Configuration key to `{type: float, low, high, log, step}`, `{type: int, low, high, step, log}` or
                `{type: categorical, choices}`, each with `when: {other.key: value or list of values}` where it
                depends on another key of the space.

        Raises:
            RequestError: It makes no sense; the key is named.
        """
        if not said:
            raise RequestError(
                "search.space is empty",
                expected="configuration keys, each with what it may be",
                fix="+sweeps=NAME, or search.space={optimizer.lr:{type:float,low:1e-5,high:1e-2,log:true}}",
            )
        keys = {str(name): parse_key(str(name), entry) for name, entry in said.items()}
        for key in keys.values():
            _check_conditions(key, keys)
        return cls(tuple(_parents_first(keys)))

    def draw(self, choose: Callable[[Key], Any]) -> dict[str, Any]:
        """Give every key that exists a value, one after the other.

        Args:
            choose: Gives a value for a key.

        Returns:
            Configuration key to value, without the keys whose condition doesn't hold.
        """
        values: dict[str, Any] = {}
        for key in self.keys:
            if exists(key, values):
                values[key.name] = choose(key)
        return values

    def decode(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """Give the values for what an engine holds of a trial; what it has not drawn yet is left out."""
        return {key.name: key.decode(held[key.name]) for key in self.keys if key.name in held}

    def encode(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give values as an engine holds them."""
        return {key.name: key.encode(values[key.name]) for key in self.keys if key.name in values}

    def extremes(self) -> list[dict[str, Any]]:
        """Give the trials at the edges: every key at each of its ends or choices, the others at their first value.

        A key's parents have values with which it exists, so that a look at these trials meets every value that the
        configuration may refuse for itself.
        """
        found: dict[str, dict[str, Any]] = {}
        for key in self.keys:
            for end in key.ends:
                wanted = {**self._condition_of(key), key.name: end}
                trial = self.draw(lambda one, wanted=wanted: wanted.get(one.name, one.ends[0]))  # type: ignore[misc]
                found.setdefault(identity(trial), trial)
        return list(found.values())

    def _condition_of(self, key: Key) -> dict[str, Any]:
        """Values of a key's parents, and of theirs, with which it exists."""
        by_name = {one.name: one for one in self.keys}
        wanted: dict[str, Any] = {}
        for parent, values in key.when.items():
            wanted |= {**self._condition_of(by_name[parent]), parent: values[0]}
        return wanted

    def grid(self) -> Iterator[dict[str, Any]]:
        """Give all combinations of values, in order.

        Raises:
            RequestError: A key has more values than can be counted.
        """
        for key in self.keys:
            if key.values is None:
                refuse(key.name, "has no end of values, a grid needs steps", fix="step: NUMBER, or type: categorical")
        return self._combinations(0, {})

    def _combinations(self, index: int, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if index == len(self.keys):
            yield chosen
            return
        key = self.keys[index]
        if not exists(key, chosen):
            yield from self._combinations(index + 1, chosen)
            return
        for value in key.values or ():
            yield from self._combinations(index + 1, {**chosen, key.name: value})

    def describe(self) -> dict[str, dict[str, Any]]:
        """Give the space as it could be written in YAML, keys by name; equal for spaces that mean the same."""
        return {key.name: key.describe() for key in sorted(self.keys, key=lambda key: key.name)}

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for the space."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()[:16]


def exists(key: Key, values: Mapping[str, Any]) -> bool:
    """Whether a key's condition holds.

    Args:
        key: A key of the space.
        values: Values of the keys before it.
    """
    return all(
        parent in values and identity(values[parent]) in {identity(value) for value in wanted}
        for parent, wanted in key.when.items()
    )


def difference(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say what changed between two spaces.

    Args:
        old: What `Space.describe` gave.
        new: The same of the other.

    Returns:
        One line for each key or field that differs; none for equal spaces.

    Example:
        >>> difference({"a": {"type": "int", "low": 1, "high": 2}}, {"a": {"type": "int", "low": 1, "high": 3}})
        ['a: high 2 -> 3']
    """
    lines = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            lines.append(f"{name}: {'added' if before is None else 'gone'}, {_shown(after or before)}")
            continue
        fields = [field for field in dict.fromkeys([*before, *after]) if before.get(field) != after.get(field)]
        lines += [f"{name}: {field} {_shown(before.get(field))} -> {_shown(after.get(field))}" for field in fields]
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(part)}" for key, part in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else identity(value).strip('"')


def _check_conditions(key: Key, keys: Mapping[str, Key]) -> None:
    for parent, wanted in key.when.items():
        if parent not in keys:
            expected = f"another key of the space: {', '.join(sorted(name for name in keys if name != key.name))}"
            refuse(key.name, f"when names {parent}", expected=expected, fix=did_you_mean(parent, keys))
        values = keys[parent].values
        if values is None:
            refuse(key.name, f"when names {parent}, whose values can't be counted", expected="a categorical or int key")
        known = {identity(value): value for value in values}
        for value in wanted:
            if identity(value) not in known:
                expected = ", ".join(itertools.islice(known, 20)) + (", ..." if len(known) > 20 else "")  # noqa: PLR2004
                fix = did_you_mean(str(value), [str(one) for one in known.values()])
                refuse(key.name, f"when: {parent} is never {identity(value)}", expected=expected, fix=fix)


def _parents_first(keys: Mapping[str, Key]) -> Iterator[Key]:
    left = dict(sorted(keys.items()))
    while left:
        ready = next((key for key in left.values() if not left.keys() & key.when.keys()), None)
        if ready is None:
            refuse(next(iter(left)), f"when goes round in a circle: {', '.join(left)}")
        yield left.pop(ready.name)
