"""The command line: a verb, then Hydra overrides; exit codes and one message when something is wrong.

Nothing heavy is imported here: `--help` and `check` answer before TensorFlow could have been loaded.
"""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from srexp.config.compose import check, explained, presets_last, register_resolvers
from srexp.config.places import config_home
from srexp.config.schema import Config
from srexp.errors import RequestError, SrexpError, did_you_mean

#: Verbs with a line of help each; `conf/VERB.yaml` and `srexp/commands/VERB.py` belong to each.
VERBS = {
    "train": "compose, train, evaluate, track, register the best-validation model (also without a verb)",
    "check": "compose and validate only; exits 2 with the reason if something is wrong",
    "data": "download or prepare a data set; show counts, sizes, bit depths, splits and what the audit finds",
    "enhance": "super-resolve a file, a folder or a pattern of images with a model, in tiles",
    "ui": "MLflow UI over the project's store, on the loopback address",
}
FAILURE = "failure.json"
INTERRUPTED = 130
_BARE_OPTIONS = ("-m", "--multirun", "-r", "--run")

logger = logging.getLogger(__name__)


def main() -> None:
    """Run what the command line asks for and exit with its code."""
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
    (config.run_dir / FAILURE).unlink(missing_ok=True)
    command = importlib.import_module(f"srexp.commands.{config.verb}")
    try:
        result: dict[str, Any] = command.run(config)
    except SrexpError as error:
        if error.result is not None:
            _write_result(config.run_dir, error.result)
        raise
    _write_result(config.run_dir, result)
    return result


def _write_result(folder: Path, result: Mapping[str, Any]) -> None:
    text = json.dumps(result, indent=2, allow_nan=False)
    (folder / "result.json").write_text(text + "\n", encoding="utf-8")


class SweepFolder(Callback):
    """Hydra callback that remembers in the driving process which folder a multirun writes to."""

    seen: ClassVar[list[Path]] = []

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Keep the folder; the jobs, perhaps in other processes, leave their outcome in it."""
        from srexp.commands.multirun import DRIVER

        SweepFolder.seen.append(Path(config.hydra.sweep.dir).resolve())
        os.environ[DRIVER] = str(os.getpid())


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
            with _hydra_as_wanted(self.arguments), explained(self.verb, self.arguments):
                app()
            for failure in _single_failure:
                raise failure
            code = max(map(_report_failures, SweepFolder.seen), default=0)
            status = "FAILED" if code else "FINISHED"
        finally:
            sys.argv = program
            for sweep in SweepFolder.seen:
                _close_multirun(sweep, status)
        return code


#: Failure of the one job of a run. Raised within the job, Hydra would print a message of its own before ours.
_single_failure: list[Exception] = []


def _job(composed: DictConfig) -> dict[str, Any] | None:
    """One job; in a multirun it leaves its failure on disk, where the driver finds it whatever process ran the job."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    output = Path(hydra.runtime.output_dir)
    sweep = Path(hydra.sweep.dir).resolve() if hydra.mode == RunMode.MULTIRUN else None
    try:
        config = check(
            composed, overrides=hydra.overrides.task, choices=hydra.runtime.choices, run_dir=output, sweep=sweep
        )
        return execute(config)
    except SrexpError as error:
        failure = error
    except Exception as error:
        if _full_error():
            raise
        logger.info("unexpected failure", exc_info=True)
        failure = SrexpError(
            f"unexpected {type(error).__name__}: {error}",
            fix=f"the traceback is in {output / hydra.job.name}.log; HYDRA_FULL_ERROR=1 shows it here",
        )
    if sweep is None:
        _single_failure.append(failure)
    else:
        _leave_failure(output, failure, hydra.overrides.task)
    return None


def _leave_failure(output: Path, failure: SrexpError, overrides: Sequence[str]) -> None:
    logger.info(str(failure))
    left = {"message": str(failure), "exit_code": failure.exit_code, "overrides": list(overrides)}
    (output / FAILURE).write_text(json.dumps(left, indent=2), encoding="utf-8")


def _report_failures(sweep: Path) -> int:
    failures = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(sweep.glob(f"*/{FAILURE}"))]
    for failure in failures:
        _say(f"job {' '.join(failure['overrides'])}: {failure['message']}")
    return max((int(failure["exit_code"]) for failure in failures), default=0)


def _close_multirun(sweep: Path, status: str) -> None:
    from srexp.commands import multirun

    multirun.close(sweep, status)


def _split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Take the verb off the arguments; a bare word that is no verb is refused before Hydra reads it."""
    words = list(arguments)
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
    print(f"srexp: {message}", file=sys.stderr)
