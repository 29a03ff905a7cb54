"""A search whose processes are killed, and enhancing that is killed among spoilt files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from tests.benchmarks import kill_search
from tests.chaos.world import World, kill_all

SEARCH, ENHANCE = "search", "enhance"


class Searching:
    """Rounds of a search, two of its workers at a time.

    Args:
        world: Where.
    """

    def __init__(self, world: World) -> None:
        self.world, self.count = world, 0

    def round(self) -> None:
        """Search once, killed up to three times."""
        world, rng = self.world, self.world.rng
        self.count += 1
        project = world.root / f"search{self.count}"
        project.mkdir()
        engine = rng.choice(["optuna", "keras_tuner"])
        request = kill_search.request(kill_search.data(project), engine, trials=4)
        for _ in range(rng.randint(1, 3)):
            search = kill_search.start(project, request)
            if not kill_search.await_next_trial(project, search):
                break
            world.lives_for(search, rng.uniform(0, 4))
            what = rng.choice(["process group", "driver", "worker"])
            world.strike(SEARCH, f"{what} killed")
            kill_search.kill(search, what, rng)
            if what == "worker":
                world.lives_for(search, rng.uniform(2, 8))
            kill_all(search)
        code = world.finish(SEARCH, kill_search.start(project, request))
        for what, holds in kill_search.findings(project, request, code, 4).items():
            world.ledger.hold(SEARCH, f"not so: {what} ({engine})", holds)


class Enhancing:
    """Rounds of enhancing a folder, held against one that nothing disturbed.

    Args:
        world: Where.
    """

    def __init__(self, world: World) -> None:
        self.world, self.count = world, 0
        self.images = world.images("scans", patients=24, side=192)
        self.model: list[str] = ["model_uri=bicubic", "scale=2"]
        self.expected: dict[str, bytes] = {}

    def prepare(self) -> None:
        """Enhance without faults."""
        out = self.world.root / "enhanced"
        code = self.world.finish(ENHANCE, self._start(self.images, out, self.world.root / "enhance"))
        if code != 0:
            raise RuntimeError(f"not even undisturbed: see {self.world.said}")
        self.expected = {path.name: _pixels(path) for path in out.glob("*.png")}

    def _start(self, folder: Path, out: Path, project: Path) -> subprocess.Popen[bytes]:
        arguments = [*self.model, f"input={folder}", f"output={out}", f"hydra.run.dir={project}/last", "names=true"]
        return self.world.start("enhance", *arguments, project=project)

    def round(self) -> None:
        """Enhance once: some files are spoilt, and the command is killed up to three times."""
        world, rng = self.world, self.world.rng
        self.count += 1
        folder, out = world.root / f"scans{self.count}", world.root / f"enhanced{self.count}"
        project = world.root / f"enhance{self.count}"
        folder.mkdir()
        for path in self.images.glob("*.png"):
            (folder / path.name).write_bytes(path.read_bytes())
        spoilt = self._spoil(folder)
        for _ in range(rng.randint(1, 3)):
            process = self._start(folder, out, project)
            if not world.lives_for(process, rng.uniform(1, 9)):
                break
            fault = rng.choice(["SIGKILL", "SIGTERM"])
            world.strike(ENHANCE, fault)
            if fault == "SIGKILL":
                kill_all(process)
            else:
                os.kill(process.pid, signal.SIGTERM)
                world.finish(ENHANCE, process)
        code = world.finish(ENHANCE, self._start(folder, out, project))
        self._check(code, spoilt, out, project)

    def _spoil(self, folder: Path) -> set[str]:
        """Cut files short, overwrite some of their bytes, or empty them."""
        world, rng = self.world, self.world.rng
        names = rng.sample(sorted(path.name for path in folder.glob("*.png")), rng.randint(0, 3))
        for name in names:
            path = folder / name
            whole = path.read_bytes()
            fault = rng.choice(["file cut short", "file overwritten", "file emptied"])
            world.strike(ENHANCE, fault)
            half = len(whole) // 2
            spoilt = {"file cut short": whole[:half], "file overwritten": os.urandom(half) + whole[half:]}
            path.write_bytes(spoilt.get(fault, b""))
        return set(names)

    def _check(self, code: int | None, spoilt: set[str], out: Path, project: Path) -> None:
        hold = self.world.ledger.hold
        hold(ENHANCE, "the exit code hides spoilt files", code == (1 if spoilt else 0), code)
        result = json.loads((project / "last" / "result.json").read_text(encoding="utf-8"))
        named = {each["file"] for each in result["failed"]}
        hold(ENHANCE, "spoilt files are not those named", named == spoilt, f"{named} instead of {spoilt}")
        found = {path.name: _pixels(path) for path in out.glob("*.png")}
        wanted = {name: pixels for name, pixels in self.expected.items() if name not in spoilt}
        hold(ENHANCE, "files are missing", wanted.keys() <= found.keys(), wanted.keys() - found.keys())
        hold(ENHANCE, "results of spoilt files", not found.keys() & spoilt, found.keys() & spoilt)
        differ = sorted(name for name, pixels in wanted.items() if found.get(name) not in (None, pixels))
        hold(ENHANCE, "other pixels", not differ, differ)


def _pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return np.asarray(image).tobytes()
