"""The command line: a verb, then Hydra overrides; exit codes and one message when something is wrong.

Nothing heavy is imported here: `--help` and `check` answer before TensorFlow could have been loaded.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from srexp.config.compose import check, explained, presets_last, register_resolvers
from srexp.config.places import config_home
from srexp.config.schema import Config
from srexp.errors import Interrupted, RequestError, SrexpError, did_you_mean

#: Verbs with a line of help each; `conf/VERB.yaml` and `srexp/commands/VERB.py` belong to each.
VERBS = {
    "train": "compose, train, evaluate, track, register the best-validation model (also without a verb)",
    "check": "compose and validate only; exits 2 with the reason if something is wrong",
}
FAILURE = "failure.json"

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
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    # Hydra otherwise prints errors itself and exits with 1; here they become one message and a code.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        verb, overrides = _split(arguments)
        return _Application(verb, overrides).run()
    except SrexpError as error:
        if full_error:
            raise
        _say(str(error))
        return error.exit_code
    except (KeyboardInterrupt, Interrupted):
        _say("interrupted")
        return Interrupted.exit_code
    finally:
        if not full_error:
            del os.environ["HYDRA_FULL_ERROR"]


def execute(config: Config) -> dict[str, Any]:
    """Run the command of a checked configuration and write its `result.json`.

    Args:
        config: A configuration whose `output` folder is set.

    Returns:
        What the command returns, as it is written.
    """
    config.output.mkdir(parents=True, exist_ok=True)
    (config.output / FAILURE).unlink(missing_ok=True)
    command = importlib.import_module(f"srexp.commands.{config.verb}")
    result: dict[str, Any] = command.run(config)
    text = json.dumps(result, indent=2, allow_nan=False)
    (config.output / "result.json").write_text(text + "\n", encoding="utf-8")
    return result


class SweepFolder(Callback):
    """Hydra callback that remembers in the driving process which folder a multirun writes to."""

    last: Path | None = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Keep the folder; the jobs, perhaps in other processes, leave their outcome in it."""
        SweepFolder.last = Path(config.hydra.sweep.dir)


class _Application:
    """One verb as a Hydra application."""

    def __init__(self, verb: str, overrides: list[str]) -> None:
        self.verb, self.overrides = verb, presets_last(overrides)

    def run(self) -> int:
        import hydra

        register_resolvers()
        SweepFolder.last = None
        app = hydra.main(version_base="1.3", config_path=str(config_home() / "conf"), config_name=self.verb)(_job)
        program, sys.argv = sys.argv, [sys.argv[0], *self.overrides]
        try:
            with explained(self.verb, self.overrides):
                app()
        finally:
            sys.argv = program
            if SweepFolder.last:
                _close_multirun(SweepFolder.last)
        return _report_failures(SweepFolder.last) if SweepFolder.last else 0


def _job(composed: DictConfig) -> dict[str, Any] | None:
    """One job: alone it raises; in a multirun it leaves its failure on disk, so that the other jobs go on."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    output = Path(hydra.runtime.output_dir)
    sweep = Path(hydra.sweep.dir).resolve() if hydra.mode == RunMode.MULTIRUN else None
    try:
        config = check(
            composed, overrides=hydra.overrides.task, choices=hydra.runtime.choices, output=output, sweep=sweep
        )
        return execute(config)
    except SrexpError as error:
        if sweep is None:
            raise
        _leave_failure(output, str(error), error.exit_code, hydra.overrides.task)
    except Exception as error:
        logger.exception("unexpected failure")
        message = f"unexpected {type(error).__name__}: {error}"
        if sweep is None:
            log = output / f"{hydra.job.name}.log"
            raise SrexpError(message, fix=f"the traceback is in {log}; HYDRA_FULL_ERROR=1 shows it here") from error
        _leave_failure(output, message, 1, hydra.overrides.task)
    return None


def _leave_failure(output: Path, message: str, code: int, overrides: Sequence[str]) -> None:
    logger.error(message)
    failure = {"message": message, "exit_code": code, "overrides": list(overrides)}
    (output / FAILURE).write_text(json.dumps(failure, indent=2), encoding="utf-8")


def _report_failures(sweep: Path) -> int:
    failures = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(sweep.glob(f"*/{FAILURE}"))]
    for failure in failures:
        _say(f"job {' '.join(failure['overrides'])}: {failure['message']}")
    return max((int(failure["exit_code"]) for failure in failures), default=0)


def _close_multirun(sweep: Path) -> None:
    from srexp.commands import multirun

    multirun.close(sweep)


def _split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Take the verb off the arguments; a bare word that is no verb is refused before Hydra reads it."""
    words = list(arguments)
    if words and words[0] in VERBS:
        return words[0], words[1:]
    if words and not words[0].startswith(("-", "+", "~")) and "=" not in words[0]:
        raise RequestError(
            "there is no such verb", got=words[0], expected=f"one of {', '.join(VERBS)}", fix=did_you_mean(words[0], VERBS)
        )
    return "train", words


def _say(message: str) -> None:
    print(f"srexp: {message}", file=sys.stderr)
