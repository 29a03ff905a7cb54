"""The space of a search: configuration keys to what they may be, some only where another key has a certain value."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from srexp.errors import RequestError, did_you_mean
from srexp.search.parameter import MOST_LISTED, Parameter, identity, parse_parameter, refuse


@dataclass(frozen=True)
class Space:
    """The parameters of a search, parents before those that depend on them, else by name.

    Args:
        parameters: At least one.

    Example:
        >>> space = Space.parse({
        ...     "model": {"type": "categorical", "choices": ["srcnn", "vdsr"]},
        ...     "model.depth": {"type": "int", "low": 8, "high": 12, "step": 4, "when": {"model": "vdsr"}},
        ... })
        >>> list(space.grid())
        [{'model': 'srcnn'}, {'model': 'vdsr', 'model.depth': 8}, {'model': 'vdsr', 'model.depth': 12}]
    """

    parameters: tuple[Parameter, ...]

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
                fix="+sweeps=srcnn_tpe, or search.space={optimizer.lr:{type:float,low:1e-5,high:1e-2,log:true}}",
            )
        parameters = {str(name): parse_parameter(str(name), entry) for name, entry in said.items()}
        for parameter in parameters.values():
            _check_conditions(parameter, parameters)
        return cls(tuple(_parents_first(parameters)))

    def draw(self, choose: Callable[[Parameter], Any]) -> dict[str, Any]:
        """Give every parameter that exists a value, one after the other.

        Args:
            choose: Gives a value for a parameter.

        Returns:
            Configuration key to value, without those whose condition doesn't hold.
        """
        values: dict[str, Any] = {}
        for parameter in self.parameters:
            if exists(parameter, values):
                values[parameter.name] = choose(parameter)
        return values

    def decode(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """Give the values for what an engine holds of a trial; what it has not drawn yet is left out."""
        return {each.name: each.decode(held[each.name]) for each in self.parameters if each.name in held}

    def encode(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give values as an engine holds them."""
        return {each.name: each.encode(values[each.name]) for each in self.parameters if each.name in values}

    def extremes(self) -> list[dict[str, Any]]:
        """Give the trials at the edges: every parameter at each of its ends or choices, the others at their first.

        A parameter's parents have values with which it exists, so that a look at these trials meets every value that
        the configuration may refuse for itself.
        """
        found: dict[str, dict[str, Any]] = {}
        for parameter in self.parameters:
            for end in parameter.ends:
                wanted = {**self._condition_of(parameter), parameter.name: end}
                trial = self.draw(lambda one, wanted=wanted: wanted.get(one.name, one.ends[0]))  # type: ignore[misc]
                found.setdefault(identity(trial), trial)
        return list(found.values())

    def combined(self, names: Collection[str]) -> list[dict[str, Any]]:
        """Give a trial for each combination of the values of some parameters, the others at their first."""
        several = [each for each in self.parameters if each.name in names]
        conditions = {key: value for each in several for key, value in self._condition_of(each).items()}
        found: dict[str, dict[str, Any]] = {}
        for values in itertools.product(*(each.values or each.ends for each in several)):
            wanted = {**conditions, **{each.name: value for each, value in zip(several, values, strict=True)}}
            trial = self.draw(lambda one, wanted=wanted: wanted.get(one.name, one.ends[0]))  # type: ignore[misc]
            found.setdefault(identity(trial), trial)
        return list(found.values())

    def _condition_of(self, parameter: Parameter) -> dict[str, Any]:
        """Values of a parameter's parents, and of theirs, with which it exists; each the first that all allow."""
        wanted: dict[str, tuple[Any, ...] | list[Any]] = {}
        for each in reversed(self.parameters):
            if each is parameter or each.name in wanted:
                for parent, values in each.when.items():
                    allowed = {identity(value) for value in values}
                    wanted[parent] = [value for value in wanted.get(parent, values) if identity(value) in allowed]
        return {parent: values[0] for parent, values in wanted.items() if values}

    def grid(self) -> Iterator[dict[str, Any]]:
        """Give all combinations of values, in order.

        Raises:
            RequestError: A parameter has more values than can be listed.
        """
        for each in self.parameters:
            if each.values is None:
                many = "no end of values" if each.count is None else f"{each.count} values"
                refuse(
                    each.name,
                    f"has {many}, a grid needs steps",
                    expected=f"at most {MOST_LISTED} values",
                    fix="step: NUMBER, or type: categorical",
                )
        # Each parameter multiplies the combinations of those before it; none is made before it is asked for.
        return functools.reduce(_multiplied, self.parameters, iter([{}]))

    def next_untried(self, tried: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Give the first combination of the grid that is not among those tried; None after the last."""
        known = {identity(dict(values)) for values in tried}
        return next((values for values in self.grid() if identity(values) not in known), None)

    def describe(self) -> dict[str, dict[str, Any]]:
        """Give the space as it could be written in YAML, sorted by name; equal for spaces that mean the same."""
        return {each.name: each.describe() for each in sorted(self.parameters, key=lambda each: each.name)}


def _multiplied(combinations: Iterator[dict[str, Any]], parameter: Parameter) -> Iterator[dict[str, Any]]:
    for chosen in combinations:
        if exists(parameter, chosen):
            yield from ({**chosen, parameter.name: value} for value in parameter.values or ())
        else:
            yield chosen


def exists(parameter: Parameter, values: Mapping[str, Any]) -> bool:
    """Whether a parameter's condition holds.

    Args:
        parameter: One of the space.
        values: Values of those before it.
    """
    return all(
        parent in values and identity(values[parent]) in {identity(value) for value in wanted}
        for parent, wanted in parameter.when.items()
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


def _check_conditions(parameter: Parameter, parameters: Mapping[str, Parameter]) -> None:
    name = parameter.name
    for parent, wanted in parameter.when.items():
        if parent not in parameters:
            expected = f"another key of the space: {', '.join(sorted(other for other in parameters if other != name))}"
            refuse(name, f"when names {parent}", expected=expected, fix=did_you_mean(parent, parameters))
        values = parameters[parent].values
        if values is None:
            refuse(name, f"when names {parent}, whose values can't be counted", expected="a categorical or int key")
        known = {identity(value): value for value in values}
        for value in wanted:
            if identity(value) not in known:
                expected = ", ".join(itertools.islice(known, 20)) + (", ..." if len(known) > 20 else "")  # noqa: PLR2004
                fix = did_you_mean(str(value), [str(one) for one in known.values()])
                refuse(name, f"when: {parent} is never {identity(value)}", expected=expected, fix=fix)


def _parents_first(parameters: Mapping[str, Parameter]) -> Iterator[Parameter]:
    left = dict(sorted(parameters.items()))
    while left:
        ready = next((each for each in left.values() if not left.keys() & each.when.keys()), None)
        if ready is None:
            refuse(next(iter(left)), f"when goes round in a circle: {', '.join(left)}")
        yield left.pop(ready.name)
