"""Training under SIGKILL, SIGTERM, a server that stops or freezes, and a disk that fills."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from srexp.tracking.store.store import selected
from tests.chaos.world import PATIENT, Server, World, kill_all

SCENE, DISK = "train", "train on a disk that fills"
SMALL = (
    "+debug=fast", "trainer.patch_size=16", "trainer.validation_size=32", "trainer.test_size=null", "trainer.epochs=6",
    "trainer.steps_per_epoch=40", "tracking.system_metrics=false",
)  # fmt: skip
#: Parts of the names of metrics that depend on the clock.
CLOCK = ("seconds", "per_second", "system/", "rss", "inference")


class Trained:
    """What a run left in a store: the course of its metrics, its files and its weights.

    Args:
        uri: Of the store.
        run_id: Of the run.
    """

    def __init__(self, uri: str, run_id: str) -> None:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        run = client.get_run(run_id)
        self.status = run.info.status
        self.course = {
            key: [(point.step, point.value) for point in client.get_metric_history(run_id, key)]
            for key in run.data.metrics
            if not any(part in key for part in CLOCK)
        }
        self.files = set(_files(client, run_id, ""))
        versions = client.search_model_versions(f"run_id='{run_id}'")
        self.versions = len(versions)
        self.weights = _weights(client, run.outputs.model_outputs[0].model_id) if versions else ""

    def hold_against(self, world: World, scene: str, reference: Trained) -> None:
        """Note every difference from a run that nothing disturbed."""
        hold = world.ledger.hold
        hold(scene, "the run is not FINISHED", self.status == "FINISHED", self.status)
        for key in sorted(reference.course.keys() | self.course.keys()):
            was, wanted = sorted(self.course.get(key, [])), sorted(reference.course.get(key, []))
            hold(scene, f"the course of {key} differs", was == wanted, f"{was} instead of {wanted}")
        missing = {_plain(name) for name in reference.files} - {_plain(name) for name in self.files}
        hold(scene, "files are missing", not missing, sorted(missing))
        hold(scene, "not one registered version", self.versions == 1, self.versions)
        hold(scene, "other weights", self.weights == reference.weights)


def _plain(name: str) -> str:
    return name.partition("/")[0]


def _files(client: Any, run_id: str, folder: str) -> list[str]:
    found: list[str] = []
    for entry in client.list_artifacts(run_id, folder or None):
        found += _files(client, run_id, entry.path) if entry.is_dir else [entry.path]
    return found


def _weights(client: Any, model_id: str) -> str:
    """Hash the arrays of a logged network."""
    import h5py

    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as scratch:
        import mlflow

        with selected(client.tracking_uri):
            folder = Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=scratch))
        (network,) = folder.rglob("*.keras")
        with zipfile.ZipFile(network) as archive:
            archive.extract("model.weights.h5", scratch)
        with h5py.File(Path(scratch) / "model.weights.h5") as kept:
            names: list[str] = []
            kept.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
            for name in sorted(names):
                digest.update(name.encode() + kept[name][()].tobytes())
    return digest.hexdigest()


class Training:
    """Rounds of training, each held against one that nothing disturbed.

    Args:
        world: Where.
        server: Tracks the runs.
    """

    def __init__(self, world: World, server: Server) -> None:
        self.world, self.server, self.count = world, server, 0
        images = world.images("images")
        self.request = ["dataset=folder", f"dataset.root={images}", PATIENT, *SMALL]
        self.references: dict[str, Trained] = {}

    def prepare(self) -> None:
        """Train without faults."""
        for model in ("srcnn", "vdsr"):
            name = f"undisturbed {model}"
            process = self.world.start(*self._arguments(model, name), project=self.world.root / "project")
            if self.world.finish(SCENE, process) != 0:
                raise RuntimeError(f"not even undisturbed: see {self.world.said}")
            self.references[model] = Trained(self.server.uri, str(self._run(name)))

    def _arguments(self, model: str, name: str) -> list[str]:
        depth = ["model.depth=4"] if model == "vdsr" else []
        return [*self.request, f"model={model}", *depth, f"run_name={name}", f"tracking.uri={self.server.uri}"]

    def _run(self, name: str) -> str | None:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self.server.uri)
        experiments = [each.experiment_id for each in client.search_experiments()]
        found = client.search_runs(experiments, filter_string=f"tags.mlflow.runName = '{name}'")
        return found[0].info.run_id if found else None

    def round(self) -> None:
        """Train once, disturbed up to four times."""
        world, rng = self.world, self.world.rng
        self.count += 1
        model, name = rng.choice(["srcnn", "vdsr"]), f"round {self.count}"
        project = world.root / "project"
        process = world.start(*self._arguments(model, name), project=project)
        for _ in range(rng.randint(1, 4)):
            if not world.lives_for(process, rng.uniform(2, 14)):
                break
            process = self._disturb(process, model, name, project)
        code = world.finish(SCENE, process)
        world.ledger.hold(SCENE, "the command failed", code == 0, code)
        sent = world.start("runs", "sync=true", f"tracking.uri={self.server.uri}", project=project)
        world.ledger.hold(SCENE, "not everything could be sent", world.finish(SCENE, sent) == 0)
        if run_id := self._run(name):
            Trained(self.server.uri, run_id).hold_against(world, SCENE, self.references[model])
        else:
            world.ledger.hold(SCENE, "the run never arrived", holds=False, shown=name)

    def _disturb(self, process: subprocess.Popen[bytes], model: str, name: str, project: Path) -> Any:
        world, rng = self.world, self.world.rng
        fault = rng.choice(["SIGKILL", "SIGTERM", "server stopped", "server frozen"])
        world.strike(SCENE, fault)
        if fault == "server stopped":
            self.server.stop()
            ended = not world.lives_for(process, rng.uniform(1, 8))
            self.server.start()
            world.ledger.hold(SCENE, "ended with the server", not ended or process.returncode == 0, process.returncode)
            return process
        if fault == "server frozen":
            self.server.freeze(rng.uniform(1, 5))
            return process
        if fault == "SIGKILL":
            kill_all(process)
        else:
            process.terminate()
            code = world.finish(SCENE, process)
            world.ledger.hold(SCENE, "not ended by SIGTERM", code in (130, 0), code)
            if process.returncode == 0:
                return process
        return self._go_on(model, name, project)

    def _go_on(self, model: str, name: str, project: Path) -> subprocess.Popen[bytes]:
        """Resume; a run that did not come into being begins anew."""
        if run_id := self._run(name):
            return self.world.start(f"resume={run_id}", f"tracking.uri={self.server.uri}", project=project)
        return self.world.start(*self._arguments(model, name), project=project)


class FullDisk:
    """Rounds of training in a file system of 50 MB that fills, held against one that nothing disturbed.

    Args:
        world: Where.
        request: Of the training.
    """

    def __init__(self, world: World, request: list[str]) -> None:
        self.world, self.request, self.count = world, request, 0
        self.reference: Trained | None = None

    @staticmethod
    def possible() -> bool:
        """Whether a small file system can be mounted here."""
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True
            )
            if done.returncode == 0:
                subprocess.run(["umount", folder], check=False)
            return done.returncode == 0

    def round(self) -> None:
        """Train once; somewhere on the way there is no room left."""
        self.count += 1
        if self.reference is None:
            project = self.world.root / "roomy"
            self.world.finish(DISK, self.world.start(*self.request, project=project))
            self.reference = self._trained(project, self._latest(project))
        project = self.world.root / f"small{self.count}"
        project.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", str(project)], check=True)
        try:
            self._fill(project, self.reference)
        finally:
            subprocess.run(["umount", "--lazy", str(project)], check=True)

    def _fill(self, project: Path, reference: Trained) -> None:
        world = self.world
        process = world.start(*self.request, project=project)
        world.lives_for(process, world.rng.uniform(4, 14))
        world.strike(DISK, "no space left")
        filler, before = project / "filler", world.said.stat().st_size
        with suppress(OSError), filler.open("wb", buffering=0) as full:
            while full.write(os.urandom(1 << 16)):
                pass
        code = world.finish(DISK, process)
        said = world.said.read_bytes()[before:].decode(errors="replace")
        named = code == 0 or "space" in said.lower()
        world.ledger.hold(DISK, "the message does not name the disk", named, said[-300:])
        filler.unlink()
        world.ledger.hold(DISK, "the database is damaged", self._sound(project))
        run_id = self._latest(project)
        if code != 0:
            again = [f"resume={run_id}"] if run_id else self.request
            code = world.finish(DISK, world.start(*again, project=project))
        world.ledger.hold(DISK, "does not go on with room", code == 0, code)
        world.finish(DISK, world.start("runs", "sync=true", project=project))
        if run_id := self._latest(project):
            self._trained(project, run_id).hold_against(world, DISK, reference)

    @staticmethod
    def _sound(project: Path) -> bool:
        import sqlite3

        path = project / "mlruns" / "mlflow.db"
        if not path.is_file():
            return True
        with sqlite3.connect(path) as store:
            return bool(store.execute("PRAGMA integrity_check").fetchone() == ("ok",))

    @staticmethod
    def _latest(project: Path) -> str | None:
        from mlflow import MlflowClient

        if not (path := project / "mlruns" / "mlflow.db").is_file():
            return None
        client = MlflowClient(tracking_uri=f"sqlite:///{path}")
        experiments = [each.experiment_id for each in client.search_experiments()]
        runs = client.search_runs(experiments, order_by=["attributes.start_time DESC"])
        return runs[0].info.run_id if runs else None

    @staticmethod
    def _trained(project: Path, run_id: str | None) -> Trained:
        return Trained(f"sqlite:///{project}/mlruns/mlflow.db", str(run_id))
