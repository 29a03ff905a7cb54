"""`--help` and `srexp help`: what a verb or a group takes, in as many columns as there are."""

from __future__ import annotations

import re
import textwrap
from argparse import SUPPRESS
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rich.text import Text

from srexp.config.command_line import OPTIONS
from srexp.config.reference import keys as reference
from srexp.config.reference.keys import PRESETS, Key
from srexp.errors import RequestError, did_you_mean
from srexp.system.terminal import Terminal

#: Columns where no terminal says how many there are, and at most: longer lines are hard to read.
_COLUMNS, _WIDEST = 80, 100
#: Keys that a verb's file has for srexp itself.
_INNER = re.compile(r"verb|hydra\..*|.*_target_")
_EXIT_CODES = "Exit codes: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted."


def show(about: str | None, verbs: Mapping[str, str]) -> None:
    """Print help.

    Args:
        about: A verb or a group; None for what there is.
        verbs: Those that exist, with a line of help each.

    Raises:
        RequestError: There is neither a verb nor a group of that name.
    """
    terminal = Terminal()
    page = _Page(min(terminal.width, _WIDEST) if terminal.is_terminal else _COLUMNS)
    groups = [*reference.groups(), *PRESETS]
    if about is None:
        _overview(page, verbs)
    elif about in verbs:
        _verb(page, about)
    elif about in groups:
        _group(page, about)
    else:
        fix = did_you_mean(about, [*verbs, *groups])
        raise RequestError("help knows verbs and groups", got=about, expected=f"one of {', '.join(verbs)}", fix=fix)
    for line in page.lines:
        terminal.print(line.plain if terminal.no_color else line)


