"""All that srexp has to do with Hydra: its command line, its composition, and what is said where it refuses."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext, redirect_stderr, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.utils import JobRuntime, JobStatus, run_job, setup_globals
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import HydraContext, RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf

from srexp.config.frozen_files import Files, frozen
from srexp.config.hydra_messages import explained, writable
from srexp.config.override_grammar import TURN, key_of, parse, without_secrets
from srexp.config.paths import config_home
from srexp.config.preset_grammar import JudgingRepository, Written, require_no_code
from srexp.errors import RequestError, did_you_mean
from srexp.system.files.atomic_files import require_no_way_out
from srexp.system.masking.credentials import hidden_variables
from srexp.system.signals import interruptible
from srexp.system.stdio import masked_stdout

#: What `--info` may be told to show.
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
#: Groups of which several files may be chosen, one on top of the other.
_PRESETS = {"experiment", "debug"}
#: Options of which one at most says what is done instead of a run.
_MODES = ("run", "multirun", "cfg", "info", "shell_completion")


class _Loader(ConfigLoaderImpl):
    """Hydra's composition, of files that say no more than a preset may; launchers send it to their jobs."""

    def __init__(self, path: ConfigSearchPath) -> None:
        super().__init__(path)
        self.repository = JudgingRepository(path)
        self.files: Files | None = None  # those of a multirun, once it began

    @staticmethod
    def _embed_result_config(ret: ConfigResult, package_override: str | None) -> ConfigResult:
        if isinstance(ret, Written):
            ret.require_plain(package_override or "")
        return ConfigLoaderImpl._embed_result_config(ret, package_override)

    def load_configuration(
        self, config_name: str | None, overrides: list[str], *arguments: Any, **options: Any
    ) -> DictConfig:
        for _, key, value in map(parse, overrides):
            if value and value.startswith("[") and key not in _PRESETS and self.repository.group_exists(key):
                # Hydra would mix the keys of several files.
                several = f"-m {key}={value.strip('[]').replace(' ', '')} runs each"
                raise RequestError(f"{key} is given a list", got=value, expected="one choice", fix=several)
        require_no_code(overrides)
        with TURN, frozen(self.files) if self.files else nullcontext():
            tree = super().load_configuration(config_name, overrides, *arguments, **options)
        tree.hydra.job.env_set = hidden_variables(OmegaConf.to_container(tree.hydra.job.env_set))
        return tree


class _Parser(argparse.ArgumentParser):
    """Hydra's options; a mistake is raised and not printed."""

    def __init__(self) -> None:
        super().__init__(parents=[get_args_parser()], add_help=False, conflict_handler="resolve")
        self.add_argument("--version", action="store_true", help="Show the versions of srexp and Hydra")

    def error(self, message: str) -> Any:
        """Refuse a command line."""
        raise RequestError(f"the options can't be read: {message}", fix="--hydra-help lists them")


@dataclass(frozen=True)
class CommandLine:
    """What was typed, taken apart, with stand-ins for addresses that have secrets.

    Args:
        verb: The first word that is no override, `train` where there is none.
        options: Hydra's own, such as `multirun`.
        overrides: The others, in an order in which smoke presets win.
    """

    verb: str
    options: argparse.Namespace
    overrides: list[str]

    @classmethod
    def read(cls, words: Sequence[str], verbs: Mapping[str, str]) -> CommandLine:
        """Take a command line apart; verb, options and overrides may stand in any order.

        Args:
            words: Without the program's name.
            verbs: Those that exist, with a line of help each.

        Raises:
            RequestError: A word is neither of these, or two options exclude each other.

        Example:
            >>> line = CommandLine.read(["-m", "seed=1,2", "check", "--config-dir", "mine"], {"check": ""})
            >>> line.verb, line.overrides, line.options.multirun, line.options.config_dir
            ('check', ['seed=1,2'], True, 'mine')
        """
        words = [without_secrets(word) for word in words]
        # Hydra lets `--info` go without a value, which the parser would take from what follows.
        following = [*words[1:], ""]
        bare = [word in ("-i", "--info") and after not in _INFO for word, after in zip(words, following, strict=True)]
        options = _Parser().parse_intermixed_args(
            ["--info=all" if each else word for word, each in zip(words, bare, strict=True)]
        )
        # Keys that are deleted or added have a sign; what else has no value is meant as a verb.
        named = [word for word in options.overrides if "=" not in word and not word.startswith(("~", "+"))]
        for word in named:
            if word not in verbs:
                raise _no_verb(word, verbs, first=word == options.overrides[0])
        if len(named) > 1:
            raise RequestError("there are several verbs", got=named, expected="one", fix=f"python -m srexp {named[0]}")
        _require_one_mode(options)
        overrides = [word for word in options.overrides if word not in named]
        return cls(named[0] if named else "train", options, presets_last(overrides))


