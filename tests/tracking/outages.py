"""A tracking server that can be stopped, and what a store hasn't got of a journal."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

from srexp.tracking.journal.upload import UNTIL_FINISHED

START_SECONDS = 60


class Server:
    """An `mlflow server` on the loopback address, with a database and artifacts in a folder.

    Args:
        folder: Of the database, which is there already or is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Start, and wait for its first answer."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"]
        command += ["--artifacts-destination", (self.folder / "served").as_uri()]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                return self
            time.sleep(0.1)
        raise TimeoutError((self.folder / "server.log").read_text())

    def stop(self) -> None:
        """Take it away without a word; requests in its hands get no answer."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def hang(self) -> None:
        """Let it take connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def differences(journal: Path, uri: str) -> list[str]:
    """Compare a journal with the store, line by line, and the store with the journal.

    Args:
        journal: `journal.jsonl`.
        uri: Tracking URI.

    Returns:
        What is missing, double or different.
    """
    from mlflow import MlflowClient

    client, name = MlflowClient(uri), journal.parent.name
    operations = [line for line in map(json.loads, journal.read_text().splitlines()) if "n" in line]
    wrong = [f"line {each['n']} is number {place}" for place, each in enumerate(operations) if each["n"] != place]
    mark = f"tags.`srexp.journal` = '{name}'"
    found = client.search_runs([each.experiment_id for each in client.search_experiments()], mark)
    if len(found) != 1:
        return [*wrong, f"{len(found)} runs"]
    (run,) = found
    times = {"create": ("began", run.info.start_time), "end": ("ended", run.info.end_time)}
    for each in operations:
        what, when = times.get(each["op"], ("", each["at"]))
        if when != each["at"] or each.get("status", run.info.status) != run.info.status:
            wrong.append(f"{what} {when} {run.info.status}, and not as {each}")
    wrong += _unequal("param", _united(operations, "params"), run.data.params)
    gone = UNTIL_FINISHED if run.info.status == "FINISHED" else ()
    tags = {key: value for key, value in _united(operations, "tags", but="register").items() if key not in gone}
    wrong += _unequal("tag", tags, {key: value for key, value in run.data.tags.items() if key in tags})
    asked = {f"{each['name']}/{each['context']}": 1 for line in operations for each in line.get("inputs", [])}
    wrong += _unequal("input", asked, Counter(each.dataset.name for each in run.inputs.dataset_inputs))
    points = _points(operations)
    stored = {key: client.get_metric_history(run.info.run_id, key) for key in {*points, *run.data.metrics}}
    values = {key: [(each.step, each.timestamp, each.value) for each in many] for key, many in stored.items()}
    wrong += _unequal("metric", _plain(points), _plain(values))
    wrong += _unequal("artifact", _files(operations), _artifacts(run.info.run_id, uri))
    return [*wrong, *_models(client, run, name, operations)]


def _united(operations: list[dict], key: str, *, but: str = "") -> dict:
    return {name: value for each in operations if each["op"] != but for name, value in each.get(key, {}).items()}


def _points(operations: list[dict]) -> dict[str, list]:
    points: dict[str, list] = {}
    for each in operations:
        if each["op"] in ("metrics", "model"):
            for name, value in each["values"].items():
                points.setdefault(name, []).append((each["step"], each["at"], float(value)))
    return points


def _files(operations: list[dict]) -> dict[str, str]:
    return {
        f"{each['folder']}/{name}" if each["folder"] else name: digest
        for each in operations
        if each["op"] == "file"
        for name, digest in each["sha256"].items()
    }


def _artifacts(run_id: str, uri: str) -> dict[str, str]:
    """Digests of a run's artifacts, but of `result.json`, which the store's answers complete."""
    import mlflow.artifacts

    from srexp.tracking.store.store import selected

    with tempfile.TemporaryDirectory() as scratch, selected(uri):
        root = Path(mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=scratch))
        paths = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
        paths.pop("result.json", None)
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}


def _models(client, run, name: str, operations: list[dict]) -> list[str]:
    wrong = []
    for each in operations:
        if each["op"] not in ("model", "register"):
            continue
        key = f"{name}-{each['n']}"
        if each["op"] == "model":
            found = client.search_logged_models([run.info.experiment_id], f"tags.`srexp.journal` = '{key}'")
        else:
            versions = client.search_model_versions(f"run_id = '{run.info.run_id}'")
            found = [version for version in versions if version.tags.get("srexp.journal") == key]
        if len(found) != 1:
            wrong.append(f"{each['op']}: {len(found)}")
    return wrong


def _unequal(kind: str, wanted: dict, got: dict) -> list[str]:
    return [
        f"{kind} {name}: {got.get(name)} in the store, {wanted.get(name)} in the journal"
        for name in sorted({*wanted, *got})
        if wanted.get(name) != got.get(name)
    ]


def _plain(points: dict[str, list]) -> dict[str, list]:
    """Sort, and write NaN as a text, which is equal to itself."""
    return {
        name: sorted((step, at, "nan" if math.isnan(value) else value) for step, at, value in each)
        for name, each in points.items()
    }
