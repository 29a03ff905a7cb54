"""What a configuration file may say, judged as it was written, before Hydra composes it.

A preset may come from somebody else, and Hydra builds callbacks, launchers and log handlers, sets the environment and
asks resolvers, as any file tells it. So each file is read as plain data and held against a short grammar; only the
roots of `conf/` and the arrangement of its logs are srexp's as its code is. What is typed is the user's own word.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path

import yaml
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.config_source import ConfigResult

from srexp.config.frozen_files import FrozenFolder, content
from srexp.config.override_grammar import key_of
from srexp.config.paths import config_home
from srexp.config.sections.verbs import VERB_CONFIGS
from srexp.errors import RequestError

#: Bounds of a file: its bytes, its values, and how deep they are nested.
MOST_BYTES, MOST_VALUES, DEEPEST = 100_000, 10_000, 20
_PLAIN_YAML = "plain YAML in UTF-8: texts, numbers, lists and mappings, no tags of Python objects"
#: Top-level keys for the command line alone: whose code may build, which verb runs, to whom a server or names of
#: patients are open, and that a version is promoted whatever the gate says; as `paths.shared`, for others to read.
TYPED = {"extensions", "verb", "host", "hosts", "origins", "names", "force", "dicom", "pacs"}
#: Top-level keys that a file may set.
KEYS = {each.name for kind in VERB_CONFIGS.values() for each in fields(kind)} - TYPED
#: How logs are arranged, which is srexp's as its code is.
LOGS = ("hydra/job_logging/srexp", "hydra/hydra_logging/srexp")
_KEY, _NAME = "|".join(sorted({*KEYS, "experiment", "debug", "sweeps"})), r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*"
_GROUP = re.compile(rf"(?:(?:override|optional) )*/?(?:{_KEY}|hydra/launcher)(?:@_global_[\w.]*)?")
_CHOICE = re.compile(rf"_self_|(?:/(?:{_KEY}|hydra/launcher)/)?{_NAME}", re.ASCII)
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")}
_STEERING = r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
#: Line breaks and their like, marks of writing direction; interpolations but of keys of srexp and its resolvers.
_REFUSED = re.compile(
    rf"{_STEERING}|"
    r"\$\{(?!\.*(?!hydra\b)[A-Za-z_]\w*(?:\.\w+)*\}|srexp\.(?:by|root|home|found):)"
)
#: Keys that lead to other machines, and what may stand there: no archive, to which images would go, and no query of an
#: address, by which MySQL's driver opens files to a server, and ODBC's loads libraries.
_LEADS = re.compile(r"(?:input|output|tracking|storage|search(?:\.storage|\.\[\d+\])?$).*")
_NEAR = re.compile(r"(?i)(?!\s*dicom[\w+]*:)(?:\$\{srexp\.root:\}|[^$?])*", re.DOTALL)
_NUMBER = r"(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:true|false|null|~)?)"
_WORD = r"[\w:-]+"
#: What a file may say of Hydra, as `key=value`. Folders, addresses and lines for a shell are for the command line.
_HYDRA = re.compile(
    "mode=(?:RUN|MULTIRUN)"
    "|launcher\\.(?:partition|qos|comment|constraint|gres|exclude|mem_per_[cg]pu|account|name|backend|prefer|require)="
    rf"{_WORD}|launcher\.(?:ray\.(?:init|remote)\.(?:num_[cg]pus|\w*memory)|(?!\w*_folder)[a-z]\w*)={_NUMBER}"
    rf"|sweeper\.params\.\+{{0,2}}(?!paths\b)(?:{_KEY})(?:[./]\w+)*(?:\.\[\d+\])*=(?:(?!{_STEERING})[^$])*",
    re.ASCII,
)
#: What would make Hydra build something, where it is typed.
_CODE = re.compile(r"callbacks['\"]?\s*[.:={]|(?:_target_|\bclass)['\"]?\s*[:=]|\(\)")
_Value = tuple[tuple[str, ...], str, int]


@dataclass
class Written(ConfigResult):
    """A file that Hydra loads, with each value that was written in it."""

    values: list[_Value] = field(default_factory=list)

    def require_plain(self, package: str) -> None:
        """Refuse what isn't said in the grammar of presets.

        Args:
            package: Key under which Hydra composes what the file says; empty for the root.

        Raises:
            RequestError: With the line.
        """
        place = tuple(part for part in package.split(".") if part not in ("", "_global_"))
        for keys, value, line in self.values or [((), "", 1)]:  # an empty file makes an empty place
            named = (*place, *keys)
            if named and keys[:1] != ("defaults",) and (expected := _expected(named, value)):
                raise refused(self.path, line, f"a file can't set {'.'.join((*place, *keys))}", value, expected)


class JudgedFiles(FrozenFolder):
    """A folder of configuration files whose content is plain data."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file, once: what is judged is what Hydra gets."""
        path = self.place(config_path)
        try:
            if self._is_own(config_path):
                return super().load_config(config_path)
            with self.open(config_path) as file:
                text = file.read(MOST_BYTES).decode()
                if file.read(1):
                    raise refused(path, 1, "a preset is no more than a page", f"{MOST_BYTES} bytes and more", "less")
            root = _composed(text)
            if not isinstance(root, yaml.MappingNode | None):
                raise refused(path, 1, "a file of configuration is no mapping", text[:60], "keys with their values")
            values = list(_values(root, (), path, set())) if root else []
            _require_choices(root, path)
            header = self._get_header_dict(text[:512])
            return Written(self.provider, str(path), content(text), header, values=values)
        # Of a value as `!!int x` YAML gives a ValueError or LookupError.
        except (yaml.YAMLError, OSError, ValueError, LookupError, RecursionError) as error:
            said = " ".join(str(error).split())
            raise RequestError(f"{path} can't be read: {said}", expected=_PLAIN_YAML) from error

    def _is_own(self, config_path: str) -> bool:
        """Whether it is a root, or the arrangement of the logs: what is as much srexp as its code."""
        own = "/" not in config_path or config_path in LOGS
        return own and Path(self.path).resolve() == (config_home() / "conf").resolve()


