"""The workers of a search on this machine: started, watched, started again when one dies, and ended with the driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from srexp.commands.search_progress import SearchProgress
from srexp.commands.trials import FAILURE, Note, study_folder
from srexp.config.schema import SearchConfig
from srexp.errors import RequestError, SrexpError
from srexp.search.study import Search, Study
from srexp.tracking import environment, family
from srexp.tracking.start import Tracking

POLL_SECONDS = 1.0
ENDING_SECONDS = 60.0
INTERRUPTED = 130


@dataclass
class _Started:
    """A worker process with its folder and its log."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: IO[bytes]


class Workers:
    """Processes that train the trials of a study.

    Args:
        config: Of the search.
        engine: How many workers, and how many failures are borne.
        study: What they work on.
        tracking: Where runs are kept.
        parent: Run id of the search.
    """

    def __init__(self, config: SearchConfig, engine: Search, study: Study, tracking: Tracking, parent: str) -> None:
        self.config, self.engine, self.study, self.tracking, self.parent = config, engine, study, tracking, parent
        self.started = 0
        self.deaths = 0
        self.living: list[_Started] = []

    def run(self) -> None:
        """Keep the workers going until the study has its trials.

        Raises:
            RequestError: The space allows what a network refuses.
            SrexpError: Too many trials failed, or workers died.
        """
        self.retry_lost()
        with SearchProgress(self.engine.trials) as progress:
            try:
                self._start(first=True)
                # The others wait for the first, which tries the edges of the space.
                while self.living:
                    if len(self.living) < self.engine.workers and self._under_way():
                        self._start(first=False)
                    time.sleep(POLL_SECONDS)
                    self._look()
                    progress.show(self.study.trials())
            finally:
                self._end()
                self.retry_lost()
                progress.show(self.study.trials())

    def retry_lost(self) -> None:
        """Queue the trials again whose process is gone, and close their runs."""
        for trial in self.study.trials():
            facts = {f"srexp.{name}": str(trial.facts.get(name, "")) for name in ("host", "pid", "process_start")}
            if trial.state == "running" and environment.process_is_gone(facts):
                reason = f"its worker, process {trial.facts['pid']}, was gone"
                if run_id := trial.facts.get("run_id"):
                    family.close_if_gone(self.tracking.store, run_id, reason)
                self.study.retry(trial.number, reason)

    def _under_way(self) -> bool:
        """Whether the first worker came as far as a trial, and there is one left for another."""
        states = [trial.state for trial in self.study.trials()]
        begun = sum(state in ("finished", "pruned", "running") for state in states)
        return "running" in states and begun < self.engine.trials

    def _start(self, *, first: bool) -> None:
        self.started += 1
        folder = study_folder(self.config) / "workers" / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{self.started}"
        note = Note(self.config.overrides, str(folder), self.parent, first).write()
        log = (folder / "worker.log").open("wb")
        threads = str(self.engine.threads or max(1, (os.cpu_count() or 1) // self.engine.workers))
        bounded = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        process = subprocess.Popen(
            [sys.executable, "-m", "srexp.commands.trials", str(note)],
            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
            env={**dict.fromkeys(bounded, threads), **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
        self.living.append(_Started(process, folder, log))

    def _look(self) -> None:
        """See which workers ended; one that died is followed by another, up to as many as trials may fail."""
        for worker in [each for each in self.living if each.process.poll() is not None]:
            self.living.remove(worker)
            worker.log.close()
            code = worker.process.returncode
            failure = worker.folder / FAILURE
            if code == 0:
                continue
            if failure.is_file():
                left = json.loads(failure.read_text(encoding="utf-8"))
                raise (RequestError if left["exit_code"] == RequestError.exit_code else SrexpError)(left["message"])
            if code == INTERRUPTED:
                raise KeyboardInterrupt
            self.retry_lost()
            self.deaths += 1
            if self.deaths > self.engine.max_failures:
                raise SrexpError(
                    f"{self.deaths} workers died, the last one with {code}",
                    fix=f"see {worker.folder / 'worker.log'}; -9 mostly means that memory ran out",
                )
            self._start(first=False)

    def _end(self) -> None:
        """Ask what still works to end in order, and wait."""
        for worker in self.living:
            worker.process.terminate()
        deadline = time.monotonic() + ENDING_SECONDS
        for worker in self.living:
            try:
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.log.close()
        self.living.clear()
