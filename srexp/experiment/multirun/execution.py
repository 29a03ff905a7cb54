"""How a job of the command line is run within Hydra: alone, or as one of a multirun, each in a process of its own."""

from __future__ import annotations

import faulthandler
import logging
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from srexp.config.compose import check
from srexp.config.frozen_files import Files, frozen
from srexp.config.identity import without_seed
from srexp.config.sections.base import Config
from srexp.errors import SrexpError
from srexp.experiment.multirun import job
from srexp.system.masking.credentials import revealed_variable
from srexp.system.signals import interruptible
from srexp.system.stdio import full_error, show_traceback

Execute = Callable[[Config], object]

logger = logging.getLogger(__name__)


class SweepFolder(Callback):
    """Hydra callback that remembers in the driving process which folder a multirun writes to."""

    seen: ClassVar[list[Path]] = []

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Keep the folder; the jobs, perhaps in other processes, leave their outcome in it."""
        from srexp.experiment.multirun import driver

        folder = Path(os.path.realpath(config.hydra.sweep.dir))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:  # said where Hydra makes it; there is nothing to close then
            return
        SweepFolder.seen.append(folder)
        driver.announce(folder)


def run_job(
    composed: DictConfig, execute: Execute, *, light: Collection[str], tell_skipped: Callable[[Config, Any], object]
) -> None:
    """Run the job that Hydra composed.

    In a multirun its outcome is on disk, where the driver finds it whatever process ran the job.

    Args:
        composed: By Hydra, without its own section.
        execute: Runs the command of a checked configuration; a function of a module.
        light: Verbs that never load TensorFlow; every other job of a multirun gets a process of its own.
        tell_skipped: Receives the configuration of a job that finished before, and the earlier result.

    Raises:
        SrexpError: Why a job that belongs to no multirun failed.
    """
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
        if sweep is not None:
            job.configured(output, without_seed(composed, config))
        if sweep is None or config.verb in light:
            execute(config)
            return

        from srexp.experiment.multirun import driver

        if earlier := driver.skipped(config):
            tell_skipped(config, earlier)
            job.finish(output, earlier)
        else:
            _execute_alone(execute, config, log, OmegaConf.to_container(hydra.job_logging, resolve=True))

    for name, value in hydra.job.env_set.items():
        os.environ[name] = revealed_variable(name, str(value))
    if sweep is not None:
        job.begin(output, str(composed.verb), hydra.overrides.task)
        if hydra.output_subdir is None:
            (sweep / "multirun.yaml").unlink(missing_ok=True)  # it has the command line, too
    failure = _attempt(work, log, whole=sweep is None)
    if failure and sweep is None:
        raise failure
    if failure:
        job.fail(output, failure)


def _attempt(work: Callable[[], object], log: Path, *, whole: bool) -> SrexpError | None:
    """Run what may fail; its traceback goes to the log, and to the terminal only where the user wants it."""
    try:
        work()
    except SrexpError as error:
        logger.info("failed", exc_info=True)
        return error
    except Exception as error:
        if full_error():
            if whole:
                raise
            show_traceback(error)
        logger.info("unexpected failure", exc_info=True)
        return SrexpError(_told(error), fix=f"the traceback is in {log}; HYDRA_FULL_ERROR=1 shows it here")
    return None


def _told(error: Exception) -> str:
    """Name the file that the system refuses, or what nobody thought of."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {error}"


def _execute_alone(execute: Execute, config: Config, log: Path, logging_settings: object) -> None:
    """Run the command of a job in a process of its own."""
    from srexp.experiment.kernels import environment_for
    from srexp.experiment.multirun import driver
    from srexp.system import child_process, keras_settings

    # Before a process is forked: whatever it is forked from has Keras imported.
    environment = keras_settings.applied({**os.environ, **environment_for(config)}, config.paths.cache / "keras")
    with frozen() as files:
        work = (_in_own_process, execute, config, log, logging_settings, files)
        code = child_process.run_alone(*work, environment=environment)
    # A result is the last thing that a job leaves; its exit code is lost where what it was forked from was killed.
    if code and not any((config.run_dir / name).is_file() for name in (job.FAILURE, job.RESULT)):
        reason = f"the job's process {child_process.died(code)}"
        if config.sweep:
            driver.end_lost(config.sweep, status="FAILED", reason=reason)
        raise SrexpError(reason, fix=f"what it did last is in {log}; SIGKILL mostly means that memory ran out")


def _in_own_process(
    execute: Execute, config: Config, log: Path, logging_settings: Mapping[str, Any], files: Files
) -> int:
    from hydra.core.utils import configure_log

    def work() -> None:
        with interruptible():  # what fails since it was interrupted is no failure
            execute(config)

    configure_log(OmegaConf.create(dict(logging_settings)))
    with frozen(files), log.open("a", encoding="utf-8") as file:
        faulthandler.enable(file)  # a crash in compiled code leaves its traceback there
        failure = _attempt(work, log, whole=False)
        faulthandler.disable()
    if failure:
        job.fail(config.run_dir, failure)
    return failure.exit_code if failure else 0
