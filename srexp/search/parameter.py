"""One hyperparameter of a search: the values it may take, as they are written and as an engine can hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, NoReturn, TypeAlias, get_args

from srexp.errors import RequestError, did_you_mean

Kind: TypeAlias = Literal["float", "int", "categorical"]
Scalar: TypeAlias = "str | int | float"

_FIELDS: dict[str, tuple[str, ...]] = {
    "float": ("low", "high", "log", "step", "when"),
    "int": ("low", "high", "log", "step", "when"),
    "categorical": ("choices", "when"),
}
#: Values of a parameter that can be listed.
MOST_LISTED = 100_000
_DIGITS = 12  # so that sums of steps are still exact in the 16 of a float
_EXAMPLES = {
    "float": "{type: float, low: 1e-5, high: 1e-2, log: true}",
    "int": "{type: int, low: 8, high: 20, step: 4}",
    "categorical": "{type: categorical, choices: [16, 32, 64]}",
}


def refuse(name: str, what: str, *, got: object = None, expected: str = "", fix: str = "") -> NoReturn:
    """Refuse what a space says of a parameter.

    Raises:
        RequestError: Always.
    """
    raise RequestError(f"search.space.{name}: {what}", got=got, expected=expected, fix=fix)


def identity(value: Any) -> str:
    """Write a value so that equal texts are the same choice: 1, 1.0, true and "1" are four.

    Example:
        >>> identity([64, 32]), identity(True), identity("1")
        ('[64, 32]', 'true', '"1"')
    """
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A configuration key and the values that a search may give it.

    Args:
        name: The configuration key, such as `optimizer.lr`.
        kind: Sort of values.
        low: Smallest number.
        high: Largest number; with a step the largest that is whole steps above `low`.
        log: Numbers are drawn evenly over their logarithm.
        step: Distance between the numbers; None for any (of an int: 1).
        choices: The values of a categorical parameter.
        when: Other parameters to those of their values with which this one exists.
    """

    name: str
    kind: Kind
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def count(self) -> int | None:
        """How many values there are; None where they can't be counted."""
        if self.kind == "categorical":
            return len(self.choices)
        if self.kind == "int":
            return (int(self.high) - int(self.low)) // int(self.step or 1) + 1
        if self.low == self.high:
            return 1
        return None if self.step is None else round((self.high - self.low) / self.step) + 1

    @cached_property
    def values(self) -> list[Any] | None:
        """All values in order; None where they can't be counted, or are too many to be listed."""
        return None if self.count is None or self.count > MOST_LISTED else list(map(self.at, range(self.count)))

    def at(self, index: int) -> Any:
        """Give a value by its place among all; they may be too many to be kept.

        Example:
            >>> Parameter(name="a", kind="float", low=0.1, high=0.4, step=0.1).at(2)
            0.3
        """
        if self.kind == "categorical":
            return self.choices[index]
        if self.kind == "int":
            return int(self.low) + int(self.step or 1) * index
        return float(Decimal(repr(self.low)) + Decimal(repr(self.step or 0)) * index)

    @property
    def ends(self) -> list[Any]:
        """All choices, or the smallest and the largest number."""
        return list(self.choices) if self.kind == "categorical" else list(dict.fromkeys([self.low, self.high]))

    @cached_property
    def encoded(self) -> tuple[Scalar, ...]:
        """The choices as engines can hold them: as they are, or as JSON where they are lists or of several types."""
        types = {type(choice) for choice in self.choices}
        plain = len(types) == 1 and types <= {str, int, float}
        return self.choices if plain else tuple(identity(choice) for choice in self.choices)

    def encode(self, value: Any) -> Scalar:
        """Give a value as engines hold it."""
        if self.kind != "categorical":
            return value  # type: ignore[no-any-return]
        return self.encoded[[identity(choice) for choice in self.choices].index(identity(value))]

    def decode(self, held: Any) -> Any:
        """Give the value for what an engine holds; numbers come out on the steps, whatever was lost in arithmetic.

        Example:
            >>> Parameter(name="a", kind="float", low=0.1, high=0.4, step=0.1).decode(0.1 + 0.2)
            0.3
        """
        if self.kind == "categorical":
            return self.choices[self.encoded.index(held)]
        if self.kind == "int":
            return int(held)
        if self.step is None:
            return min(max(float(held), self.low), self.high)
        return self.at(round((held - self.low) / self.step))

    def describe(self) -> dict[str, Any]:
        """Give the parameter as it could be written in YAML; what is left out has its default."""
        numbers = {"low": self.low, "high": self.high, "log": self.log or None, "step": self.step}
        own = {"choices": list(self.choices)} if self.kind == "categorical" else numbers
        when = {parent: list(values) for parent, values in sorted(self.when.items())} or None
        return {key: value for key, value in {"type": self.kind, **own, "when": when}.items() if value is not None}


