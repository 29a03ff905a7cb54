"""The workers of a search on this machine: started, watched, started again when one dies, and ended with the driver."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from srexp.errors import RequestError, SrexpError
from srexp.experiment.multirun import job
from srexp.experiment.search.progress import SearchProgress
from srexp.experiment.search.search_job import SearchJob, study_folder
from srexp.experiment.search.trial_worker import Note, run_worker
from srexp.system import child_process, process_identity
from srexp.tracking.runs import groups

POLL_SECONDS = 1.0


@dataclass
class _Started:
    """A worker process with its folder and its log."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: IO[bytes]

    def close(self) -> None:
        child_process.hang_up(self.process)
        self.log.close()


class Workers:
    """Processes that train the trials of a study.

    Args:
        search: What they work on.
        parent: Run id of the search.
    """

    def __init__(self, search: SearchJob, parent: str) -> None:
        self.config, self.engine, self.study = search.config, search.engine, search.study
        self.tracking, self.files = search.tracking, search.files
        self.parent = parent
        self.started = 0
        self.deaths = 0
        self.living: list[_Started] = []

    def run(self) -> int:
        """Keep the workers going until the study has its trials.

        Returns:
            How many are finished or pruned: fewer than were asked for where the space has no more values.

        Raises:
            RequestError: The space allows what a network refuses.
            SrexpError: Too many trials failed, or workers died.
        """
        self.retry_lost()
        trials = self.study.trials()
        several = self.engine.workers > 1  # a single one would only wait for another process to import
        warm = child_process.offered("srexp.experiment.search.trial_worker") if several else nullcontext()
        with warm, SearchProgress(self.engine.trials) as progress:
            try:
                for _ in range(max(1, min(self.engine.workers, self.engine.trials - progress.done(trials)))):
                    self._start()
                while self.living:
                    time.sleep(POLL_SECONDS)
                    self._look()
                    progress.show(self.study.trials())
            finally:
                self._end()
                self.retry_lost()
                progress.show(trials := self.study.trials())
        return progress.done(trials)

    def retry_lost(self) -> None:
        """Queue the trials again whose process is gone, and close their runs."""
        for trial in self.study.trials():
            if trial.state == "running" and process_identity.is_gone(trial.facts):
                reason = f"its worker, process {trial.facts['pid']}, was gone"
                self.study.retry(trial.number, reason)
        groups.reap(self.tracking.store, parent=self.parent, reason="its worker was gone")

    def _start(self) -> None:
        self.started += 1
        name = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{self.started}"
        folder = study_folder(self.config) / "workers" / name
        folder.mkdir(parents=True)
        log = (folder / "worker.log").open("wb")
        threads = str(self.engine.threads or max(1, (os.cpu_count() or 1) // self.engine.workers))
        bounded = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        started = child_process.start(
            run_worker,
            Note(self.config, self.files, folder, self.parent),
            output=log,
            environment={**os.environ, **dict.fromkeys(bounded, threads), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.living.append(_Started(started, folder, log))

    def _look(self) -> None:
        """See which workers ended; one that died is followed by another, up to as many as trials may fail."""
        for worker in [each for each in self.living if each.process.poll() is not None]:
            self.living.remove(worker)
            worker.close()
            code = worker.process.returncode
            if code == 0:
                continue
            if left := job.failure(worker.folder):
                raise (RequestError if left["exit_code"] == RequestError.exit_code else SrexpError)(left["message"])
            self.retry_lost()
            self.deaths += 1
            if self.deaths > self.engine.max_failures:
                raise SrexpError(
                    f"{self.deaths} workers died, the last one {child_process.died(code)}",
                    fix=f"see {worker.folder / 'worker.log'}; SIGKILL mostly means that memory ran out",
                )
            self._start()

    def _end(self) -> None:
        """Ask what still works to end in order, and wait."""
        for worker in self.living:
            worker.process.terminate()
        for worker in self.living:
            child_process.end(worker.process)
            worker.close()
        self.living.clear()
