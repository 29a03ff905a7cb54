"""The command line: a verb, then Hydra overrides; exit codes and one message when something is wrong.

Nothing heavy is imported here: `--help` and `check` answer before TensorFlow could have been loaded.
"""

from __future__ import annotations

import faulthandler
import importlib
import itertools
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from srexp.config.compose import check, explained, presets_last, register_resolvers
from srexp.config.hydra_guard import guarded
from srexp.config.paths import config_home
from srexp.config.schema import Config
from srexp.errors import RequestError, SrexpError, did_you_mean
from srexp.experiment.multirun import job
from srexp.system.redaction import shown
from srexp.system.stdio import outlive_reader

#: Verbs with a line of help each; `conf/VERB.yaml` and `srexp/commands/VERB.py` belong to each.
VERBS = {
    "train": "compose, train, evaluate, track, register the best model; no verb means train; resume=RUN_ID goes on",
    "check": "compose and validate only; exits 2 with the reason if something is wrong",
    "data": "download or prepare a data set; show counts, sizes, bit depths, splits and what the audit finds",
    "search": "try many configurations with Optuna or Keras Tuner; resumable; register the best model as a candidate",
    "evaluate": "score a registered or logged model, or interpolation, on any data set; all its images or one split",
    "compare": "set runs, models or an experiment side by side: table, tests, figures, report.html",
    "enhance": "super-resolve a file, a folder or a pattern of images with a model, in tiles",
    "export": "write a model as savedmodel, onnx, openvino or litert, checked on real images, with a model card",
    "serve": "answer HTTP requests on the loopback address: an image in, its restoration out",
    "promote": "score a version beside today's champion, and make it the champion if it holds; rollback=true goes back",
    "models": "list registered models: versions, aliases, scores, what the audit found, age",
    "runs": "list runs; sync=true sends what waits for the store, reap=true closes those whose process is gone",
    "ui": "MLflow UI over the project's store, on the loopback address",
}
#: Verbs that never load TensorFlow; in a multirun every other one gets a process of its own for each job.
LIGHT = {"check", "data", "models", "runs", "ui"}
INTERRUPTED = 130
_BARE_OPTIONS = ("-m", "--multirun", "-r", "--run")

logger = logging.getLogger(__name__)


def main() -> None:
    """Run what the command line asks for and exit with its code."""
    outlive_reader()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a verb with its overrides.

    Args:
        arguments: Command line without the program's name.

    Returns:
        0 done; 1 the work failed; 2 the request was wrong; 130 interrupted.
    """
    try:
        verb, overrides = _split(arguments)
        return _Application(verb, overrides).run()
    except SrexpError as error:
        if _full_error():
            raise
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED


def _full_error() -> bool:
    return os.environ.get("HYDRA_FULL_ERROR") == "1"


@contextmanager
def _hydra_as_wanted(arguments: Sequence[str]) -> Iterator[None]:
    """Keep Hydra from printing errors itself, and from composing twice.

    Its errors become one message and a code here. It composes a first time only to look for `hydra.mode`, which takes a
    third of the time of a check.
    """
    from hydra._internal import utils
    from hydra._internal.hydra import Hydra

    report, get_mode = utils.run_and_report, Hydra.get_mode
    utils.run_and_report = lambda func: func()
    if not any("hydra.mode" in argument for argument in arguments):
        Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        utils.run_and_report, Hydra.get_mode = report, get_mode  # type: ignore[method-assign]


def execute(config: Config) -> dict[str, Any]:
    """Run the command of a checked configuration and write its `result.json`.

    Args:
        config: A configuration whose `run_dir` is set.

    Returns:
        What the command returns, as it is written.
    """
    # TensorFlow reads it when it is imported; what it would say of missing GPUs and of its own graphs helps nobody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    config.run_dir.mkdir(parents=True, exist_ok=True)
    command = importlib.import_module(f"srexp.commands.{config.verb}")
    try:
        result: dict[str, Any] = command.run(config)
    except SrexpError as error:
        if error.result is not None:
            job.finish(config.run_dir, error.result)
        raise
    job.finish(config.run_dir, result)
    return result


class SweepFolder(Callback):
    """Hydra callback that remembers in the driving process which folder a multirun writes to."""

    seen: ClassVar[list[Path]] = []

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Keep the folder; the jobs, perhaps in other processes, leave their outcome in it."""
        from srexp.experiment.multirun import driver

        SweepFolder.seen.append(Path(config.hydra.sweep.dir).resolve())
        driver.announce(SweepFolder.seen[-1])