def parse_parameter(name: str, said: Any) -> Parameter:
    """Read what a space says of one parameter; whether its conditions make sense is seen with the others beside it.

    Args:
        name: The configuration key.
        said: Its mapping in `search.space`.

    Raises:
        RequestError: It makes no sense.
    """
    if not isinstance(said, Mapping):
        refuse(name, "is no mapping", got=said, expected=" or ".join(_EXAMPLES.values()))
    kind: Any = said.get("type")
    if kind not in get_args(Kind):
        what = "has no type" if kind is None else "has an unknown type"
        hint = did_you_mean(str(kind), get_args(Kind)) if kind is not None else ""
        refuse(name, what, got=kind, expected=", ".join(get_args(Kind)), fix=hint)
    fields = _FIELDS[kind]
    for key in said:
        if key != "type" and key not in fields:
            expected = f"the fields of type {kind}: {', '.join(fields)}"
            refuse(name, f"has an unknown field {key}", expected=expected, fix=did_you_mean(str(key), fields))
    when = _conditions(name, said.get("when"))
    if kind == "categorical":
        return Parameter(name=name, kind="categorical", choices=_choices(name, said), when=when)
    return _number(name, kind, said, when)


def _number(name: str, kind: Literal["float", "int"], said: Mapping[str, Any], when: Mapping[str, Any]) -> Parameter:
    low, high = (_bound(name, kind, said, field) for field in ("low", "high"))
    step = None if said.get("step") is None else _bound(name, kind, said, "step")
    log = said.get("log", False)
    if not isinstance(log, bool):
        refuse(name, "log is neither true nor false", got=log)
    if low > high:
        refuse(name, f"low {low:g} is above high {high:g}")
    if log and low <= 0:
        refuse(name, f"low {low:g} has no logarithm", expected="low above 0, or log: false")
    if log and step is not None:
        refuse(name, "has both log and step", expected="one of them")
    if step is not None:
        if step <= 0:
            refuse(name, f"step {step:g} is not above 0")
        if step > high - low:
            refuse(name, f"step {step:g} leads from low {low:g} beyond high {high:g}")
        if any(len(Decimal(repr(number)).as_tuple().digits) > _DIGITS for number in (low, high, step)):
            refuse(name, "is too exact for whole steps", expected=f"low, high and step of at most {_DIGITS} digits")
        whole = (Decimal(repr(high)) - Decimal(repr(low))) // Decimal(repr(step))
        high = type(low)(Decimal(repr(low)) + whole * Decimal(repr(step)))
    return Parameter(name=name, kind=kind, low=low, high=high, log=log, step=step, when=when)


def _bound(name: str, kind: Literal["float", "int"], said: Mapping[str, Any], key: str) -> float:
    value = said.get(key)
    if value is None:
        refuse(name, f"{key} is missing", expected=_EXAMPLES[kind])
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        refuse(name, f"{key} is no number", got=value)
    if kind == "int" and value != int(value):
        refuse(name, f"{key} is no whole number", got=value, expected="an int, or type: float")
    return int(value) if kind == "int" else float(value)


def _choices(name: str, said: Mapping[str, Any]) -> tuple[Any, ...]:
    choices = said.get("choices")
    if choices is None:
        refuse(name, "choices are missing", expected=_EXAMPLES["categorical"])
    if isinstance(choices, str) or not isinstance(choices, Sequence):
        refuse(name, "choices are no list", got=choices)
    if not choices:
        refuse(name, "has no choices", expected="at least one")
    plain = tuple(_plain(name, choice) for choice in choices)
    known = [identity(choice) for choice in plain]
    if twice := [text for index, text in enumerate(known) if text in known[:index]]:
        refuse(name, f"has the choice {twice[0]} twice")
    return plain


def _plain(name: str, choice: Any) -> Any:
    """A choice with lists for all sequences, so that it reads the same from YAML, Python and a database."""
    if isinstance(choice, Sequence) and not isinstance(choice, str):
        return [_plain(name, part) for part in choice]
    if choice is None or isinstance(choice, str | bool | int) or (isinstance(choice, float) and math.isfinite(choice)):
        return choice
    refuse(name, "has a choice that can't be kept", got=choice, expected="a number, string, bool, null or list of them")


def _conditions(name: str, said: Any) -> dict[str, tuple[Any, ...]]:
    if said is None:
        return {}
    if not isinstance(said, Mapping) or not said:
        refuse(name, "when is no mapping", got=said, expected="when: {model: vdsr}, or when: {model: [vdsr, srcnn]}")
    found: dict[str, tuple[Any, ...]] = {}
    for parent, values in said.items():
        several = isinstance(values, Sequence) and not isinstance(values, str)
        found[str(parent)] = tuple(_plain(name, value) for value in values) if several else (_plain(name, values),)
        if not found[str(parent)]:
            refuse(name, f"when.{parent} has no values")
    return found