def _no_verb(word: str, verbs: Mapping[str, str], *, first: bool) -> RequestError:
    if first:
        expected = f"one of {', '.join(verbs)}"
        return RequestError("there is no such verb", got=word, expected=expected, fix=did_you_mean(word, verbs))
    quoted = "quotes around a whole override with blanks in it: 'run_name=\"two words\"'"
    return RequestError("an argument is not an override", got=word, expected="key=value, or a verb", fix=quoted)


def _require_one_mode(options: argparse.Namespace) -> None:
    if options.experimental_rerun is not None:
        raise RequestError(
            "--experimental-rerun loads a pickle, which may run anything", fix="type the overrides again"
        )
    if own := options.config_path or options.config_name:
        raise RequestError(
            "srexp reads its own conf/ first", got=own, fix="--config-dir=FOLDER adds files to its groups"
        )
    typed = [f"--{name.replace('_', '-')}" for name in _MODES if getattr(options, name)]
    if len(typed) > 1:
        raise RequestError(f"{' and '.join(typed)} exclude each other", expected="one", fix=f"leave {typed[0]} out")
    if options.resolve and not (options.cfg or options.help):
        raise RequestError("--resolve says how a configuration is shown", expected="--cfg beside it", fix="--cfg job")


def presets_last(overrides: Sequence[str]) -> list[str]:
    """Move `+debug=...` behind the other arguments, since Hydra lets the last preset win and a smoke preset must.

    Example:
        >>> presets_last(["+debug=fast", "+experiment=mine", "seed=2"])
        ['+experiment=mine', 'seed=2', '+debug=fast']
    """
    return sorted(overrides, key=lambda override: key_of(override) == "debug")


def composed(root: str, overrides: Sequence[str]) -> DictConfig:
    """Compose without a command line; threads take turns, and what another Hydra application does isn't touched.

    Args:
        root: File of `conf/`, a verb.
        overrides: As on the command line.

    Returns:
        What Hydra composed, with its own section.

    Raises:
        RequestError: A key or choice does not exist.
    """
    overrides = presets_last([without_secrets(each) for each in overrides])
    with TURN, explained(lambda: _keys(root), overrides):
        return _load(root, overrides)


def _load(root: str, overrides: Sequence[str]) -> DictConfig:
    return _loader().load_configuration(root, list(overrides), RunMode.RUN, from_shell=False)


def _loader(extra: str | None = None) -> _Loader:
    """Give what composes from the folder of srexp, and from another one after it."""
    setbase("1.3")
    setup_globals()
    JobRuntime.instance().set("name", "srexp")
    path = create_config_search_path(str(config_home() / "conf"))
    if extra is not None:
        if not Path(extra).is_dir():
            raise RequestError("--config-dir is no folder", got=extra, expected="a folder of configuration files")
        path.prepend("command-line", f"file://{Path(extra).resolve()}", anchor=SearchPathQuery(provider="schema"))
    return _Loader(path)


def _keys(root: str) -> list[str]:
    """Give the keys that a verb's configuration has."""
    tree = OmegaConf.to_container(_load(root, []), resolve=False)

    def walk(node: Any, prefix: str) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                path = f"{prefix}.{key}" if prefix else str(key)
                yield path
                yield from walk(value, path)

    return [key for key in walk(tree, "") if not key.endswith("_target_")]


def launch(line: CommandLine, task: Callable[[DictConfig], object], verbs: Mapping[str, str], umask: int) -> None:
    """Do what a command line asks for: run a job or several, or show something.

    Args:
        line: What was typed.
        task: Receives what was composed for a job, without Hydra's own section.
        verbs: Those that exist, for completion.
        umask: The user's, which is set where the configuration shares what is written.

    Raises:
        RequestError: Hydra refuses it, or the folder of the run can't be written.
    """
    options, root = line.options, line.verb
    with explained(lambda: _keys(line.verb), line.overrides):
        application = _Application("srexp", _loader(options.config_dir))
        application.umask = umask
        if options.help:
            application.app_help(root, _Parser(), argparse.Namespace(**{**vars(options), "overrides": line.overrides}))
        elif options.hydra_help:
            application.hydra_help(None, _Parser(), argparse.Namespace(overrides=[]))
        elif options.cfg or options.info:
            with masked_stdout():
                if options.info:
                    application.show_info(options.info, root, line.overrides)
                else:
                    application.show_cfg(root, line.overrides, options.cfg, options.package, options.resolve)
        elif options.shell_completion:
            application.complete(line.overrides, verbs)
        elif options.multirun or not application.run_one(root, task, line.overrides):
            application.run_many(root, task, line.overrides)


