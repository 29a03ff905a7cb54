"""Keys of `conf/` and `sweeps/` as their files write them, with comment, type and default; read without Hydra."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from srexp.config.paths import config_home, found_presets
from srexp.errors import some

#: Names the schema of a file to editors.
_MODELINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)
#: Groups of files that change several keys, chosen with a `+`.
PRESETS = ("experiment", "debug", "sweeps")


@dataclass(frozen=True)
class Key:
    """A key of a file, or a group of which its `defaults` choose something.

    Args:
        name: With dots, from the root of the file.
        default: Its value as it is written there.
        comment: What stands beside or above it.
        schema: What JSON Schema says of its value; empty where nothing is known.
    """

    name: str
    default: str
    comment: str
    schema: Mapping[str, Any]

    @property
    def type(self) -> str:
        """What it may be, in words."""
        return in_words(self.schema)

    @property
    def choices(self) -> list[str]:
        """The words that it may be, where these are few."""
        return _choices(self.schema)


def opening(path: Path) -> list[str]:
    """Give what a file says of itself at its top, a line each; commands begin with two blanks."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line and not _MODELINE.match(line):
            lines.append(line[2:].rstrip())
    return lines


def keys(path: Path) -> Sequence[Key]:
    """Give each key of a file, those of nested mappings with dots, and each choice that it makes in `defaults`."""
    return tuple(_keys(path, path.read_text(encoding="utf-8")))


@lru_cache(maxsize=256)
def _keys(path: Path, text: str) -> list[Key]:
    lines = text.splitlines()
    named = _MODELINE.search(text)
    schema = _schema((path.parent / named[1]).resolve()) if named else {}
    root = yaml.compose(text, yaml.SafeLoader)
    own = _own(schema, root)

    def comment(line: int) -> str:
        beside = re.search(r"\s#\s*(.*)", lines[line])
        above = lines[line - 1].strip() if line else ""
        return beside[1] if beside else above.removeprefix("#").strip() if above.startswith("#") else ""

    def typed(name: str) -> Mapping[str, Any]:
        return _part(own, name) or _part(schema, name)

    def walk(node: yaml.Node, within: str) -> Iterator[Key]:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            name = f"{within}{key.value}"
            if name == "defaults":
                for each in value.value:
                    for group, choice in each.value if isinstance(each, yaml.MappingNode) else ():
                        chosen = re.sub(r"^override\s+/?|@.*", "", group.value)
                        yield Key(chosen, choice.value, comment(group.start_mark.line), {})
            elif isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
                yield from walk(value, f"{name}.")
            else:
                shown = text[value.start_mark.index : value.end_mark.index].strip()
                yield Key(name, "a text" if "\n" in shown else shown, comment(key.start_mark.line), typed(name))

    return list(walk(root, "")) if root is not None else []


def files(group: str, *more: Path) -> dict[str, Path]:
    """Give the choices of a group, by their names.

    Args:
        group: A folder of `conf/`, or `sweeps`.
        *more: Folders beside srexp's own, such as that of `--config-dir`.
    """
    places = [config_home() / "conf", config_home(), found_presets(), *more]
    return {path.stem: path for place in places for path in sorted((place / group).glob("*.yaml"))}


def others_with(key: str) -> str:
    """Say which choices of a group have a key, of which the chosen one has none; empty where no other has it.

    Example:
        >>> others_with("dataset.root"), others_with("dataset.nothing"), others_with("seed")
        ('dataset=folder, dataset=paired have it', '', '')
    """
    group, _, name = key.partition(".")
    found = [f"{group}={choice}" for choice, path in files(group).items() if name in (each.name for each in keys(path))]
    return f"{some(found)} {'has' if len(found) == 1 else 'have'} it" if name and found else ""


def groups() -> list[str]:
    """Name the groups of which one file is chosen."""
    folders = {path.parent.name for path in (config_home() / "conf").glob("*/*.yaml")}
    return sorted(folders - set(PRESETS))


def root(name: str) -> Path:
    """Give the file of a verb, or of what all have in common: `base`."""
    return config_home() / "conf" / f"{name}.yaml"


def is_global(path: Path) -> bool:
    """Whether the keys of a file are those of the whole configuration."""
    return path.parent.name in ("conf", "sweeps") or "# @package _global_" in path.read_text(encoding="utf-8")


def in_words(schema: Mapping[str, Any]) -> str:
    """Say what JSON Schema says of a value.

    Example:
        >>> in_words({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}, {"type": "null"}]})
        'whole number from 1, auto or null'
        >>> in_words({"type": "array", "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 255}})
        'list of numbers above 0 up to 255'
    """
    parts = [each for each in schema.get("anyOf", [schema]) if each.get("title") != "interpolation"]
    words = [word for part in parts for word in _words(part)]
    words = [*dict.fromkeys(word for word in words if word != "null"), *(["null"] if "null" in words else [])]
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _words(schema: Mapping[str, Any], *, several: bool = False) -> list[str]:
    if "anyOf" in schema:
        return [in_words(schema)]
    if "const" in schema or "enum" in schema:
        return [str(each) for each in schema.get("enum", [schema.get("const")])]
    kind = str(schema.get("type", ""))
    if kind == "array":
        inner = " or ".join(_words(schema.get("items", {}), several=True))
        return [f"list of {inner}" if inner else "list"]
    names = {"integer": "whole number", "boolean": "true or false", "string": "text", "object": "mapping"}
    name = "path" if schema.get("format") == "path" else names.get(kind, kind)
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}
    said = [f"{word} {schema[bound]}" for bound, word in bounds.items() if bound in schema]
    return [" ".join([f"{name}s" if several else name, *said])] if name else []


def _choices(schema: Mapping[str, Any]) -> list[str]:
    inner = [choice for each in schema.get("anyOf", ()) for choice in _choices(each)]
    own = ["true", "false"] if schema.get("type") == "boolean" else schema.get("enum", [])
    alone = [schema["const"]] if "const" in schema else ["null"] if schema.get("type") == "null" else []
    found = [str(each) for each in (*own, *alone, *inner)]
    return found if found != ["null"] else []


def _own(schema: Mapping[str, Any], root: yaml.Node | None) -> Mapping[str, Any]:
    """Give what a schema says only of files with this verb or builder."""
    said = {key.value: value.value for key, value in (root.value if isinstance(root, yaml.MappingNode) else ())}
    for each in schema.get("allOf", ()):
        for key, value in each.get("if", {}).get("properties", {}).items():
            if said.get(key) == value["const"]:
                found: Mapping[str, Any] = each["then"]
                return found
    return {}


def _part(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Follow a name with dots through the properties of a schema."""
    for part in name.split("."):
        schema = schema.get("properties", {}).get(part, {})
        for named in (each["$ref"] for each in schema.get("allOf", ()) if "$ref" in each):
            schema = _schema(config_home() / "conf" / named)
    return schema


@lru_cache(maxsize=64)
def _schema(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found
