"""What a word of a command line may become, for shells; read from files in a tenth of a second, and never an error."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, suppress
from io import StringIO
from itertools import pairwise
from pathlib import Path

from srexp.config.command_line import OPTIONS
from srexp.config.override_grammar import parse
from srexp.config.reference import keys as reference
from srexp.config.reference.keys import PRESETS, Key
from srexp.errors import RequestError

_SCRIPTS = Path(__file__).parent / "shells"
_UNINSTALL = {"bash": "complete -r srexp", "zsh": "compdef -d srexp", "fish": "complete --erase --command srexp"}


def answer(overrides: Iterable[str], environment: Mapping[str, str], verbs: Collection[str]) -> list[str]:
    """Do what stands behind `--shell-completion`.

    Args:
        overrides: `install=`, `uninstall=` or `query=` with a shell.
        environment: Of the process; a shell that asks puts the line up to the cursor into COMP_LINE.
        verbs: Those that exist.

    Returns:
        Lines for the shell.

    Raises:
        RequestError: It isn't said what to do, or for which shell.
    """
    asked = [(key, value or "") for _, key, value in map(parse, overrides) if key in ("install", "uninstall", "query")]
    if len(asked) != 1 or asked[0][1] not in _UNINSTALL:
        raise RequestError(
            "--shell-completion needs to know what to do, and for which shell",
            got=" ".join(overrides),
            expected=f"install= or uninstall= with one of {', '.join(_UNINSTALL)}",
            fix="srexp --shell-completion install=bash >> ~/.bashrc",
        )
    command, shell = asked[0]
    if command == "install":
        return (_SCRIPTS / f"srexp.{shell}").read_text(encoding="utf-8").splitlines()
    if command == "uninstall":
        return [_UNINSTALL[shell]]
    if "COMP_LINE" not in environment:
        raise RequestError("query= is what a shell asks", expected="the line so far in COMP_LINE")
    return candidates(environment["COMP_LINE"], verbs)


def candidates(line: str, verbs: Collection[str]) -> list[str]:
    """Give what the last word of a line may become.

    Args:
        line: From its beginning to the cursor.
        verbs: Those that exist.

    Returns:
        Whole words, sorted; whatever is wrong with the line or with files, there are just fewer.

    Example:
        >>> candidates("srexp enhance runtime=o", ["enhance"]), candidates("srexp train model=vdsr model.de", ["train"])
        (['runtime=onnxruntime', 'runtime=openvino'], ['model.depth='])
    """
    words = line.split()
    begun = words.pop() if words and not line.endswith((" ", "\t")) else ""
    found: set[str] = set()
    with redirect_stderr(StringIO()), suppress(Exception):
        for each in _Line(words[1:], verbs).may_become(begun):
            found.add(each)
    return sorted(each for each in found if each.startswith(begun) and each != begun)


class _Line:
    """The words of a command line before the one that is completed.

    Args:
        words: Without the program's name.
        verbs: Those that exist.
    """

    def __init__(self, words: list[str], verbs: Collection[str]) -> None:
        self.words, self.verbs = words, verbs
        named = [word for word in words if word in verbs]
        self.verb = named[0] if named else "train"
        self.open = not named  # a verb may still come
        following = pairwise(words)
        typed = [after for word, after in following if word in ("--config-dir", "-cd")]
        typed += [word.partition("=")[2] for word in words if word.startswith("--config-dir=")]
        self.folders = [Path(each).expanduser() for each in typed]

    def may_become(self, begun: str) -> Iterator[str]:
        """Give what a word may become, and more."""
        before = self.words[-1] if self.words else ""
        option = next((said for names, said in OPTIONS.items() if before in names), {})
        if choices := option.get("choices"):
            yield from choices
        if "help" in self.words[:1]:
            yield from (*self.verbs, *reference.groups(), *PRESETS)
        elif begun.startswith("-"):
            yield from (name for names in OPTIONS for name in names)
        elif "=" in begun:
            yield from self._values(begun)
        else:
            yield from (*self.verbs, "help") if self.open else ()
            yield from self._keys(begun)

    def _values(self, begun: str) -> Iterator[str]:
        """Give a group's choices, or the words that a key may be; of several behind a comma the last."""
        name, _, value = begun.partition("=")
        listed = f"{value.rpartition(',')[0]}," if "," in value else ""
        key = parse(begun).key
        found: Iterable[str] = reference.files(key, *self.folders)
        if not found:
            places = self._section(key.partition(".")[0]) if "." in key else self._root()
            found = [choice for each in places if each.name == key for choice in each.choices]
        yield from (f"{name}={listed}{choice}" for choice in found)

    def _keys(self, begun: str) -> Iterator[str]:
        """Give groups and keys, of those with dots the next part only."""
        sign, key, _ = parse(begun)
        groups = [*reference.groups(), *PRESETS]
        if not key.count("."):
            yield from (f"+{group}=" for group in PRESETS)
            yield from (f"{sign}{group}{end}" for group in reference.groups() for end in ("=", "."))
        section = key.partition(".")[0]
        known = self._section(section) if "." in key and section in groups else self._root()
        for each in known:
            if each.name.startswith(key) and not each.name.startswith("hydra/") and each.name not in groups:
                rest = each.name[len(key) :].partition(".")
                yield f"{sign}{key}{rest[0]}{'.' if rest[1] else '='}"

    def _root(self) -> Iterator[Key]:
        for name in (self.verb, "base"):
            yield from reference.keys(reference.root(name))

    def _section(self, group: str) -> Iterator[Key]:
        """Give the keys of the choice that a group has, by what was typed, by a preset, or by default."""
        chosen = {key.name: key.default for key in self._root() if not key.schema}
        for preset in PRESETS:
            for _, key, value in map(parse, self.words):
                path = reference.files(preset, *self.folders).get(value or "") if key == preset else None
                chosen |= {each.name: each.default for each in reference.keys(path) if not each.schema} if path else {}
        chosen |= {key: value for _, key, value in map(parse, self.words) if key == group and value}
        yield from self._of_choice(group, chosen.get(group, ""))

    def _of_choice(self, group: str, name: str) -> Iterator[Key]:
        path = reference.files(group, *self.folders).get(name)
        for key in reference.keys(path) if path else ():
            if path and reference.is_global(path):
                yield key
            else:
                yield Key(f"{group}.{key.name}", key.default, key.comment, key.schema)
