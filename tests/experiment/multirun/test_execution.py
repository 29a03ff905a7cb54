"""A job that fails leaves its reason, whatever ended it; whole multiruns are in `tests/stories/test_multirun.py`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from srexp.config.frozen_files import frozen
from srexp.errors import RequestError, SrexpError
from srexp.experiment.multirun import execution, job
from srexp.system import child_process


def refused(_: Any) -> None:
    raise RequestError("the scale does not fit")


def broken(_: Any) -> None:
    raise ZeroDivisionError("of nothing")


def killed(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def done_and_lost(config: Any) -> None:
    """Ends well; of its exit code nobody hears, as where the process that it was forked from was killed."""
    job.finish(config.run_dir, {"run_id": "r1"})
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted(_: Any) -> None:
    """Ends as code does that is in the midst of something when a signal comes."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt as error:
        raise RequestError("the key is half set") from error


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a job in a process of its own."""
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    paths = SimpleNamespace(cache=tmp_path)
    config: Any = SimpleNamespace(verb="promote", resolved={}, run_dir=tmp_path, sweep=None, paths=paths)
    return lambda work: execution._execute_alone(
        work, config, tmp_path / "srexp.log", {"version": 1, "root": {"level": "INFO"}}
    )


@pytest.mark.system
@pytest.mark.parametrize(("work", "code", "said"), [(refused, 2, "does not fit"), (broken, 1, "ZeroDivisionError")])
def test_why_it_failed_is_on_disk(work: Any, code: int, said: str, alone: Any, tmp_path: Path) -> None:
    alone(work)
    failure = job.failure(tmp_path)
    assert failure["exit_code"] == code
    assert said in failure["message"]


@pytest.mark.system
def test_a_process_that_dies_without_a_word_is_a_failure(alone: Any) -> None:
    with pytest.raises(SrexpError, match="ended by SIGKILL"):
        alone(killed)


@pytest.mark.system
def test_a_job_with_a_result_has_ended_well_whatever_became_of_its_exit_code(alone: Any, tmp_path: Path) -> None:
    alone(done_and_lost)
    assert not job.failure(tmp_path)


@pytest.mark.system
def test_what_fails_since_it_was_interrupted_is_no_failure(alone: Any, tmp_path: Path) -> None:
    with pytest.raises(SrexpError, match="ended with exit code 130"):
        alone(interrupted)
    assert not job.failure(tmp_path)


def test_keras_has_its_settings_before_a_process_is_forked_that_has_it_imported(
    alone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, str] = {}

    def run_alone(*_: Any, environment: dict[str, str]) -> int:
        given.update(environment)
        return 0

    monkeypatch.setattr(child_process, "run_alone", run_alone)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    monkeypatch.delenv("KERAS_HOME", raising=False)
    alone(refused)
    assert "KERAS_MAX_EPOCHS" not in given
    assert (given["KERAS_BACKEND"], given["KERAS_HOME"]) == ("tensorflow", str(tmp_path / "keras"))


def test_a_traceback_is_shown_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ZeroDivisionError):
        execution._attempt(lambda: broken(None), tmp_path / "a.log", whole=True)


def test_what_the_system_refuses_is_told_by_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    (tmp_path / "studies").write_text("in the way")
    failed = execution._attempt((tmp_path / "studies").mkdir, tmp_path / "a.log", whole=True)
    assert failed is not None
    assert failed.what == f"{tmp_path / 'studies'}: File exists"


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [(lambda config: None, 0, None), (refused, 2, "does not fit"), (broken, 1, "unexpected ZeroDivisionError")],
)
def test_a_job_leaves_its_reason_and_its_exit_code_and_a_crash_would_be_in_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Any, code: int, said: str | None
) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    crashes: list[str | None] = []
    monkeypatch.setattr(execution.faulthandler, "enable", lambda file: crashes.append(file.name))
    monkeypatch.setattr(execution.faulthandler, "disable", lambda: crashes.append(None))
    config: Any = SimpleNamespace(run_dir=tmp_path)
    settings = {"version": 1, "root": {"level": "INFO"}, "disable_existing_loggers": False}
    with frozen() as files:
        assert execution._in_own_process(work, config, tmp_path / "srexp.log", settings, files) == code
    assert crashes == [str(tmp_path / "srexp.log"), None]
    assert (said or "") in job.failure(tmp_path).get("message", "")
    assert bool(job.failure(tmp_path)) == (said is not None)


def test_a_traceback_of_one_job_of_several_is_shown_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    failure = execution._attempt(lambda: broken(None), tmp_path / "a.log", whole=False)
    assert failure is not None
    assert f"the traceback is in {tmp_path / 'a.log'}" in str(failure)
    assert "ZeroDivisionError: of nothing" in capsys.readouterr().err