class _Page:
    """Lines that fit into a number of columns.

    Args:
        columns: How many.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines: list[Text] = []

    def heading(self, text: str) -> None:
        """Begin a paragraph with a bold line."""
        self.lines += [Text(""), *(Text(line, "bold") for line in self._wrapped(text, ""))]

    def text(self, text: str, indent: str = "", first: str | None = None) -> None:
        """Add sentences."""
        self.lines += [Text(line) for line in self._wrapped(text, indent, first)]

    def command(self, line: str) -> None:
        """Add a command; where it is too long, in lines that a shell reads as one."""
        words = self._wrapped(line.replace("python -m srexp", "srexp"), " " * 6, "  ", spare=2, whole=True)
        self.lines += [Text(f"{part} \\") for part in words[:-1]] + [Text(part) for part in words[-1:]]

    def terms(self, terms: Iterable[tuple[str, str]], width: int) -> None:
        """Add words with what each is, beside each other where there is room."""
        for word, said in terms:
            if self.columns < 2 * width + 20 or len(word) > width - 4:
                self.text(word, "    ", "  ")
                self.text(said, "      ")
            else:
                self.text(said, " " * width, f"  {word}".ljust(width))

    def key(self, key: Key, within: str = "") -> None:
        """Add a key with its default, its type, and below them what it is for."""
        written = f"{within}{key.name}={key.default}"
        kind = "" if key.type == key.default else key.type
        kind += "; must be given" if key.default == "???" else ""
        whole = f"{written}  {kind}".rstrip()
        if len(whole) + 2 <= self.columns:
            self.lines.append(Text.assemble("  ", (written, "bold"), (whole.removeprefix(written), "")))
        else:
            self.lines += [Text(line, "bold") for line in self._wrapped(written, "    ", "  ")]
            self.text(kind, "      ")
        self.text(key.comment, "      ")

    def _wrapped(
        self, text: str, indent: str, first: str | None = None, *, spare: int = 0, whole: bool = False
    ) -> list[str]:
        return textwrap.wrap(
            text,
            self.columns - spare,
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_long_words=not whole,
            break_on_hyphens=False,
        )


def _overview(page: _Page, verbs: Mapping[str, str]) -> None:
    page.text("srexp [VERB] [KEY=VALUE ...]: super-resolution experiments on medical images. No verb means train.")
    page.heading("Verbs")
    page.terms(verbs.items(), 12)
    page.heading("More")
    page.terms(
        [
            ("srexp help VERB", "its keys with type, default and meaning, and examples; also srexp VERB --help"),
            ("srexp help GROUP", "the same of each choice, as srexp help model"),
            ("srexp check ...", "says whether what follows fits together, before anything is trained"),
        ],
        22,
    )
    page.text("Keys typed most: model= dataset= dataset.root= scale= seed= optimizer.lr= trainer.epochs=")
    _choices(page, [*reference.groups(), *PRESETS])
    _options(page)


def _verb(page: _Page, verb: str) -> None:
    path = reference.root(verb)
    own = list(reference.keys(path))
    named = {key.name for key in own}
    shared = [key for key in reference.keys(reference.root("base")) if key.name not in named]
    page.text(f"srexp {verb} [KEY=VALUE ...]")
    page.lines.append(Text(""))
    _opening(page, path)
    plain = [key for key in own if not _INNER.fullmatch(key.name) and key.schema]
    if plain:
        page.heading(f"Keys of {verb}, with their defaults")
        for key in plain:
            page.key(key)
    page.heading("Keys of every verb")
    for key in shared:
        if key.schema and not _INNER.fullmatch(key.name):
            page.key(key)
    _choices(page, [*reference.groups(), *PRESETS], {key.name: key for key in [*shared, *own]})
    page.heading("Keys that srexp and Hydra need themselves")
    for key in [*own, *shared]:
        if _INNER.fullmatch(key.name) and not key.name.startswith("hydra/"):
            page.key(key)
    page.lines.append(Text(""))
    page.text("srexp help GROUP: keys of the choices of a group. srexp --help: other verbs, and options.")
    page.text(_EXIT_CODES)


def _group(page: _Page, group: str) -> None:
    sign = "+" if group in PRESETS else ""
    page.text(f"srexp ... {sign}{group}=NAME, where NAME is {_or(list(reference.files(group)))}")
    for name, path in reference.files(group).items():
        page.heading(f"{sign}{group}={name}")
        _opening(page, path)
        within = "" if reference.is_global(path) else f"{group}."
        for key in reference.keys(path):
            if key.schema and not key.name.endswith("_target_"):
                page.key(key, within)


def _opening(page: _Page, path: Path) -> None:
    for paragraph in _paragraphs(reference.opening(path)):
        if paragraph.startswith("  "):
            page.command(paragraph.strip())
        else:
            page.text(paragraph)


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """Join the lines of sentences, and leave commands alone."""
    sentences: list[str] = []
    for line in [*lines, "  "]:
        if not line.startswith("  "):
            sentences.append(line)
            continue
        if sentences:
            yield " ".join(sentences)
        sentences = []
        if line.strip():
            yield line


def _choices(page: _Page, groups: list[str], chosen: Mapping[str, Key] | None = None) -> None:
    """Name the choices of groups, with the default of each behind them."""
    page.heading("Groups: GROUP=NAME chooses, GROUP.KEY=VALUE changes a key of the choice")
    terms = []
    for group in groups:
        key = (chosen or {}).get(group)
        if chosen is not None and group == "search" and key is None:
            continue  # another verb's
        names = ", ".join(reference.files(group))
        default = f" (default {key.default})" if key else ""
        sign = "+" if group in PRESETS else ""
        terms.append((f"{sign}{group}=", f"{key.comment}: {names}{default}" if key else names))
    page.terms(terms, 18)


def _options(page: _Page) -> None:
    page.heading("Options")
    shown = {", ".join(names): str(said["help"]) for names, said in OPTIONS.items()}
    terms = [(names, said) for names, said in shown.items() if said != SUPPRESS]
    page.terms(terms, 28)
    page.lines.append(Text(""))
    page.text(_EXIT_CODES)


def _or(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
