"""A project that was moved or copied: it goes on where it is now, and nothing appears elsewhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

import srexp
from srexp.config.override_grammar import override
from srexp.errors import SrexpError
from srexp.tracking.runs.tracking import Tracking
from tests.stories.conftest import by_patient

TASK = "folder-bicubic-x2"
WITHOUT = ", and the interrupted run's config.yaml lost"
QUIET = ["tracking.max_images=0", "tracking.system_metrics=false"]


@pytest.fixture
def old(tmp_path: Path, two_trainings, images, monkeypatch) -> Path:
    """A project with its images in it, two trainings, one that was interrupted, and one that the store never saw."""
    root = tmp_path / "old"
    root.mkdir()
    for name in ("mlruns",):
        shutil.move(two_trainings.root / name, root / name)
    shutil.copytree(images, root / "images")
    monkeypatch.setenv("SREXP_ROOT", str(root))

    class StopError(Exception):
        """What ends a training."""

    from srexp.experiment import pipeline

    def stopped(*_args, **_options):
        raise StopError

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "score_and_draw", stopped)
        with pytest.raises(StopError):
            srexp.run("train", [*by_patient(root / "images"), *QUIET, "seed=3"])
    with monkeypatch.context() as patched:
        patched.setattr("srexp.tracking.store.store.bring_up_to_date", away)
        tracking = Tracking(folder=root / "mlruns", system_metrics=False, wait_seconds=0.1)
        with tracking.run(TASK, name="unsent", folder=root / "mlruns" / "outputs" / "unsent") as run:
            run.log_text("kept", "a.txt")
    return root


def away(*_: object) -> None:
    raise ConnectionError("nobody listens")


def state(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}


def brought(old: Path, how: str) -> tuple[Path, list[Path]]:
    """Move or copy a project; give where it is then, and where it was."""
    new, last = old.parent / "elsewhere" / "new", old.parent / "other wörds?#" / "new"
    new.parent.mkdir()
    if how.startswith("moved"):
        old.rename(new)
    else:
        shutil.copytree(old, new)
    if how == "copied, and the original removed":
        shutil.rmtree(old)
    if how == "moved twice":
        new.parent.rename(last.parent)  # the folder around it
        return last, [old, new]
    return new, [old]


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        *("moved twice", "copied, and the original removed", f"copied{WITHOUT}"),
    ],
)
def test_everything_goes_on_where_it_is_now(old, monkeypatch, how):
    new, places = brought(old, how.removesuffix(WITHOUT))
    if how.endswith(WITHOUT):
        [kept] = (path for path in new.rglob("config.yaml") if "seed: 3" in path.read_text().splitlines())
        kept.unlink()
    before = [state(each) for each in places]
    monkeypatch.setenv("SREXP_ROOT", str(new))
    images = [override("dataset.root", str(new / "images")) if "root=" in each else each for each in by_patient(new)]

    sent = srexp.run("runs", ["sync=true", "limit=50"])
    assert [(each["left"], each["refused"]) for each in sent["synced"]] == [(0, [])]
    interrupted = next(row for row in sent["runs"] if row["state"] == "FAILED")

    scored = srexp.run("evaluate", [f"model_uri=models:/{TASK}@candidate", *images, *QUIET])
    assert scored["test"]["n_images"] == 20

    Image.new("L", (24, 24), 90).save(new / "one.png")
    model = f"model_uri=models:/{TASK}/1"
    done = srexp.run("enhance", [model, override("input", str(new / "one.png")), override("output", str(new / "out"))])
    assert done["failed"] == []

    promoted = srexp.run("promote", [f"name={TASK}", "version=1", "force=true", "reason='moved'", "dataset=folder",
                                     override("dataset.root", str(new / "images"))])  # fmt: skip
    assert promoted["version"] == 1

    resumed = srexp.run("train", [f"resume={interrupted['run_id']}"])
    assert resumed["run_id"] == interrupted["run_id"]
    assert resumed["registered"]["version"] == 3

    trained = srexp.run("train", [*images, *QUIET, "seed=4"])
    artifacts = new / "mlruns" / "artifacts"
    assert (artifacts / trained["run_id"] / "artifacts" / "config.yaml").is_file()
    assert (artifacts / "models" / trained["model_uri"].removeprefix("models:/")).is_dir()
    assert [state(each) for each in places] == before
    assert srexp.run("compare", [f"runs=[{resumed['run_id']}]"])
    assert srexp.run("runs", ["relocate=true"])["relocated"] > 0
    assert srexp.run("models", [])["models"]


@pytest.mark.system
@pytest.mark.slow
def test_a_copy_without_the_checkpoints_leaves_those_of_the_original_alone(old, monkeypatch):
    new, [original] = brought(old, "copied")
    shutil.move(new / "mlruns" / "outputs", new.parent / "outputs")
    before = state(original)
    monkeypatch.setenv("SREXP_ROOT", str(new))
    sent = srexp.run("runs", ["limit=50"])
    run_id = next(row["run_id"] for row in sent["runs"] if row["state"] == "FAILED")
    with pytest.raises(SrexpError, match="another project's, of which this one is a copy") as refused:
        srexp.run("train", [f"resume={run_id}"])
    place = re.search(r"copy (\S+) to", str(refused.value))[1]
    assert state(original) == before
    shutil.copytree(original / "mlruns" / place, new / "mlruns" / place)
    assert srexp.run("train", [f"resume={run_id}"])["run_id"] == run_id
    assert state(original) == before
