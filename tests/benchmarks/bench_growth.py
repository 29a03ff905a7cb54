"""What grows when many trainings run in one process: open files, threads and memory after so many jobs.

python tests/benchmarks/bench_growth.py [JOBS]
"""

import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

import srexp

OVERRIDES = ["+debug=fast", "model.kernels=[3,1,3]", "model.filters=[4,4]", "tracking.system_metrics=true"]
SHOWN = (1, 2, 5, 10, 20, 40, 60, 100, 150, 200)


def main(jobs: int) -> None:
    """Print open files, threads and resident memory as the jobs go by."""
    process, start = psutil.Process(), time.perf_counter()
    print(f"{'jobs':>5} {'files':>6} {'threads':>8} {'RSS MiB':>8} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SREXP_ROOT"] = folder
        for job in range(1, jobs + 1):
            with contextlib.redirect_stdout(io.StringIO()):
                srexp.run("train", [*OVERRIDES, f"seed={job}", f"hydra.run.dir={Path(folder, 'out', str(job))}"])
            if job in SHOWN or job == jobs:
                rss = process.memory_info().rss / 2**20
                seconds = time.perf_counter() - start
                print(f"{job:5} {process.num_fds():6} {process.num_threads():8} {rss:8.0f} {seconds:8.0f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 200)
