"""All that srexp has to do with Hydra: its composition, its jobs, and what is said where it refuses."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime, JobStatus, run_job, setup_globals
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import HydraContext, RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf

from srexp.config.command_line import CommandLine, Parser, presets_last
from srexp.config.expansion import require_bounded
from srexp.config.frozen_files import Files, folder_beside, frozen
from srexp.config.hydra_messages import explained, writable
from srexp.config.override_grammar import TURN, parse, without_secrets
from srexp.config.paths import config_home
from srexp.config.preset_grammar import JudgingRepository, Written, require_no_code
from srexp.errors import RequestError
from srexp.system import child_process
from srexp.system.files.atomic_files import require_no_way_out, share_files
from srexp.system.masking.credentials import hidden_variables
from srexp.system.signals import interruptible
from srexp.system.stdio import masked_stdout

#: Groups of which several files may be chosen, one on top of the other.
_PRESETS = {"experiment", "debug"}


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
        require_bounded(tree)
        tree.hydra.job.env_set = hidden_variables(OmegaConf.to_container(tree.hydra.job.env_set))
        return tree


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


def _loader() -> _Loader:
    """Give what composes from the folder of srexp, and from that of `--config-dir` after it."""
    setbase("1.3")
    setup_globals()
    JobRuntime.instance().set("name", "srexp")
    path = create_config_search_path(str(config_home() / "conf"))
    if beside := folder_beside():
        path.prepend("command-line", f"file://{beside}", anchor=SearchPathQuery(provider="schema"))
    return _Loader(path)


def _beside(folder: str | None) -> AbstractContextManager[object]:
    """Add a folder to what is composed from, now and in all that the command begins."""
    if folder is None:
        return nullcontext()
    # Shells leave the ~ of --config-dir=~/mine; functions of pathlib would raise what a strange place makes of it.
    place = os.path.abspath(os.path.expanduser(folder))  # noqa: PTH100, PTH111
    if not folder or not os.path.isdir(place) or not os.access(place, os.R_OK | os.X_OK):  # noqa: PTH112
        raise RequestError("--config-dir is no folder", got=folder, expected="a folder of configuration files")
    return frozen(Files(beside=place))


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


def launch(line: CommandLine, task: Callable[[DictConfig], object]) -> None:
    """Do what a command line asks for: run a job or several, or show something.

    Args:
        line: What was typed.
        task: Receives what was composed for a job, without Hydra's own section.

    Raises:
        RequestError: Hydra refuses it, or the folder of the run can't be written.
    """
    options, root = line.options, line.verb
    if own := [each for each in line.overrides if parse(each).key == "hydra.searchpath"]:
        # It would take the place of the folders of sweeps and presets, and no run could be composed from it again.
        raise RequestError(
            "hydra.searchpath is srexp's own", got=own, fix="--config-dir=FOLDER adds the files of one more folder"
        )
    with explained(lambda: _keys(line.verb), line.overrides), _beside(options.config_dir):
        application = _Application("srexp", _loader())
        if options.hydra_help:
            application.hydra_help(None, Parser(), argparse.Namespace(overrides=[]))
        elif options.cfg or options.info:
            with masked_stdout():
                if options.info:
                    application.show_info(options.info, root, line.overrides)
                else:
                    application.show_cfg(root, line.overrides, options.cfg, options.package, options.resolve)
        elif options.multirun or not application.run_one(root, task, line.overrides):
            application.run_many(root, task, line.overrides)


class _Application(Hydra):
    """Hydra's application, without what it prints of errors itself."""

    def compose_config(self, *given: Any, **options: Any) -> DictConfig:
        """Compose, let others read what will be written where the configuration says so, and look where it goes."""
        tree = super().compose_config(*given, **options)
        folder = tree.hydra.sweep if tree.hydra.mode == RunMode.MULTIRUN else tree.hydra.run
        require_no_way_out(Path(folder.dir))
        if OmegaConf.select(tree, "paths.shared") is True:
            share_files()
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

        SIGTERM and SIGHUP end it in order, also while a launcher waits. Jobs that Hydra itself launches, one after the
        other, are forked; those of another launcher begin in processes that know nothing of that.
        """
        with (
            interruptible(),
            writable("hydra.sweep.dir"),
            child_process.offered(f"srexp.commands.{root}"),
            frozen() as files,
        ):
            loader: Any = self.config_loader
            loader.files = files
            self.multirun(root, functools.partial(_with_files, files, task), [*overrides, "hydra.mode=MULTIRUN"])

    def show_cfg(
        self, config_name: str | None, overrides: list[str], cfg_type: str, package: str | None, resolve: bool = False
    ) -> None:
        """Print a configuration, or a part of it that exists; Hydra resolves a part without what it refers to."""
        tree = self.compose_config(config_name, overrides, RunMode.RUN, with_log_configuration=False)
        HydraConfig.instance().set_config(tree)
        OmegaConf.set_readonly(tree.hydra, None)
        if resolve:
            OmegaConf.resolve(tree)
        shown: Any = self.get_sanitized_cfg(tree, cfg_type)
        if package and package != "_global_":
            shown = OmegaConf.select(shown, package)
            if shown is None:
                known = f"a key that --cfg {cfg_type} shows, as `{'hydra.run' if cfg_type == 'hydra' else 'optimizer'}`"
                raise RequestError("--package names nothing that is set", got=package, expected=known)
            if OmegaConf.is_config(shown):
                print(f"# @package {package}")  # noqa: T201  # within `masked_stdout`, as what Hydra shows
        print(OmegaConf.to_yaml(shown).rstrip("\n") if OmegaConf.is_config(shown) else shown)  # noqa: T201


def _with_files(files: Files, task: Callable[[DictConfig], object], composed: DictConfig) -> object:
    """Do the task of a job, perhaps on another machine and days later, with the files of its multirun."""
    with frozen(files):
        return task(composed)
