"""What the runtimes have in common: a network is converted, opened as a function, and kept in a file of the program."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeAlias, TypeVar

from srexp.enhance.predict import Restore
from srexp.types import Batch, Network

Precision: TypeAlias = Literal["float32", "bfloat16", "int8"]
#: A network as a runtime holds it before it is opened, such as the content of its file.
Program = TypeVar("Program")


class Runtime(ABC, Generic[Program]):
    """A program that computes networks, imported when it is used.

    Attributes:
        NAME: What a user calls it.
        FILE: What its file, or folder, is called.
        PACKAGES: Modules to import, with the name of what is installed for them.
        EXTRA: Extra of srexp that installs them; empty where srexp needs them anyway.
        PRECISIONS: What it can compute in.
    """

    NAME: ClassVar[str]
    FILE: ClassVar[str]
    PACKAGES: ClassVar[Mapping[str, str]]
    EXTRA: ClassVar[str]
    PRECISIONS: ClassVar[tuple[Precision, ...]]

    def start(self, model: Network, precision: str = "float32", calibration: Sequence[Batch] = ()) -> Restore:
        """Make a model a function of batches.

        Args:
            model: Built Keras model.
            precision: One of `PRECISIONS`.
            calibration: Batches from which int8 learns the range of every layer, where the runtime asks for some.

        Returns:
            Function from (n, h, w, c) to (n, h * scale, w * scale, c), float32; it may be called from several threads.

        Raises:
            RequestError: It can't compute this model, or not in this precision.
        """
        return self._opened(self._converted(model, precision, calibration), precision)

    def write(self, model: Network, path: Path) -> None:
        """Write a model, in float32, with input `low` and output `restored`, (n, h, w, c), n, h and w open.

        Args:
            model: Built Keras model.
            path: To write; called `FILE` by whoever exports.

        Raises:
            RequestError: It can't compute this model.
        """
        self._save(self._converted(model, "float32", ()), path)

    @abstractmethod
    def read(self, path: Path) -> Restore:
        """Open what `write` wrote.

        Args:
            path: The file, or folder.

        Returns:
            Function as from `start`.
        """

    @property
    def missing(self) -> list[str]:
        """What has to be installed for it, asked without importing anything."""
        return [package for module, package in self.PACKAGES.items() if not importlib.util.find_spec(module)]

    @abstractmethod
    def _converted(self, model: Network, precision: str, calibration: Sequence[Batch]) -> Program:
        """Give a model as the runtime holds it."""

    @abstractmethod
    def _opened(self, program: Program, precision: str) -> Restore:
        """Make a function of it."""

    @abstractmethod
    def _save(self, program: Program, path: Path) -> None:
        """Write it."""


class FileRuntime(Runtime[bytes]):
    """A runtime that holds a network as the content of one file."""

    def _save(self, program: bytes, path: Path) -> None:
        path.write_bytes(program)

    def read(self, path: Path) -> Restore:
        """Open the content of the file."""
        return self._opened(path.read_bytes(), "float32")