class _Application:
    """One verb as a Hydra application."""

    def __init__(self, verb: str, overrides: list[str]) -> None:
        # Python's argument parser does not take options between positional arguments.
        options = [word for word in overrides if word in _BARE_OPTIONS]
        self.verb = verb
        self.arguments = [*options, *presets_last([word for word in overrides if word not in _BARE_OPTIONS])]

    def run(self) -> int:
        import hydra

        register_resolvers(VERBS)
        SweepFolder.seen.clear()
        _single_failure.clear()
        app = hydra.main(version_base="1.3", config_path=str(config_home() / "conf"), config_name=self.verb)(_job)
        program, sys.argv = sys.argv, [sys.argv[0], *self.arguments]
        status = "KILLED"
        try:
            with _hydra_as_wanted(self.arguments), explained(self.verb, self.arguments), guarded(), self._driving():
                app()
            for failure in _single_failure:
                raise failure
            failed = [each for sweep in SweepFolder.seen for each in job.jobs(sweep) if each.failure]
            status = "FAILED" if failed else "FINISHED"
        finally:
            sys.argv = program
            for sweep in SweepFolder.seen:
                _close_multirun(sweep, status)
        for each in failed:
            _say(f"job {each}: {each.failure['message']}")
        return max((int(each.failure["exit_code"]) for each in failed), default=0)

    def _driving(self) -> AbstractContextManager[None]:
        if not {"-m", "--multirun"} & set(self.arguments):
            return nullcontext()
        from srexp.system import child_process

        return child_process.driving()


#: Failure of the one job of a run. Raised within the job, Hydra would print a message of its own before ours.
_single_failure: list[Exception] = []


def _job(composed: DictConfig) -> None:
    """One job; in a multirun its outcome is on disk, where the driver finds it whatever process ran the job."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    output = Path(hydra.runtime.output_dir)
    log = output / f"{hydra.job.name}.log"
    sweep = Path(hydra.sweep.dir).resolve() if hydra.mode == RunMode.MULTIRUN else None

    def work() -> None:
        config = check(
            composed, overrides=hydra.overrides.task, choices=hydra.runtime.choices, run_dir=output, sweep=sweep
        )
        if sweep is None or config.verb in LIGHT:
            execute(config)
        else:
            _execute_alone(config, log, OmegaConf.to_container(hydra.job_logging, resolve=True))

    for folder in (output, sweep or output):
        job.hide(folder)
    if sweep is not None:
        job.begin(output, str(composed.verb), hydra.overrides.task)
    if failure := _attempt(work, log, whole=sweep is None):
        if sweep is None:
            _single_failure.append(failure)
        else:
            job.fail(output, failure)


def _attempt(work: Callable[[], object], log: Path, *, whole: bool) -> SrexpError | None:
    """Run what may fail; its traceback goes to the log, and to the terminal only where the user wants it."""
    try:
        work()
    except SrexpError as error:
        logger.info("failed", exc_info=True)
        return error
    except Exception as error:
        if _full_error():
            if whole:
                raise
            traceback.print_exc()
        logger.info("unexpected failure", exc_info=True)
        return SrexpError(
            f"unexpected {type(error).__name__}: {error}",
            fix=f"the traceback is in {log}; HYDRA_FULL_ERROR=1 shows it here",
        )
    return None


def _execute_alone(config: Config, log: Path, logging_settings: object) -> None:
    """Run the command of a job in a process of its own, unless an equal one finished before."""
    from srexp.commands import console
    from srexp.experiment.multirun import driver
    from srexp.system import child_process

    if earlier := driver.skipped(config):
        console.skipped(config, earlier)
        job.finish(config.run_dir, earlier)
        return
    code = child_process.run_alone(_in_own_process, config, log, logging_settings)
    if code and not (config.run_dir / job.FAILURE).is_file():
        reason = f"the job's process {child_process.died(code)}"
        if config.sweep:
            driver.end_lost(config.sweep, status="FAILED", reason=reason)
        raise SrexpError(reason, fix=f"what it did last is in {log}; SIGKILL mostly means that memory ran out")


def _in_own_process(config: Config, log: Path, logging_settings: Mapping[str, Any]) -> int:
    from hydra.core.utils import configure_log

    configure_log(OmegaConf.create(dict(logging_settings)))
    with log.open("a", encoding="utf-8") as file:
        faulthandler.enable(file)  # a crash in compiled code leaves its traceback there
        failure = _attempt(lambda: execute(config), log, whole=False)
        faulthandler.disable()
    if failure:
        job.fail(config.run_dir, failure)
    return failure.exit_code if failure else 0


def _close_multirun(sweep: Path, status: str) -> None:
    from srexp.commands import console
    from srexp.experiment.multirun import driver

    driver.close(sweep, status, console.multirun)


def _split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Take the verb off the arguments; a bare word that is no verb is refused before Hydra reads it."""
    words = list(arguments)
    if any(word.startswith("--experimental-rerun") for word in words):
        raise RequestError(
            "--experimental-rerun loads a pickle, which may run anything", fix="type the overrides again"
        )
    leading = list(itertools.takewhile(lambda word: "=" not in word, words))
    if verb := next((word for word in leading if word in VERBS), None):
        words.remove(verb)
        return verb, words
    if leading and not leading[0].startswith(("-", "+", "~")):
        raise RequestError(
            "there is no such verb",
            got=leading[0],
            expected=f"one of {', '.join(VERBS)}",
            fix=did_you_mean(leading[0], VERBS),
        )
    return "train", words


def _say(message: str) -> None:
    print(f"srexp: {shown(message)}", file=sys.stderr)
