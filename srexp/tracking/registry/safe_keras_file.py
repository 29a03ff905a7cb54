"""Keras files that somebody else wrote: nothing but a network of Keras's own layers and its weights.

They are looked at, and their arrays read, in a process with bounds. Keras itself can't be bounded, so what it will be
given is counted: it takes some 5 ms for each layer and for each call of one.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from srexp.errors import RequestError, SrexpError
from srexp.system.confinement import ExhaustedError, confined

# Keras layers that run what a file brings along, or open files that it names.
_RUNNING = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_READING = {"StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup"}
# What layers are made of, which costs little to build.
_SMALL_MODULES = {"initializers", "regularizers", "constraints", "activations", "optimizers", "losses", "metrics"}
_SMALL = {"DTypePolicy", "__keras_tensor__", "function"}
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = {_CONFIG, _WEIGHTS, "metadata.json"}
_LARGEST_CONFIG, _LARGEST_WEIGHTS = 2**23, 2**30
_MOST_LAYERS, _MOST_CALLS = 1000, 2000
_SLACK = 2**26  # small weights may compress well
_RATIO = 100


def require_plain(path: Path, called: str) -> None:
    """Refuse a Keras file that is more than a network of Keras's own layers and its weights, before Keras sees it.

    Args:
        path: A `.keras` file.
        called: Name for messages.

    Raises:
        RequestError: It names a class from elsewhere, or a layer that runs or reads what the file brings along; it has
            members of its own, weights that lie in other files, or weights that would fill memory; more layers than
            Keras builds in seconds, or anything that takes too long to be read.
        SrexpError: It is no Keras file.
    """
    try:
        confined([], check, path.absolute(), called)
    except ExhaustedError as error:
        raise RequestError(
            f"{called} {error}", expected="what model.save('NAME.keras') writes", fix="choose another model_uri"
        ) from None


def check(path: Path, called: str) -> None:
    """Do what `require_plain` does, without bounds on memory and time."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist(), called)
            config = json.loads(archive.read(_CONFIG))
            if _WEIGHTS in archive.namelist():
                with archive.open(_WEIGHTS) as weights:
                    _check_weights(weights, path.stat().st_size, called)
            classes = list(_classes(config))
            _check_count(sum(map(_is_layer, classes)), _MOST_LAYERS, "layers", called)
            _check_count(_calls(config), _MOST_CALLS, "calls of layers", called)
    except SrexpError:
        raise
    except Exception as error:  # of damaged files zipfile, json and h5py raise what they like, h5py SystemError as well
        raise SrexpError(
            f"{called} is no Keras model file: {str(error) or type(error).__name__}",
            expected="what model.save('NAME.keras') writes; pickles, HDF5 files and SavedModels may run code",
            fix="write it again, or choose another model_uri",
        ) from error
    for module, name in classes:
        foreign = module is not None and module.partition(".")[0] not in ("keras", "builtins")
        if foreign or name in _RUNNING | _READING:
            raise RequestError(
                f"{called} holds more than Keras's own layers"
                if foreign or name in _RUNNING
                else f"{called} holds a layer that reads files",
                got=f"{module}.{name}" if module else name,
                expected="a network of built-in layers, which loads anywhere and runs nobody's code",
                fix="build it from keras.layers, without Lambda, and save it again",
            )


def _check_members(members: Sequence[zipfile.ZipInfo], called: str) -> None:
    names = [member.filename for member in members]
    if foreign := sorted(set(names) - _MEMBERS) or sorted(name for name in set(names) if names.count(name) > 1):
        raise RequestError(
            f"{called} brings other files along", got=foreign[:5], expected=f"once each: {', '.join(sorted(_MEMBERS))}"
        )
    for member in members:
        _check_size(member.file_size, member.compress_size, f"{called} is a bomb: {member.filename}")
        if member.filename != _WEIGHTS and member.file_size > _LARGEST_CONFIG:
            raise RequestError(
                f"{called} is a bomb: {member.filename} has {member.file_size:,} bytes",
                expected=f"at most {_LARGEST_CONFIG:,}",
            )


def _check_size(size: int, stored: int, what: str) -> None:
    most = min(_LARGEST_WEIGHTS, max(_SLACK, _RATIO * stored))
    if size > most:
        raise RequestError(f"{what} would fill {size} bytes", expected=f"at most {most} of {stored} that are stored")


def _check_weights(file: IO[bytes], stored: int, called: str) -> None:
    """Look at the names and sizes of arrays, and read each, as Keras will."""
    import h5py

    sizes: dict[str, int] = {}

    def look(name: str, link: Any) -> str | None:
        """Note the size of an array; what is returned ends the visit."""
        item = held[name] if isinstance(link, h5py.HardLink) else None
        if item is None or (isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)):
            return name
        if isinstance(item, h5py.Dataset):
            sizes[name] = item.nbytes
        return None

    with h5py.File(file, "r") as held:
        if elsewhere := held.visititems_links(look):
            raise RequestError(
                f"{called} has weights that lie in another file", got=elsewhere, expected="all of them in the file"
            )
        _check_size(sum(sizes.values()), stored, f"{called} is a bomb: its weights")
        for name in sizes:
            held[name][()]


def _check_count(count: int, most: int, what: str, called: str) -> None:
    if count > most:
        raise RequestError(
            f"{called} is larger than srexp builds",
            got=f"{count:,} {what}",
            expected=f"at most {most:,}",
            fix="choose another model_uri",
        )


def _is_layer(named: tuple[str | None, str]) -> bool:
    """Whether Keras takes long to build what a configuration names."""
    module, name = named
    return name not in _SMALL and not _SMALL_MODULES & set((module or "").split("."))


def _calls(node: object) -> int:
    """Walk a Keras configuration and count the calls of its layers."""
    own = node.get("inbound_nodes") if isinstance(node, Mapping) else None
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return (len(own) if isinstance(own, list) else 0) + sum(map(_calls, children))


def _classes(node: Any) -> Iterator[tuple[str | None, str]]:
    """Walk a Keras configuration and give every class that it names, with its module.

    Keras finds `layers.Lambda` of `keras` and a class called for as a function, too: the end of a name tells.
    """
    if isinstance(node, Mapping) and "class_name" in node:
        module = node.get("module")
        for name in (node["class_name"], *([node.get("config")] if node["class_name"] == "function" else [])):
            yield None if module is None else str(module), str(name).rpartition(".")[2]
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    for child in children:
        yield from _classes(child)
