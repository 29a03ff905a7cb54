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
from pathlib import Path

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

    from srexp.tracking.store import selected

    client = MlflowClient(uri)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    operations = [line for line in lines if "n" in line]
    wrong = [f"line {each['n']} is number {place}" for place, each in enumerate(operations) if each["n"] != place]
    first = operations[0]
    if first["op"] == "create":
        mark = f"tags.`srexp.journal` = '{journal.parent.name}'"
        found = client.search_runs([each.experiment_id for each in client.search_experiments()], mark)
        if len(found) != 1:
            return [*wrong, f"{len(found)} runs"]
        run = found[0]
        if run.info.start_time != first["at"]:
            wrong.append(f"began {run.info.start_time}, not {first['at']}")
    else:
        run = client.get_run(first["run_id"])
    points, params, tags, files = {}, {}, {}, {}
    for each in operations:
        if each["op"] == "metrics":
            for name, value in each["values"].items():
                points.setdefault(name, []).append((each["step"], each["at"], float(value)))
        elif each["op"] == "model":
            for name, value in each["values"].items():
                points.setdefault(name, []).append((each["step"], each["at"], float(value)))
        elif each["op"] == "params":
            params |= each["params"]
        elif each["op"] in ("create", "resume", "tags"):
            tags |= each["tags"]
        elif each["op"] == "file":
            for name, digest in each["sha256"].items():
                files[f"{each['folder']}/{name}" if each["folder"] else name] = digest
        elif each["op"] == "end":
            if (run.info.status, run.info.end_time) != (each["status"], each["at"]):
                wrong.append(f"ended {run.info.status} {run.info.end_time}, not {each['status']} {each['at']}")
        elif each["op"] == "inputs":
            asked = sorted(f"{one['name']}/{one['context']}" for one in each["inputs"])
            if sorted(one.dataset.name for one in run.inputs.dataset_inputs) != asked:
                wrong.append(f"inputs {asked}")
    wrong += _unequal("param", params, run.data.params)
    wrong += _unequal("tag", tags, {key: value for key, value in run.data.tags.items() if key in tags})
    stored = {name: [(p.step, p.timestamp, p.value) for p in client.get_metric_history(run.info.run_id, name)]
              for name in {*points, *run.data.metrics}}  # fmt: skip
    wrong += _unequal("metric", _plain(points), _plain(stored))
    with tempfile.TemporaryDirectory() as scratch, selected(uri):
        import mlflow.artifacts

        came = {}
        if files:
            root = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path=scratch))
            for path in root.rglob("*"):
                if path.is_file():
                    came[path.relative_to(root).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        came = {name: digest for name, digest in came.items() if name in files or name != "result.json"}
    wrong += _unequal("artifact", files, came)
    for each in operations:
        if each["op"] == "model":
            mark = f"tags.`srexp.journal` = '{journal.parent.name}-{each['n']}'"
            if (count := len(client.search_logged_models([run.info.experiment_id], mark))) != 1:
                wrong.append(f"{count} logged models")
        if each["op"] == "register":
            versions = client.search_model_versions(f"run_id = '{run.info.run_id}'")
            key = f"{journal.parent.name}-{each['n']}"
            if (count := sum(one.tags.get("srexp.journal") == key for one in versions)) != 1:
                wrong.append(f"{count} versions")
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
