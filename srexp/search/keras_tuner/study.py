"""A study that Keras Tuner keeps in files, read and mended without Keras Tuner, whose import brings TensorFlow."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srexp.search.ask_and_tell import RunningTrial, TrialOutcome
from srexp.search.heartbeat import GRACE_SECONDS
from srexp.search.study import Search, Study
from srexp.system.files.atomic_files import write_whole
from srexp.system.files.json_files import read_note
from srexp.types import Trial, TrialState

if TYPE_CHECKING:
    from srexp.search.keras_tuner.oracles import DurableOracle

PROJECT = "keras_tuner"
_STATES: dict[str, TrialState] = {
    "RUNNING": "running",
    "COMPLETED": "finished",
    "INVALID": "failed",
    "FAILED": "failed",
}


@dataclass(frozen=True, kw_only=True)
class TunerTrial(RunningTrial):
    """A trial of Keras Tuner in the hands of its worker.

    Args:
        record: What is kept of it.
        keep: Called at once with a changed record; nothing on another machine than the study's, which sends it at the
            end.
    """

    record: dict[str, Any]
    keep: Callable[[], None] = field(default=lambda: None, repr=False)

    def _report(self, epoch: int, val_psnr: float) -> None:
        """Keep a point of the curve; Keras Tuner gives no trial up."""
        self.record.setdefault("curve", {})[str(epoch)] = val_psnr
        self.keep()

    def note(self, **facts: Any) -> None:
        """Keep facts with the trial at once."""
        self.record["facts"].update(facts)
        self.keep()


class TunerStudy(Study):
    """A study in files.

    `oracle.json` says which trials there are, `trial_N/trial.json` is Keras Tuner's own record of one, and
    `trial_N/srexp.json` has what it doesn't keep: the facts, the curve, the times.

    Args:
        search: Name, space, and how many trials are wanted.
        build_oracle: Builds what chooses the values; called by a worker, not by whoever only looks.
    """

    def __init__(self, search: Search, build_oracle: Callable[[], DurableOracle]) -> None:
        super().__init__(search)
        self.project = search.folder / PROJECT
        self.project.mkdir(exist_ok=True)
        self._build_oracle = build_oracle
        self._opened = time.monotonic()
        self._heard: dict[int, float] = {}

    # What is known

    def trials(self) -> list[Trial]:
        """Give all trials, by number."""
        return [self._trial(number) for number in range(len(self._oracle_file().get("start_order", [])))]

    def _trial(self, number: int) -> Trial:
        kept, record = self._kept(number), self._record(number)
        state = _STATES[kept["status"]]
        return Trial(
            number=number,
            state=state,
            values=self.space.decode(kept["hyperparameters"]["values"]),
            objectives=(kept["score"],) if state == "finished" else None,
            curve={int(epoch): value for epoch, value in record.get("curve", {}).items()},
            facts=record.get("facts", {}),
            started=_moment(record.get("started")),
            ended=None if state == "running" else _moment(record.get("ended")),
        )

    def about(self) -> dict[str, Any]:
        """Give what was noted of the study itself."""
        return _read_json(self.project / "study.json")

    def describe(self, **facts: Any) -> None:
        """Note facts of the study itself."""
        with self.locked():
            _write_json(self.project / "study.json", {**self.about(), **facts})

    # Its files

    def _oracle_file(self) -> dict[str, Any]:
        return _read_json(self.project / "oracle.json")

    def _folder(self, number: int) -> Path:
        return self.project / f"trial_{_identifier(number)}"

    def _kept(self, number: int) -> dict[str, Any]:
        """What Keras Tuner keeps of a trial."""
        return _read_json(self._folder(number) / "trial.json")

    def _record(self, number: int) -> dict[str, Any]:
        """What we keep of it."""
        return _read_json(self._folder(number) / "srexp.json")

    def _write_record(self, number: int, record: Mapping[str, Any]) -> None:
        _write_json(self._folder(number) / "srexp.json", record)

    def _runs(self, number: int) -> bool:
        """Whether a trial is still its worker's; it isn't when that seemed dead."""
        return bool(self._kept(number)["status"] == "RUNNING")

    # Drawing trials

    @cached_property
    def _oracle(self) -> DurableOracle:
        return self._build_oracle()

    def _draw(self, trials: Sequence[Trial], owner: Mapping[str, Any]) -> TunerTrial | None:
        record: dict[str, Any] = {}

        def begin(identifier: str, again: Mapping[str, Any]) -> None:
            record.update(facts={**owner, **again}, started=_now())
            self._write_record(int(identifier), record)

        tuner = owner.get("tuner") or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        drawn = self._oracle.start(tuner, begin)
        if drawn is None:
            return None
        number, held = int(drawn.trial_id), drawn.hyperparameters.values
        self.hear_of(number)

        def keep() -> None:
            if self._runs(number):
                self._write_record(number, record)

        return TunerTrial(
            number=number,
            values=self.space.decode(held),
            epochs=held.get("tuner/epochs"),
            record=record,
            keep=keep,
        )

    # Trials of other machines

    def hear_of(self, number: int) -> None:
        """Take a sign of life of the worker that has a trial."""
        self._heard[number] = time.monotonic()

    def receive(self, number: int, record: Mapping[str, Any]) -> None:
        """Keep what a worker on another machine noted of a trial, unless that is another worker's by now."""
        with self.locked():
            if self._runs(number):
                known = self._record(number)
                self._write_record(number, {**known, **record, "facts": {**known["facts"], **record["facts"]}})

    def _why_orphaned(self, trial: Trial) -> str | None:
        if "tuner" not in trial.facts:
            return super()._why_orphaned(trial)
        silent = time.monotonic() - self._heard.get(trial.number, self._opened)
        return "its worker gave no sign of life" if silent > GRACE_SECONDS else None

    # What becomes of them

    def _enqueue(self, number: int, facts: Mapping[str, Any]) -> None:
        oracle = self._oracle_file()
        if number not in [waiting["retry_of"] for waiting in oracle["queued"]]:
            oracle["queued"].append({**facts, "values": self._kept(number)["hyperparameters"]["values"]})
            _write_json(self.project / "oracle.json", oracle)

    def _end(self, number: int, outcome: TrialOutcome, **facts: Any) -> None:
        if outcome.reason is not None:
            facts["reason"] = outcome.reason
        record = self._record(number)
        self._write_record(number, {**record, "facts": {**record.get("facts", {}), **facts}, "ended": _now()})
        if outcome.objectives is not None:
            self._oracle.finish(_identifier(number), outcome.objectives[0])
            return
        oracle, kept, identifier = self._oracle_file(), self._kept(number), _identifier(number)
        running = oracle["ongoing_trials"]
        oracle["ongoing_trials"] = {tuner: one for tuner, one in running.items() if one != identifier}
        oracle["end_order"] = list(dict.fromkeys([*oracle["end_order"], identifier]))
        _write_json(self.project / "oracle.json", oracle)
        _write_json(self._folder(number) / "trial.json", {**kept, "status": "FAILED", "message": outcome.reason})


def _identifier(number: int) -> str:
    """Give the name that Keras Tuner has for a trial."""
    return f"{number:04}"


def _write_json(path: Path, content: Any) -> None:
    write_whole(path, json.dumps(content))


def _read_json(path: Path) -> dict[str, Any]:
    """Read a file of the study; empty where there is none."""
    return read_note(path, fix="another search.name, or the file from a backup") or {}


def _now() -> str:
    return datetime.now().astimezone().isoformat()


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