class JudgingRepository(ConfigRepository):
    """Hydra's search path, with files that are judged."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Look into folders through `JudgedFiles`."""
        super().initialize_sources(config_search_path)
        self.sources = [
            JudgedFiles(each.provider, each.path) if each.scheme() == "file" else each for each in self.sources
        ]

    def __deepcopy__(self, memo: object) -> JudgingRepository:
        """Spare Hydra the copies of all folders: in its copy of this it looks into others, and changes none."""
        return copy.copy(self)


def require_no_code(overrides: Sequence[str]) -> None:
    """Refuse what is typed of Hydra and would make it build something else than launchers and logs: it may be pasted.

    Args:
        overrides: As typed.

    Raises:
        RequestError: One names a class or a function.
    """
    for each in overrides:
        if key_of(each).partition(".")[0] == "hydra" and _CODE.search(each):
            raise RequestError(f"{key_of(each)} is not allowed: a configuration runs no code of its own", got=each)


def refused(path: str | Path, line: int, what: str, got: str, expected: str) -> RequestError:
    """Say what is wrong with a line of a file."""
    return RequestError(f"{path}, line {line}: {what}", got=got[:200], expected=expected)


def _expected(keys: Sequence[str], value: str) -> str:
    """Say what a file could have said instead; nothing where this is allowed."""
    if keys[0] == "hydra":
        if _HYDRA.fullmatch(f"{'.'.join(keys[1:])}={value}"):
            swept = ".".join(keys[3:]).lstrip("+").split(".")
            return _expected(swept, value) if keys[1] == "sweeper" and swept[0] in KEYS else ""
        return "of Hydra its launcher with numbers and plain words, and what is swept; type anything else"
    if keys[0] in TYPED or (tuple(keys[:2]) == ("paths", "shared") and value.lower() != "false"):
        return "it on the command line"
    if keys[0] not in KEYS:
        return "keys of srexp; '# @package _global_' heads presets"
    leads = _LEADS.fullmatch(".".join(keys)) and not _NEAR.fullmatch(value)
    steers = _REFUSED.search(value) or ("$" in value and tuple(keys[:2]) == ("search", "space"))
    if steers:
        return "one line of text; interpolations of srexp's keys, ${srexp.by:...} and ${srexp.root:}"
    return "a folder, or a store's address without a query; type what is to come from or go elsewhere" if leads else ""


@lru_cache(maxsize=256)
def _composed(text: str) -> yaml.Node | None:
    """Parse a text with the parser that OmegaConf takes: another one might read it otherwise than Hydra does."""
    return yaml.compose(text, yaml.SafeLoader)


def _values(node: yaml.Node, keys: tuple[str, ...], path: Path, seen: set[int]) -> Iterator[_Value]:
    """Give every value with its keys and line; an empty list or mapping is an empty text."""
    line = node.start_mark.line + 1
    if node.tag not in _PLAIN or id(node) in seen or len(seen) > MOST_VALUES or len(keys) > DEEPEST:
        got = node.tag if node.tag not in _PLAIN else ".".join(keys)
        raise refused(path, line, "this is no plain data", got, f"no tags and aliases, {MOST_VALUES} values at most")
    seen.add(id(node))
    inner: list[tuple[str, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _PLAIN or re.search(_STEERING, key.value):
                got = str(key.value) if key.tag in _PLAIN else key.tag
                raise refused(path, line, "a key is no word", got, "plain words as keys")
            inner.append((key.value, value))
    elif isinstance(node, yaml.SequenceNode):
        inner = [(f"[{index}]", value) for index, value in enumerate(node.value)]
    for key, value in inner:
        yield from _values(value, (*keys, key), path, seen)
    if not inner:
        yield keys, node.value if isinstance(node, yaml.ScalarNode) else "", line


def _require_choices(root: yaml.MappingNode | None, path: Path) -> None:
    """Refuse `defaults` that name anything but choices of srexp's groups, and launchers."""
    for items in (value for key, value in root.value if key.value == "defaults") if root else ():
        for item in items.value if isinstance(items, yaml.SequenceNode) else [items]:
            named = isinstance(item, yaml.MappingNode) and len(item.value) == 1
            group, name = item.value[0] if named else (None, item)
            names = name.value if group and isinstance(name, yaml.SequenceNode) else [name]
            texts = [each.value for each in names if each.tag.endswith((":str", ":null"))]
            fits = items is not item and len(texts) == len(names) and all(map(_CHOICE.fullmatch, texts))
            if not fits or (group and not _GROUP.fullmatch(group.value)):
                got = f"{group.value if group else ''} {texts}"
                raise refused(path, item.start_mark.line + 1, "defaults name no choice", got, "- GROUP: NAME")
