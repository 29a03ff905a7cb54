"""Shards on the launchers of a multirun: 200 images come to what one process makes of them, also after a kill."""

from __future__ import annotations

import csv
import importlib.util
import json
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]  # each process imports TensorFlow

IMAGES = 200
NETWORK = "model_uri=zoo/hybrid-cxr-x2"


@pytest.fixture(params=["joblib", "ray"])
def launcher(request) -> list[str]:
    """Overrides that run several jobs at a time: joblib in as many processes, Ray in one for each job."""
    plugin = f"hydra_plugins.hydra_{request.param}_launcher"
    if importlib.util.find_spec(plugin) is None:
        pytest.skip(f"{plugin} isn't installed")
    together = {"joblib": "hydra.launcher.n_jobs=2", "ray": "+hydra.launcher.ray.init.num_cpus=4"}
    return [f"hydra/launcher={request.param}", together[request.param]]


@pytest.fixture
def many_images(tmp_path: Path) -> Path:
    """Images of several sizes, no two alike."""
    folder, rng = tmp_path / "images", np.random.default_rng(7)
    folder.mkdir()
    for number in range(IMAGES):
        coarse = Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8))
        coarse.resize((64 + number % 5, 64), Image.Resampling.BICUBIC).save(folder / f"{number:03}.png")
    return folder


def contents(output: Path) -> dict[str, bytes]:
    """All files of an output folder, but those that shards keep for each other, and what a kill left half written."""
    named = {path.relative_to(output).as_posix(): path for path in output.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(".srexp-")}


def killed(command, output: Path, *, after: int) -> int:
    """Kill a command and all that it started as soon as so many files are restored; give how many there are."""
    deadline = time.monotonic() + 600
    while len(list(output.glob("*.png"))) < after:
        assert command.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    driver = psutil.Process(command.pid)
    family = [driver, *driver.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=60)
    return len(list(output.glob("*.png")))


def test_files_of_four_shards_are_those_of_one_process(project, many_images, launcher):
    enhance = ["enhance", NETWORK, f"input={many_images}"]
    one = project.run(*enhance, "output=one", timeout=900)
    assert one.returncode == 0, one.stderr
    spread = ["-m", *enhance, "output=many", "shard=all/4", *launcher]
    with project.start(*spread, cold=True) as command:
        made = killed(command, project.root / "many", after=20)
    assert made < IMAGES

    done = project.run(*spread, cold=True, timeout=900)
    assert done.returncode == 0, done.stderr
    [listed] = (project.root / "mlruns" / "outputs" / "multirun").rglob("shards.json")
    [together] = json.loads(listed.read_text())
    restored, before = together["result"]["restored"], together["result"]["skipped"]
    assert f"{len(restored)} files restored, {len(before)} finished before, 0 failed" in done.stdout
    assert (len(restored) + len(before), len({*restored, *before})) == (IMAGES, IMAGES)
    assert len(before) >= made - 4  # each shard has to restore what it had not yet entered in the list
    alone, shared = contents(project.root / "one"), contents(project.root / "many")
    assert len(alone) == IMAGES + 2
    assert {name for name in alone.keys() | shared.keys() if alone.get(name) != shared.get(name)} == set()
    with (project.root / "many" / "enhanced.csv").open(newline="") as file:
        assert [row["input"] for row in csv.DictReader(file)] == sorted(path.name for path in many_images.iterdir())


def test_scores_of_four_shards_are_one_run_with_those_of_one_process(project, many_images, launcher):
    asked = [NETWORK, "dataset=folder", f"dataset.root={many_images}"]
    asked += ["tracking.max_images=0", "tracking.system_metrics=false"]
    one = project.run("evaluate", *asked, timeout=900)
    assert one.returncode == 0, one.stderr
    [alone] = project.results()
    spread = ["-m", "evaluate", *asked, "shard=all/4", *launcher]
    done = project.run(*spread, cold=True, timeout=900)
    assert done.returncode == 0, done.stderr
    [joined] = [each for each in project.results() if each["run_id"] not in (None, alone["run_id"])]
    told = ("test", "baseline", "gain_db", "gain_ci95", "p_value", "data_fingerprint")
    assert [joined[name] for name in told] == [alone[name] for name in told]
    assert joined["test"]["n_images"] == IMAGES
    assert {tracked.info.run_id for tracked in project.runs()} == {alone["run_id"], joined["run_id"]}
    assert f"on {IMAGES} images, run {joined['run_id']}" in done.stdout
    tables = list((project.root / "mlruns" / "outputs").rglob("test.csv"))
    assert len({table.read_bytes() for table in tables}) == 1

    again = project.run(*spread, timeout=900)
    assert "4 of evaluate: 4 finished before" in again.stdout
    assert len(project.runs()) == 2