class _Application(Hydra):
    """Hydra's application, without what it prints of errors itself."""

    #: The user's umask, which holds where what is written may be shared.
    umask = 0o077

    def compose_config(self, *given: Any, **options: Any) -> DictConfig:
        """Compose, let others read what will be written where the configuration says so, and look where it goes."""
        tree = super().compose_config(*given, **options)
        folder = tree.hydra.sweep if tree.hydra.mode == RunMode.MULTIRUN else tree.hydra.run
        require_no_way_out(Path(folder.dir))
        if OmegaConf.select(tree, "paths.shared") is True:
            os.umask(self.umask)
        return tree

    def run_one(self, root: str, task: Callable[[DictConfig], object], overrides: list[str]) -> bool:
        """Run one job; False, and nothing was run, where a preset or the command line wants a multirun."""
        try:
            tree = self.compose_config(root, overrides, RunMode.RUN)
        except HydraException:
            if self.get_mode(root, overrides) == RunMode.MULTIRUN:
                return False
            raise
        if tree.hydra.mode == RunMode.MULTIRUN:
            return False
        tree.hydra.mode = RunMode.RUN
        callbacks = Callbacks(tree)
        callbacks.on_run_start(config=tree, config_name=root)
        with writable("hydra.run.dir"):
            done = run_job(
                hydra_context=HydraContext(config_loader=self.config_loader, callbacks=callbacks),
                task_function=task,
                config=tree,
                job_dir_key="hydra.run.dir",
                job_subdir_key=None,
            )
        callbacks.on_run_end(config=tree, config_name=root, job_return=done)
        if done.status == JobStatus.FAILED:
            raise done._return_value  # its property prints a message of its own
        return True

    def run_many(self, root: str, task: Callable[[DictConfig], object], overrides: list[str]) -> None:
        """Run a job for each combination, all composed from the files of now.

        SIGTERM and SIGHUP end it in order, also while a launcher waits.
        """
        with interruptible(), writable("hydra.sweep.dir"), frozen() as files:
            loader: Any = self.config_loader
            loader.files = files
            self.multirun(root, functools.partial(_with_files, files, task), [*overrides, "hydra.mode=MULTIRUN"])

    def show_cfg(
        self, config_name: str | None, overrides: list[str], cfg_type: str, package: str | None, resolve: bool = False
    ) -> None:
        """Print a configuration, or a part of it that exists."""
        if package not in (None, "_global_"):
            tree = self.compose_config(config_name, overrides, RunMode.RUN)
            if OmegaConf.select(tree, package) is None:
                raise RequestError("--package names nothing that is set", got=package, expected="a key, as `optimizer`")
        super().show_cfg(config_name, overrides, cfg_type, package, resolve)

    def complete(self, words: Sequence[str], verbs: Collection[str]) -> None:
        """Install a shell's completion, or answer its question; verbs are completed as keys are."""
        shells = {shell: found[0] for shell, found in self.get_shell_to_plugin_map(self.config_loader).items()}
        asked = [(key, value or "") for _, key, value in map(parse, words) if key in ("install", "uninstall", "query")]
        if len(asked) != 1 or asked[0][1] not in shells:
            raise RequestError(
                "--shell-completion needs to know what to do, and for which shell",
                got=" ".join(words),
                expected=f"install=, uninstall= or query= with one of {', '.join(shells)}",
                fix='eval "$(srexp --shell-completion install=bash)"',
            )
        command, shell = asked[0]
        plugin: Any = getattr(shells[shell], "delegate", shells[shell])  # zsh asks bash
        if command != "query":
            getattr(plugin, command)()
            return
        if "COMP_LINE" not in os.environ:
            raise RequestError("query= is what a shell asks", expected="the line so far in COMP_LINE")
        plugin._query = functools.partial(_candidates, plugin._query, verbs)
        plugin.query(None)


def _with_files(files: Files, task: Callable[[DictConfig], object], composed: DictConfig) -> object:
    """Do the task of a job, perhaps on another machine and days later, with the files of its multirun."""
    with frozen(files):
        return task(composed)


def _candidates(ask: Callable[..., list[str]], verbs: Collection[str], *, config_name: None, line: str) -> list[str]:
    """Give what a word may become; whatever is wrong with the line, nothing is printed into it."""
    del config_name
    words = line.split()
    begun = words.pop() if words and not line.endswith(" ") else ""
    verb = next((word for word in words if word in verbs), None)
    found = [] if verb else [each for each in verbs if each.startswith(begun)]
    with redirect_stderr(StringIO()), suppress(Exception, SystemExit):
        found += ask(config_name=verb or "train", line=" ".join([*(word for word in words if word != verb), begun]))
    return sorted(set(found))
