"""The command line taken apart: a verb, options, overrides. Hydra isn't imported: completion waits for it."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from srexp.config.override_grammar import key_of, without_secrets
from srexp.config.shards import all_shards
from srexp.errors import RequestError, did_you_mean

#: What `--info` may be told to show.
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
#: Options of which one at most says what is done instead of a run.
_MODES = ("run", "multirun", "cfg", "info", "shell_completion")
#: Options with a line of help each; those of Hydra mean what they mean there.
OPTIONS: dict[tuple[str, ...], dict[str, Any]] = {
    ("--help", "-h"): {"action": "store_true", "help": "this, or behind a verb what it takes"},
    ("--version",): {"action": "store_true", "help": "versions of srexp, TensorFlow and Keras, and the machine"},
    ("--multirun", "-m"): {"action": "store_true", "help": "run every combination: -m model=srcnn,vdsr seed=1,2"},
    ("--cfg", "-c"): {"choices": ["job", "hydra", "all"], "help": "show what is composed, and run nothing"},
    ("--package", "-p"): {"help": "of --cfg: the part below a key"},
    ("--resolve",): {"action": "store_true", "help": "of --cfg: with interpolations resolved"},
    ("--config-dir", "-cd"): {"help": "a folder whose files are added to the groups"},
    ("--info", "-i"): {"choices": _INFO, "nargs": "?", "const": "all", "help": "how it is composed"},
    ("--shell-completion", "-sc"): {"action": "store_true", "help": "install=bash, zsh or fish prints a script"},
    ("--run", "-r"): {"action": "store_true", "help": "run one job, as without it"},
    ("--hydra-help",): {"action": "store_true", "help": "Hydra's own groups and options"},
    # Refused with a reason.
    ("--config-path", "-cp"): {"help": argparse.SUPPRESS},
    ("--config-name", "-cn"): {"help": argparse.SUPPRESS},
    ("--experimental-rerun",): {"help": argparse.SUPPRESS},
}


class _Once(argparse.Action):
    """Takes a value, and refuses a second one, which would take its place unsaid."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        if (first := getattr(namespace, self.dest)) is not None:
            given = [f"{self.option_strings[0]}={each}" for each in (first, values)]
            raise RequestError(f"{self.option_strings[0]} is given twice", got=given, expected="one", fix=given[1])
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Reads options and leaves the other words; a mistake is raised and not printed."""

    def __init__(self) -> None:
        super().__init__(add_help=False)
        self.register("action", None, _Once)
        self.add_argument("overrides", nargs="*", action="store", help="key=value, group=choice, and a verb")
        for names, said in OPTIONS.items():
            self.add_argument(*names, **said)

    def error(self, message: str) -> Any:
        """Refuse a command line."""
        raise RequestError(f"the options can't be read: {message}", fix="--help lists them")


@dataclass(frozen=True)
class CommandLine:
    """What was typed, taken apart, with stand-ins for addresses that have secrets.

    Args:
        verb: The word that is no override, `train` where there is none.
        options: Such as `multirun`; the word `help` is one as well.
        overrides: The others, in an order in which smoke presets win.
        about: What help is asked about, a verb or a group; None for srexp as a whole.
    """

    verb: str
    options: argparse.Namespace
    overrides: list[str]
    about: str | None = None

    @classmethod
    def read(cls, words: Sequence[str], verbs: Collection[str]) -> CommandLine:
        """Take a command line apart; verb, options and overrides may stand in any order.

        Args:
            words: Without the program's name.
            verbs: Those that exist.

        Raises:
            RequestError: A word is neither of these, or two options exclude each other.

        Example:
            >>> line = CommandLine.read(["-m", "seed=1,2", "check", "--config-dir", "mine"], ["check"])
            >>> line.verb, line.overrides, line.options.multirun, line.options.config_dir
            ('check', ['seed=1,2'], True, 'mine')
        """
        words = [without_secrets(word) for word in words]
        # Hydra lets `--info` go without a value, which the parser would take from what follows.
        bare = [word in ("-i", "--info") and after not in _INFO for word, after in pairwise([*words, ""])]
        options = Parser().parse_intermixed_args(
            ["--info=all" if each else word for word, each in zip(words, bare, strict=True)]
        )
        # Keys that are deleted or added have a sign; what else has no value is meant as a verb.
        named = [word for word in options.overrides if "=" not in word and not word.startswith(("~", "+"))]
        overrides = presets_last([word for word in options.overrides if word not in named])
        overrides = all_shards(overrides) if options.multirun else overrides
        if named[:1] == ["help"]:
            options.help, named = True, named[1:]
        for word in named:
            if word not in verbs and not options.help:
                raise no_verb(word, verbs) if word == options.overrides[0] else _no_override(word)
        if len(named) > 1:
            raise RequestError("there are several verbs", got=named, expected="one", fix=f"python -m srexp {named[0]}")
        _require_one_mode(options)
        about = named[0] if named else None
        return cls(about or "train", options, overrides, about)


def no_verb(word: str, verbs: Collection[str]) -> RequestError:
    """Say that there is no such verb.

    Args:
        word: What was asked for.
        verbs: Those that exist.
    """
    expected = f"one of {', '.join(verbs)}"
    return RequestError("there is no such verb", got=word, expected=expected, fix=did_you_mean(word, verbs))


def _no_override(word: str) -> RequestError:
    quoted = "quotes around a whole override with blanks in it: 'run_name=\"two words\"'"
    return RequestError("an argument is not an override", got=word, expected="key=value, or a verb", fix=quoted)


def _require_one_mode(options: argparse.Namespace) -> None:
    if options.experimental_rerun is not None:
        raise RequestError(
            "--experimental-rerun loads a pickle, which may run anything", fix="type the overrides again"
        )
    if own := [each for each in (options.config_path, options.config_name) if each is not None]:
        raise RequestError(
            "srexp reads its own conf/ first", got=own, fix="--config-dir=FOLDER adds files to its groups"
        )
    typed = [f"--{name.replace('_', '-')}" for name in _MODES if getattr(options, name)]
    if len(typed) > 1:
        raise RequestError(f"{' and '.join(typed)} exclude each other", expected="one", fix=f"leave {typed[0]} out")
    for name in ("resolve", "package"):
        if getattr(options, name) not in (None, False) and not (options.cfg or options.help):
            raise RequestError(
                f"--{name} says how a configuration is shown", expected="--cfg beside it", fix=f"--cfg job --{name}"
            )


def presets_last(overrides: Sequence[str]) -> list[str]:
    """Move `+debug=...` behind the other arguments, since Hydra lets the last preset win and a smoke preset must.

    Example:
        >>> presets_last(["+debug=fast", "+experiment=mine", "seed=2"])
        ['+experiment=mine', 'seed=2', '+debug=fast']
    """
    return sorted(overrides, key=lambda override: key_of(override) == "debug")
