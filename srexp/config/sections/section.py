"""What a section is: keys with types, or a choice that is built; what neither knows is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, dataclass_transform

from pydantic import ConfigDict

#: Pydantic settings of every section: a key that it has no field for is refused, and so are infinity and NaN.
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Section:
    """A choice that is built: `_target_` and the options that its builder's signature accepts.

    Args:
        group: Configuration group, for messages.
        target: Dotted path of the builder.
        options: Keyword arguments, already converted to the builder's types.
    """

    group: str
    target: str
    options: dict[str, Any]

    def __getattr__(self, key: str) -> Any:
        """Give an option by its name, as `config.optimizer.lr`."""
        if key.startswith("__"):  # asked for by pickle before there are options
            raise AttributeError(key)
        try:
            return self.options[key]
        except KeyError:
            raise AttributeError(f"{self.group} has no option {key!r}") from None


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Strict:
    """A section with typed keys, as a frozen data class; pydantic refuses a key that it has no field for."""

    __pydantic_config__ = STRICT

    def __init_subclass__(cls) -> None:
        """Make it a data class."""
        dataclass(frozen=True, kw_only=True)(cls)


#: Arguments that a command hands to a builder at run time; they are no configuration keys.
RUNTIME: dict[str, frozenset[str]] = {
    "model": frozenset({"scale", "channels"}),
    "training": frozenset({"scale", "channels"}),
    "tracking": frozenset({"folder"}),
    "search": frozenset({"folder"}),
}
