"""A study that Keras Tuner keeps in files, read and mended without Keras Tuner, whose import brings TensorFlow."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from srexp.errors import SrexpError
from srexp.search.study import MAX_RETRIES, Work, give_up
from srexp.system.atomic_files import write_whole
from srexp.system.process_identity import is_gone
from srexp.types import Trial, TrialState

if TYPE_CHECKING:
    from srexp.search.keras_tuner.engine import KerasTuner

log = logging.getLogger(__name__)

PROJECT = "keras_tuner"
_RECORD = "srexp.json"
_STATES: dict[str, TrialState] = {
    "RUNNING": "running",
    "COMPLETED": "finished",
    "INVALID": "failed",
    "FAILED": "failed",
}


def write_json(path: Path, content: Any) -> None:
    """Write a file of the study, whole or not at all.

    Args:
        path: Of the file.
        content: What `json` can write; a score may be NaN.
    """
    write_whole(path, json.dumps(content))


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that `write_json` wrote; empty where there is none.

    Raises:
        SrexpError: It isn't JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SrexpError(
            f"{path} can't be read: {error}", fix="another search.name, or the file from a backup"
        ) from error


class TunerStudy:
    """A study in files; see `srexp.search.study.Study`.

    `oracle.json` says which trials there are, `trial_N/trial.json` is Keras Tuner's own record of one, and
    `trial_N/srexp.json` has what it doesn't keep: the facts, the curve, the times.

    Args:
        search: The section `search`.
        seed: Of the tuner.
        epochs: Full number of epochs of a trial.
    """

    def __init__(self, search: KerasTuner, *, seed: int, epochs: int) -> None:
        self.search, self.seed, self.epochs = search, seed, epochs
        self.space = search.parsed
        self.project = search.folder / PROJECT
        self.project.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(search.folder / "study.lock")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the other workers from deciding at the same time."""
        with self._lock:
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other drivers from deciding at the same time."""
        with FileLock(self.search.folder / "parent.lock"):
            yield

    # What is known

    def trials(self) -> list[Trial]:
        """Give all trials, by number."""
        return [
            self._trial(identifier) for identifier in read_json(self.project / "oracle.json").get("start_order", [])
        ]

    def _trial(self, identifier: str) -> Trial:
        kept, record = read_json(self._folder(identifier) / "trial.json"), self.record(identifier)
        state = _STATES[kept["status"]]
        return Trial(
            number=int(identifier),
            state=state,
            values=self.space.decode(kept["hyperparameters"]["values"]),
            objectives=(kept["score"],) if state == "finished" else None,
            curve={int(epoch): value for epoch, value in record.get("curve", {}).items()},
            facts=record.get("facts", {}),
            started=_moment(record.get("started")),
            ended=None if state == "running" else _moment(record.get("ended")),
        )

    def record(self, identifier: str) -> dict[str, Any]:
        """Read what we keep of a trial."""
        return read_json(self._folder(identifier) / _RECORD)

    def runs(self, identifier: str) -> bool:
        """Whether a trial is still its worker's; it isn't when that seemed dead."""
        return bool(read_json(self._folder(identifier) / "trial.json")["status"] == "RUNNING")

    def keep(self, identifier: str, record: Mapping[str, Any]) -> None:
        """Write what we keep of a trial."""
        write_json(self._folder(identifier) / _RECORD, record)

    def _folder(self, identifier: str) -> Path:
        return self.project / f"trial_{identifier}"

    def about(self) -> dict[str, Any]:
        """Give what was noted of the study itself."""
        return read_json(self.project / "study.json")

    def describe(self, **facts: Any) -> None:
        """Note facts of the study itself."""
        with self.locked():
            write_json(self.project / "study.json", {**self.about(), **facts})

    # What becomes of a trial whose worker is gone

    def retry(self, number: int, reason: str) -> None:
        """End a running trial as failed, and queue its values for a new one, unless that was done too often."""
        with self.locked():
            order = read_json(self.project / "oracle.json").get("start_order", [])
            self.give_back(order[number], reason, died=True)

    def give_back(self, identifier: str, reason: str, *, died: bool) -> None:
        """With the lock held. Queued first and failed then: a kill between the two loses nothing, nor doubles it."""
        path = self._folder(identifier) / "trial.json"
        kept, oracle, record = read_json(path), read_json(self.project / "oracle.json"), self.record(identifier)
        if kept["status"] != "RUNNING":
            return
        facts = record.setdefault("facts", {})
        deaths = facts.get("deaths", 0) + died
        taken = [again["retry_of"] for again in oracle["queued"]]
        taken += [self.record(other).get("facts", {}).get("retry_of") for other in oracle["start_order"]]
        again = deaths <= MAX_RETRIES
        if again and int(identifier) not in taken:
            values = kept["hyperparameters"]["values"]
            oracle["queued"].append({"retry_of": int(identifier), "deaths": deaths, "values": values})
        running = oracle["ongoing_trials"]
        oracle["ongoing_trials"] = {tuner: one for tuner, one in running.items() if one != identifier}
        oracle["end_order"] = list(dict.fromkeys([*oracle["end_order"], identifier]))
        write_json(self.project / "oracle.json", oracle)
        reason = reason if again else f"{reason}; so were the {MAX_RETRIES} trials before with the same values"
        log.warning("trial %d: %s", int(identifier), reason)
        facts |= {"reason": reason, "requeued": again}
        self.keep(identifier, {**record, "ended": now()})
        write_json(path, {**kept, "status": "FAILED", "message": reason})

    def give_back_orphans(self, silent: Mapping[str, float] | None = None) -> None:
        """With the lock held: give back the trials whose worker is gone.

        Args:
            silent: Trials of other machines, which have no process here, that gave no sign of life for so many seconds.
        """
        oracle = read_json(self.project / "oracle.json")
        for identifier in oracle.get("start_order", []):
            if read_json(self._folder(identifier) / "trial.json")["status"] != "RUNNING":
                continue
            facts = self.record(identifier).get("facts", {})
            if ("pid" not in facts and "tuner" not in facts) or is_gone(facts):
                self.give_back(identifier, "its worker was killed", died=True)
            elif identifier in (silent or {}):
                self.give_back(identifier, "its worker gave no sign of life", died=True)

    # Training

    def work(self, train: Work) -> None:
        """Train trials until the asked number is finished, or too many failed; the chief lets the others train."""
        if self.search.role == "chief":
            from srexp.search.keras_tuner.remote_oracle import serve

            serve(self)
        else:
            from srexp.search.keras_tuner.tuner import search

            search(self, train)
        if self.search.role != "worker":
            give_up(self.trials(), self.search.max_failures)


def now() -> str:
    """The present moment, as records have it."""
    return datetime.now().astimezone().isoformat()


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
