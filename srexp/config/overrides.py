"""The way back: from a configuration to what a user would type, or write into a preset, to get it."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from srexp.config.compose import compose, composed
from srexp.config.identity import INDIFFERENT
from srexp.config.override_grammar import override, parse
from srexp.config.sections.base import Config
from srexp.errors import RequestError

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
    groups = [override(group, name) for group, name in _chosen(config).items()]
    wanted = {key: value for key, value in config.resolved.items() if key not in without}
    tree = composed("train", groups)
    keys = [_set(tree, *found) for found in list(_still_different(tree, wanted, resolve=False))]
    # What an interpolation gives follows from other keys, so it is looked at once those are set, and one by one.
    while found := next(_still_different(tree, wanted, resolve=True), None):
        if (key := _set(tree, *found)) in keys:
            raise RequestError(f"{found[0]} can't be typed", got=key, expected="names of keys without a dot in them")
        keys.append(key)
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
    # Whose code may run is typed each time; no file says it.
    keys = overrides_of(config, without=(*INDIFFERENT, "extensions"))[len(chosen) :]
    for sign, key, _ in map(parse, keys):
        if sign != "~":
            value = functools.reduce(operator.getitem, key.split("."), config.resolved)
            OmegaConf.update(content, key, literal(value))
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return f"# @package _global_\n{comment}{OmegaConf.to_yaml(content)}"


def literal(value: Any) -> Any:
    r"""Give what has to be written into a configuration for a value to come out of it, though it holds `${`.

    Example:
        >>> literal("${HOME}"), literal(["a", 1])
        ('\\${HOME}', ['a', 1])
    """
    if isinstance(value, str):
        # Backslashes before it are OmegaConf's signs, too; anywhere else they are what they are.
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, Mapping):
        return {key: literal(each) for key, each in value.items()}
    return [literal(each) for each in value] if isinstance(value, Sequence) else value


def _chosen(config: Config) -> dict[str, str]:
    """Give the groups whose choice is not the default of `train`."""
    usual = compose("train", [])[0].choices
    return {group: name for group, name in config.choices.items() if usual.get(group) != name and group not in PRESETS}


def _still_different(tree: DictConfig, wanted: Mapping[str, Any], *, resolve: bool) -> Iterator[_Difference]:
    """Give where a composed tree differs from what is wanted; interpolations only when resolved."""
    given = OmegaConf.to_container(tree, resolve=resolve)
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


def _set(tree: DictConfig, place: str, base: Any, wanted: Any) -> str:
    """Set a key as Hydra would, and say what to type for it."""
    if wanted is _ABSENT:
        above, _, name = place.rpartition(".")
        with open_dict(tree):
            del (OmegaConf.select(tree, above) if above else tree)[name]
        return f"~{place}"
    typed = override(f"+{place}" if base is _ABSENT else place, literal(wanted))
    OmegaConf.update(tree, place, literal(wanted), force_add=True)
    return typed
