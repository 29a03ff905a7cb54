"""The configuration's files as they were when work began: an edit made meanwhile is for the next command.

Jobs of a multirun and trials of a search are composed one by one, hours later and by other processes. What they are
composed from travels with them, with stand-ins for addresses that have secrets.
"""

from __future__ import annotations

import json
import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO, StringIO
from pathlib import Path
from typing import BinaryIO

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.plugins.config_source import ConfigResult
from omegaconf import Container, OmegaConf

from srexp.system.masking.credentials import hidden
from srexp.system.masking.redaction import mask

#: How far below a folder of the search path its files are kept: `hydra/job_logging/NAME.yaml`.
_DEPTH = 2
#: What is larger is no configuration.
_MOST_BYTES = 1_000_000
#: How deep brackets are nested in no configuration.
_DEEPEST = 100
_OPENED = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
_CLOSED = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)
_MAY_BE_SECRET = re.compile(rb"@(?!package\b)|[?&;#][\w.%-]+=")


@dataclass(frozen=True)
class Files:
    """Files of all folders that compositions have looked into; can be pickled.

    Args:
        texts: Folder of a search path, to its files by their path.
        used: Those that something was composed from.
        beside: Folder of `--config-dir`, whose files are added to the groups; None for none.
    """

    texts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    beside: str | None = None

    def of(self, folder: str) -> dict[str, bytes]:
        """Give the files of a folder, as they were when it was first asked for."""
        if folder not in self.texts:
            self.texts[folder] = dict(_read(folder))
        return self.texts[folder]

    def changed_since(self, moment: float) -> list[str]:
        """Name the files used that were written after a moment, in seconds since 1970, or are gone."""
        return sorted(each for each in self.used if not Path(each).exists() or Path(each).stat().st_mtime > moment)


_FROZEN: ContextVar[Files | None] = ContextVar("frozen", default=None)


@contextmanager
def frozen(files: Files | None = None) -> Iterator[Files]:
    """Compose from files as they are now, or were, whatever is written to them meanwhile.

    Args:
        files: From another process; None for those that are frozen already, or for those of now.

    Yields:
        The files, to be sent along to what composes elsewhere.
    """
    kept = files or _FROZEN.get() or Files()
    before = _FROZEN.set(kept)
    try:
        yield kept
    finally:
        _FROZEN.reset(before)


def folder_beside() -> str | None:
    """Give the folder of `--config-dir` that the command was given, in its jobs, trials and workers as well."""
    files = _FROZEN.get()
    return files.beside if files else None


class FrozenFolder(FileConfigSource):
    """A folder of a search path, with its files as they were when work began."""

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider, path)
        self._files()  # now, and not when something else is composed from it later

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file as it was."""
        with self.open(config_path) as file:
            text = file.read().decode()
        header = self._get_header_dict(text[:512])
        return ConfigResult(self.provider, self.full_path(), content(text), header)

    def is_config(self, config_path: str) -> bool:
        """Whether there is, or was, such a file."""
        return str(self.place(config_path)) in self._files() or super().is_config(config_path)

    def place(self, config_path: str) -> Path:
        """Give the path of a file."""
        return Path(
            os.path.realpath(Path(self.path, self._normalize_file_name(config_path)))
        )  # also of a circle of links

    def open(self, config_path: str) -> BinaryIO:
        """Open a file as it was, or, where nothing is frozen, as it is."""
        path = self.place(config_path)
        if files := _FROZEN.get():
            files.used.add(str(path))
        known = self._files().get(str(path))
        return BytesIO(_without_secrets(path) if known is None else known)

    def _files(self) -> dict[str, bytes]:
        files = _FROZEN.get()
        return files.of(str(Path(self.path).resolve())) if files else {}


def content(text: str) -> Container:
    """Read a text as OmegaConf does; parsed once, since trials and jobs are composed from the same files."""
    return deepcopy(_parsed(text))


@lru_cache(maxsize=256)
def _parsed(text: str) -> Container:
    return OmegaConf.load(StringIO(text))


def _read(folder: str) -> Iterator[tuple[str, bytes]]:
    """Give the files of a folder, at most so deep, and none in hidden folders: it may be a checkout."""
    for place, inner, names in os.walk(folder):
        deep = len(Path(place).relative_to(folder).parts) >= _DEPTH
        inner[:] = [] if deep else [name for name in inner if not name.startswith(".")]
        for path in (Path(place, name) for name in names if name.endswith(".yaml")):
            with suppress(OSError):  # said where it is composed
                if path.is_file() and path.stat().st_size <= _MOST_BYTES:
                    yield str(path.resolve()), _without_secrets(path)


def _without_secrets(path: Path) -> bytes:
    """Read a file; in place of addresses with secrets it has stand-ins, on the same lines."""
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES).removeprefix(BOM_UTF8)
    if not _MAY_BE_SECRET.search(content):
        return content
    text = content.decode(errors="surrogateescape")
    for word in reversed(_words(text)):
        if (stand_in := hidden(word.value)) != word.value:
            begin, end = word.start_mark.index, word.end_mark.index
            lines = "\n" * text.count("\n", begin, end)
            text = f"{text[:begin]}{json.dumps(stand_in)}{lines}{text[end:]}"
    return mask(text).encode(errors="surrogateescape")


@lru_cache(maxsize=256)
def _words(text: str) -> list[yaml.ScalarToken]:
    words, nested = [], 0
    try:
        for each in yaml.scan(text, yaml.SafeLoader):
            if isinstance(each, yaml.ScalarToken):
                words.append(each)
            nested += isinstance(each, _OPENED) - isinstance(each, _CLOSED)
            if nested > _DEEPEST:  # the scanner would take minutes; what composes it refuses it
                return words
    except yaml.YAMLError:  # said where it is composed
        return []
    return words
