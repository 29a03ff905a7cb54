"""Stop a tracking server again and again while a model trains, and compare the journal of the run with the store.

    python tests/benchmarks/outage.py [--stops 3] [--seconds 60] [--between 20] [--late]

A VDSR trains on the embedded data until the server is back for good; with --late the server is started only after the
run has ended, and `runs sync=true` sends what waits. In the end every line of the journal is looked up in the store.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


def main() -> None:
    """Train, stop, start, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stops", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--between", type=float, default=20)
    parser.add_argument("--late", action="store_true")
    options = parser.parse_args()
    from tests.tracking.outages import Server, differences

    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        server = Server(project)
        if not options.late:
            server.start()
        begin = time.monotonic()
        minutes = 0.5 if options.late else options.stops * (options.seconds + 2 * options.between) / 60
        training = start(project, server.uri, minutes)
        if not options.late:
            outages(server, project, options, begin)
        code = training.wait()
        print(f"training ended with {code} after {time.monotonic() - begin:.0f} s", flush=True)
        if options.late:
            server.start()
            words = [sys.executable, "-m", "srexp", "runs", "sync=true", f"tracking.uri={server.uri}"]
            subprocess.run(words, env=environment(project), cwd=project, check=True)
        (journal,) = project.glob("out/journal/*/journal.jsonl")
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        found = differences(journal, server.uri)
        result = json.loads((project / "out" / "result.json").read_text())
        print(
            f"{sum('n' in line for line in lines)} operations, {len(found)} differences, pending: {'pending' in result}"
        )
        print(f"{result['model_uri']} {result['registered']}, best epoch {result['best_epoch']}", *found, sep="\n")
        server.stop()
        sys.exit(bool(found) or code != 0)


def environment(project: Path) -> dict[str, str]:
    """Give what commands in the project run in."""
    return {**os.environ, "SREXP_ROOT": str(project), "PYTHONPATH": str(ROOT)}


def start(project: Path, uri: str, minutes: float) -> subprocess.Popen[bytes]:
    """Start a training of many short epochs."""
    words = [
        sys.executable,
        "-m",
        "srexp",
        f"tracking.uri={uri}",
        f"hydra.run.dir={project / 'out'}",
        "trainer.epochs=9999",
    ]
    words += ["+debug=fast", "trainer.steps_per_epoch=1", "trainer.patience=null", f"trainer.max_minutes={minutes}"]
    words += ["tracking.system_metrics=true", "tracking.system_metrics_seconds=2"]
    return subprocess.Popen(words, env=environment(project), cwd=project)


def outages(server: object, project: Path, options: argparse.Namespace, begin: float) -> None:
    """Stop the server and start it again; say how far training got meanwhile."""
    while not list(project.glob("out/journal/*/journal.jsonl")):
        time.sleep(0.5)
    for number in range(options.stops):
        time.sleep(options.between)
        before = epochs(project)
        server.stop()
        time.sleep(options.seconds)
        after = epochs(project)
        server.start()
        now = time.monotonic() - begin
        print(f"stop {number + 1}: away until {now:.0f} s, epochs {before} to {after} meanwhile", flush=True)


def epochs(project: Path) -> int:
    """Count the epochs in the journal."""
    (journal,) = project.glob("out/journal/*/journal.jsonl")
    return sum('"val_psnr"' in line for line in journal.read_text().splitlines())


if __name__ == "__main__":
    main()
