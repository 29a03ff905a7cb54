"""How long interpolations make a configuration: files of one page may ask for gigabytes of text."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

from srexp.errors import RequestError

#: Characters that a configuration may have when it is resolved, and what resolving one interpolation counts as.
MOST_CHARACTERS, _EACH = 1_000_000, 1000
_NAMED = re.compile(r"\$\{(\.*)([A-Za-z_][\w.]*)\}")


def require_bounded(tree: DictConfig) -> None:
    """Refuse a configuration whose interpolations make it too long, before one of them is resolved.

    Args:
        tree: As Hydra composed it.

    Raises:
        RequestError: It has more than `MOST_CHARACTERS`.
    """
    try:
        length = _Lengths(OmegaConf.to_container(tree, resolve=False)).of(())
    except RecursionError:
        length = MOST_CHARACTERS + 1
    if length > MOST_CHARACTERS:
        raise RequestError(
            "the interpolations of the configuration name each other too often",
            expected=f"{MOST_CHARACTERS} characters at most when they are resolved",
        )


class _Lengths:
    """Lengths of parts of a tree, each counted once."""

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self._known: dict[tuple[str, ...], int] = {}

    def of(self, keys: tuple[str, ...]) -> int:
        """Give the length of what stands below keys; one that names itself, which is refused later, adds nothing."""
        if keys not in self._known:
            self._known[keys] = 0
            self._known[keys] = self._counted(keys)
        return self._known[keys]

    def _counted(self, keys: tuple[str, ...]) -> int:
        node = self._tree
        for key in keys:
            node = dict(_inner(node)).get(key)
        if inner := _inner(node):
            return sum(self.of((*keys, key)) for key, _ in inner)
        length = len(str(node))
        for dots, name in _NAMED.findall(str(node)):
            above = keys[: -len(dots)] if dots else ()
            length += _EACH + self.of((*above, *name.split(".")))
        return length


def _inner(node: Any) -> list[tuple[str, Any]]:
    if isinstance(node, dict):
        return [(str(key), each) for key, each in node.items()]
    return [(str(index), each) for index, each in enumerate(node)] if isinstance(node, list) else []
