"""The command line: a verb, then Hydra overrides; exit codes and one message when something is wrong.

Nothing heavy is imported here: `--help` and completion answer before Hydra, `check` before TensorFlow could be loaded.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srexp.config.command_line import CommandLine
from srexp.errors import SrexpError
from srexp.system.signals import ctrl_c_raises, interruptible, leave
from srexp.system.stdio import complain, full_error, mask_tracebacks, outlive_reader, say, show_traceback, stage

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from srexp.config.sections.base import Config

#: Verbs with a line of help each; `conf/VERB.yaml` and `srexp/commands/VERB.py` belong to each.
VERBS = {
    "train": "compose, train, evaluate, track, register the best model; no verb means train; resume=RUN_ID goes on",
    "check": "compose and validate only; exits 2 with the reason if something is wrong",
    "init": "look at a folder of images, and write an experiment file for it",
    "data": "download or prepare a data set; show counts, sizes, bit depths, splits and what the audit finds",
    "search": "try many configurations with Optuna or Keras Tuner; resumable; register the best model as a candidate",
    "evaluate": "score a registered or logged model, or interpolation, on any data set; all its images or one split",
    "adopt": "score, track and register a network with weights that were trained elsewhere, from an .npz file",
    "compare": "set runs, models or an experiment side by side: table, tests, figures, report.html",
    "enhance": "super-resolve a file, a folder or a pattern of images with a model, in tiles",
    "export": "write a model as savedmodel, onnx, openvino or litert, checked on real images, with a model card",
    "serve": "answer HTTP requests on the loopback address: an image in, its restoration out",
    "promote": "score a version beside today's champion, and make it the champion if it holds; rollback=true goes back",
    "models": "list registered models: versions, aliases, scores, what the audit found, age",
    "runs": "list runs; sync=true sends what waits for the store, reap=true closes those whose process is gone",
    "ui": "MLflow UI over the project's store, on the loopback address; study=NAME: a search in Optuna's dashboard",
}
#: Verbs that never load TensorFlow; in a multirun every other one gets a process of its own for each job.
LIGHT = {"check", "data", "init", "models", "runs", "ui"}
INTERRUPTED = 130


def main() -> None:
    """Run what the command line asks for and exit with its code."""
    outlive_reader()
    mask_tracebacks()
    try:
        code = run(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - HYDRA_FULL_ERROR=1; Python would say no more, and not end so well
        show_traceback(error)
        code = 1
    leave(code)


def run(arguments: Sequence[str]) -> int:
    """Run a verb with its overrides.

    Args:
        arguments: Command line without the program's name.

    Returns:
        0 done; 1 the work failed; 2 the request was wrong; 130 interrupted.
    """
    try:
        with ctrl_c_raises(), interruptible():
            line = CommandLine.read(arguments, VERBS)
            return 0 if _told(line) else _run(line)
    except SrexpError as error:
        if full_error():
            raise
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED


def execute(config: Config) -> dict[str, Any]:
    """Run the command of a checked configuration and write its `result.json`.

    Args:
        config: A configuration whose `run_dir` is set.

    Returns:
        What the command returns, as it is written.
    """
    from srexp.config.hydra_messages import writable
    from srexp.experiment.multirun import job
    from srexp.system import keras_settings
    from srexp.system.files.atomic_files import require_no_way_out

    keras_settings.settle(config.paths.cache / "keras")
    require_no_way_out(config.run_dir)
    with writable("hydra.run.dir"):
        config.run_dir.mkdir(parents=True, exist_ok=True)
    command = importlib.import_module(f"srexp.commands.{config.verb}")
    try:
        result: dict[str, Any] = command.run(config)
    except SrexpError as error:
        if error.result is not None:
            job.finish(config.run_dir, error.result, names=config.shows_names)
        raise
    job.finish(config.run_dir, result, names=config.shows_names)
    return result


def _told(line: CommandLine) -> bool:
    """Say what needs no configuration: versions, help, completion. False where something is to be run."""
    if line.options.version:
        from srexp.system.versions import versions

        say(versions())
    elif line.options.help:
        from srexp.config.reference import help as reference

        reference.show(line.about, VERBS)
    elif line.options.shell_completion:
        from srexp.config.reference import completion

        for each in completion.answer(line.overrides, os.environ, VERBS):
            say(each)
    else:
        return False
    return True


def _run(line: CommandLine) -> int:
    """Run a verb as a Hydra application; give the exit code of the job, or the worst of a multirun's."""
    stage("composing the configuration")
    from srexp.config.compose import register_resolvers
    from srexp.config.hydra_adapter import launch
    from srexp.experiment.multirun import job
    from srexp.experiment.multirun.execution import SweepFolder
    from srexp.system.files.atomic_files import private_files

    register_resolvers()
    SweepFolder.seen.clear()
    status = "KILLED"
    with private_files():
        try:
            launch(line, _job)
            failed = [each for sweep in SweepFolder.seen for each in job.jobs(sweep) if each.failure]
            status = "FAILED" if failed else "FINISHED"
        finally:
            for sweep in SweepFolder.seen:
                _close_multirun(sweep, status)
    for each in failed:
        complain(f"job {each}: {each.failure['message']}")
    return max((int(each.failure["exit_code"]) for each in failed), default=0)


def _job(composed: DictConfig) -> None:
    from srexp.experiment.multirun.execution import run_job

    run_job(composed, execute, light=LIGHT, tell_skipped=_tell_skipped)


def _tell_skipped(config: Config, earlier: Mapping[str, Any]) -> None:
    from srexp.commands.printing import console

    console.skipped(config, earlier)


def _close_multirun(sweep: Path, status: str) -> None:
    from srexp.commands.printing import console
    from srexp.experiment.multirun import driver

    driver.close(sweep, status, console.multirun, console.shards)
