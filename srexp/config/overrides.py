"""The way back: from a configuration to what a user would type, or write into a preset, to get it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from srexp.config.compose import compose, composed
from srexp.config.identity import INDIFFERENT
from srexp.config.override_keys import parse
from srexp.config.schema import Config

#: Groups of presets: what they chose shows in the other groups and keys.
PRESETS = ("experiment", "debug", "sweeps", "search")
_ABSENT = object()
_Difference = tuple[str, Any, Any]


def overrides_of(config: Config, *, without: Sequence[str] = INDIFFERENT) -> list[str]:
    """Say what to type after `python -m srexp` to train with a configuration, presets and defaults taken into account.

    Args:
        config: A checked configuration of any verb.
        without: Top-level keys to leave out.

    Returns:
        Overrides: groups first, then keys that differ from what the groups bring.

    Example:
        >>> import srexp
        >>> overrides_of(srexp.compose(["+debug=fast", "scale=4", "model=vdsr", "trainer.epochs=9"]))[:3]
        ['model=vdsr', 'scale=4', 'trainer.epochs=9']
    """
    groups = [f"{group}={name}" for group, name in _chosen(config).items()]
    wanted = {key: value for key, value in config.resolved.items() if key not in without}
    keys = [_override(*found) for found in _still_different(groups, wanted, resolve=False)]
    # What an interpolation gives follows from other keys, so it is looked at once those are set, and one by one.
    while found := next(_still_different([*groups, *keys], wanted, resolve=True), None):
        keys.append(_override(*found))
    return [*groups, *keys]


def preset(config: Config, header: str) -> str:
    """Write a configuration as a preset for `conf/experiment`.

    Args:
        config: A checked configuration of any verb.
        header: What the preset is, for its comment.

    Returns:
        YAML that `+experiment=` composes to the same configuration, as far as it decides a run's numbers.
    """
    chosen = _chosen(config)
    defaults = [{f"override /{group}": name} for group, name in chosen.items()]
    content = OmegaConf.create({"defaults": defaults} if defaults else {})
    for sign, key, _ in map(parse, overrides_of(config)[len(chosen) :]):
        if sign != "~":
            OmegaConf.update(content, key, functools.reduce(operator.getitem, key.split("."), config.resolved))
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return f"# @package _global_\n{comment}{OmegaConf.to_yaml(content)}"


def override(key: str, value: Any) -> str:
    """Write an override in Hydra's grammar.

    Example:
        >>> override("dataset.patients", "^p(..)_"), override("model.kernels", [9, 1, 5])
        ("dataset.patients='^p(..)_'", 'model.kernels=[9,1,5]')
    """
    return f"{key}={_written(value)}"


def _chosen(config: Config) -> dict[str, str]:
    """Give the groups whose choice is not the default of `train`."""
    usual = compose("train", [])[0].choices
    return {group: name for group, name in config.choices.items() if usual.get(group) != name and group not in PRESETS}


def _still_different(overrides: Sequence[str], wanted: Mapping[str, Any], *, resolve: bool) -> Iterator[_Difference]:
    """Give where `train` with some overrides differs from what is wanted; interpolations only when resolved."""
    given = OmegaConf.to_container(composed("train", overrides), resolve=resolve)
    base = {key: given[key] for key in wanted if isinstance(given, dict) and key in given}
    return _differences(base, wanted)


def _differences(base: Any, wanted: Any, place: str = "") -> Iterator[_Difference]:
    """Give the places where two trees differ, with both values."""
    if isinstance(base, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys([*base, *wanted]):
            inner = f"{place}.{key}" if place else str(key)
            yield from _differences(base.get(key, _ABSENT), wanted.get(key, _ABSENT), inner)
    elif base != wanted and not (isinstance(base, str) and "${" in base):
        yield place, base, wanted


def _override(place: str, base: Any, wanted: Any) -> str:
    if wanted is _ABSENT:
        return f"~{place}"
    return f"{'+' if base is _ABSENT else ''}{override(place, wanted)}"


def _written(value: Any) -> str:
    from hydra.core.override_parser.types import Quote, QuotedString

    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        plain = value.replace("_", "").replace("/", "").replace(".", "").isalnum() and not _other_type(value)
        return value if plain else str(QuotedString(value, Quote.single).with_quotes())
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(_written, value)) + "]"
    return repr(value)


def _other_type(text: str) -> bool:
    """Say whether a text without quotes would be read as a number, a truth value or null."""
    return not isinstance(OmegaConf.create(f"key: {text}").key, str)
