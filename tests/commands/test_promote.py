"""Who becomes champion, and who doesn't: models that were made, not trained, before the gate."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.cli import run
from srexp.experiment.promotion import challenge
from srexp.experiment.recorded_config import log_request, task_tags
from srexp.experiment.task import Task
from srexp.experiment.trained import loaded_model
from srexp.tracking.registry import promotion, registry
from srexp.tracking.registry.promotion import Places
from srexp.tracking.runs import queries
from srexp.tracking.runs.tracking import Tracking
from srexp.zoo import catalogue
from tests.warm_start import Command

NAME = "folder-bicubic-x2"
QUIET = ["tracking.system_metrics=false"]
#: How much each version sharpens what bicubic interpolation gives; the last ones have tags of their own.
SHARPENS = {1: 0.1, 2: 0.3, 3: -0.5, 4: np.nan, 5: 0.3, 6: 0.3, 7: 0.3}
TAGS = {5: {"audit": "near-duplicates"}, 6: {"degenerate": "true"}, 7: {"data.fingerprint": "0" * 64}}


def sharpener(amount):
    import keras

    from srexp.models.layers.borders import repeat_border
    from srexp.models.layers.upsampling import begin

    low, enlarged = begin(2, 1)
    layer = keras.layers.Conv2D(1, 3, use_bias=False)
    model = keras.Model(
        low, layer(repeat_border(enlarged, 1)), name=f"sharpen{amount}".replace("-", "m").replace(".", "_")
    )
    kernel = np.full((3, 3), -amount / 8, np.float32)
    kernel[1, 1] = 1 + amount
    layer.set_weights([kernel[..., None, None]])
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory, made_store):
    """A project with seven versions of a model, and its images."""
    root = tmp_path_factory.mktemp("project")
    for name in ("images", "mlruns"):
        (root / name).mkdir()
    shutil.copy(made_store, root / "mlruns" / "mlflow.db")
    rng = np.random.default_rng(7)
    for number in range(16):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12), dtype=np.uint8))
        coarse.resize((48, 48), Image.Resampling.BICUBIC).save(root / "images" / f"{number:02}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SREXP_ROOT", str(root))
        task = Task(srexp.compose(asked(root)))
        tracking = Tracking(folder=root / "mlruns", system_metrics=False)
        for version, amount in SHARPENS.items():
            with tracking.run(NAME) as tracked:
                log_request(tracked, task)
                uri = registry.log_best(tracked, sharpener(amount), channels=1, step=1, metrics={})
                known = {**task_tags(task), "audit": "clean", "data.fingerprint": task.prepared.fingerprint}
                registry.register(tracked, uri, NAME, tags=known | TAGS.get(version, {}))
    return root


def asked(root):
    return [
        "dataset=folder", f"dataset.root={root / 'images'}", "dataset.fractions=[0.3,0.1,0.6]",
        "trainer.patch_size=16", "trainer.validation_size=32",
    ]  # fmt: skip


@pytest.fixture
def store(made, tmp_path, monkeypatch):
    """A store of its own for each test, with all versions and no champion."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(made / "mlruns" / "mlflow.db", tmp_path / "mlruns" / "mlflow.db")
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    return Tracking(folder=tmp_path / "mlruns").store


def promote(version, *more):
    return run(["promote", f"name={NAME}", f"version={version}", *QUIET, "promote.max_slowdown=null", *more])


def test_a_better_version_becomes_champion_and_a_worse_one_does_not(store, tmp_path, capfd):
    assert promote(1) == 0
    first = capfd.readouterr().out
    for shown in (
        "version 1",
        "bicubic",
        "PSNR over bicubic",
        "yes",
        f"champion    version 1 of {NAME}",
        "promotion.json",
        "its page ",
    ):
        assert shown in first
    assert promotion.places(store, NAME) == Places(1, None)

    assert promote(2, "promote.max_slowdown=0.0001") == 1
    said = capfd.readouterr().err
    assert "times the champion's; required: at most 0.0001 times (promote.max_slowdown=" in said
    allowed = said.rpartition("fix:")[2].strip()
    assert allowed.startswith("promote.max_slowdown=")
    result = srexp.run("promote", [f"name={NAME}", "version=2", *QUIET, f"{allowed}0"])  # times vary on a busy machine
    assert (result["promoted"], result["forced"], result["previous"]) == (True, False, 1)
    assert result["failed"] == []
    assert [row["who"] for row in result["table"]] == ["version 2", "version 1", "bicubic"]
    assert all(row["seconds"] > 0 for row in result["table"][:2])
    assert result["gains"]["the champion"]["ci95"][0] > 0
    assert result["winner"] == "version 2"
    assert promotion.places(store, NAME) == Places(2, 1)
    holds_the_evidence(store, result)

    capfd.readouterr()
    assert promote(3) == 1
    said = capfd.readouterr().err
    for line in ("PSNR over bicubic: -", "PSNR over the champion: -", "SSIM over the champion: -", "nothing was moved"):
        assert line in said
    assert "required: at least +0.05 dB" in said
    assert promote(1) == 1  # a champion of yesterday is worse than today's
    assert promotion.places(store, NAME) == Places(2, 1)
    assert promote(2) == 0
    assert "as before" in capfd.readouterr().out
    assert promote(3, "force=true", "reason='a reader prefers it'") == 0
    assert "forced: a reader prefers it" in capfd.readouterr().out
    tags = promotion.version_tags(store, NAME, 3)
    assert (tags["promotion.forced"], tags["promotion.reason"]) == ("true", "a reader prefers it")
    assert promotion.places(store, NAME) == Places(3, 2)
    goes_back(store, capfd)


def holds_the_evidence(store, result):
    from srexp.tracking.store.store import connect

    tags = promotion.version_tags(store, NAME, 2)
    told = json.loads(tags["promotion"])
    assert len(tags["promotion"]) < 5000  # what older servers keep of a tag
    for key in ("table", "gains", "data_fingerprint", "protocol", "commit", "date", "winner", "gate", "n_images"):
        assert told[key] == result[key]
    assert tags["promotion.run_id"] == result["run_id"]
    client = connect(store)
    kept = client.get_run(result["run_id"])
    assert (kept.info.status, kept.data.tags["verb"], kept.data.tags["promoted"]) == ("FINISHED", "promote", "true")
    assert kept.data.metrics["test/gain_db"] == pytest.approx(result["gains"]["bicubic"]["gain"])
    import mlflow.artifacts

    from srexp.tracking.store.store import selected

    with selected(store.uri):
        assert json.loads(mlflow.artifacts.load_text(f"runs:/{result['run_id']}/promotion.json")) == told
        rows = mlflow.artifacts.load_text(f"runs:/{result['run_id']}/promotion.csv").splitlines()
    rows = list(csv.DictReader(rows))
    assert len(rows) == result["n_images"] == 9
    assert np.mean([float(row["champion_psnr"]) for row in rows]) == pytest.approx(result["table"][1]["psnr"])


def goes_back(store, capfd):
    result = srexp.run("promote", [f"name={NAME}", "rollback=true", "reason='halos'", *QUIET])
    assert (result["champion"], result["previous"], result["rolled_back"]) == (2, 3, True)
    assert promotion.places(store, NAME) == Places(2, 3)
    assert json.loads(promotion.version_tags(store, NAME, 3)["promotion.rolled_back"])["reason"] == "halos"
    assert "version 2" in capfd.readouterr().out


@pytest.mark.slow
def test_models_that_must_not_serve_are_stopped_with_the_reason(store, capfd):
    forced = ["force=true", "reason='whatever'"]
    for version, said in (
        (4, "finite figures: 2304 of 2304 restored values of an image are NaN or infinite"),
        (6, "not degenerate: its input is its target"),
    ):
        assert promote(version) == 1
        assert said in capfd.readouterr().err
        assert promote(version, *forced) == 1
        assert "not even force=true" in capfd.readouterr().err
    assert promote(5) == 1
    assert "no leak: near-duplicates; required: none of patients" in capfd.readouterr().err
    assert promote(2, "promote.min_images=10") == 1
    assert "test images: 9; required: at least 10" in capfd.readouterr().err
    assert promotion.places(store, NAME) == Places(None, None)
    assert "promotion" not in promotion.version_tags(store, NAME, 6)
    assert promote(5, *forced) == 0
    assert json.loads(promotion.version_tags(store, NAME, 5)["promotion"])["failed"] == ["no leak"]


def is_champion(store, version, over=None):
    lock = store.lock.with_name("promote.lock")
    return promotion.promote(store, lock, NAME, version, {"run_id": "another"}, over=over)


@pytest.mark.slow
def test_a_champion_whose_files_are_gone_can_be_replaced_by_force(store, capfd, monkeypatch):
    assert is_champion(store, 1)
    load = loaded_model.load

    def gone(store, found, **options):
        if found.version == 1:
            raise registry.SrexpError("the files of models:/x/1 can't be read")
        return load(store, found, **options)

    monkeypatch.setattr(loaded_model, "load", gone)
    assert promote(2) == 1
    assert "PSNR over the champion: not measured: it can't be scored here" in capfd.readouterr().err
    assert promote(2, "force=true", "reason='its files are gone'") == 0
    assert promotion.places(store, NAME) == Places(2, 1)


@pytest.mark.slow
def test_the_store_has_the_evidence_before_anything_moves(store, monkeypatch):
    """The journal sends what a run writes by and by; whoever is killed must not leave a champion without evidence."""
    seen = []

    def look_first(*arguments, over):
        run_id = arguments[4]["run_id"]
        seen.extend(queries.read_text(store, run_id, name) for name in ("promotion.json", "promotion.csv"))
        return move(*arguments, over=over)

    def go_back_later(*arguments):
        seen.append(queries.read_text(store, arguments[3]["run_id"], "promotion.json"))
        return go_back(*arguments)

    move, go_back = promotion.promote, promotion.rollback
    monkeypatch.setattr(promotion, "promote", look_first)
    monkeypatch.setattr(promotion, "rollback", go_back_later)
    assert promote(1) == 0
    assert promote(2, "promote.max_slowdown=null") == 0
    assert run(["promote", "rollback=true", f"name={NAME}"]) == 0
    assert len(seen) == 5
    assert all(seen), seen


@pytest.mark.slow
def test_a_rival_is_beaten_or_nothing_moves(made, store, tmp_path, capfd, monkeypatch):
    file = tmp_path / "between.keras"
    sharpener(0.2).save(file)
    assert promote(1, f"rivals=[{file}]") == 1
    said = capfd.readouterr()
    assert f"PSNR over {file}: -" in said.err
    assert "it isn't known which images" in said.out
    assert promotion.places(store, NAME) == Places(None, None)
    with monkeypatch.context() as patch:
        entries = Task(srexp.compose(asked(made))).prepared.entries["test"]
        patch.setattr(catalogue.Shipped, "seen", lambda _: {entries[0].sha256: "train"})
        rivals = f"rivals=[{file},zoo/hybrid-cxr-x2,zoo/hybrid-cxr-x2]"
        asked_for = [f"name={NAME}", "version=2", *QUIET, "promote.max_slowdown=null", rivals]
        result = srexp.run("promote", [*asked_for, "promote.ssim_tolerance=1"])
    assert [row["who"] for row in result["table"]] == ["version 2", str(file), "zoo/hybrid-cxr-x2", "bicubic"]
    assert all(row["seconds"] > 0 for row in result["table"][:3])
    assert result["gains"][str(file)]["ci95"][0] > 0
    assert result["rivals"].keys() == {str(file), "zoo/hybrid-cxr-x2"}
    assert f"zoo/hybrid-cxr-x2 has seen 1 of these {len(entries)} test images, which flatters it" in result["warnings"]
    assert "PSNR over zoo/hybrid-cxr-x2" in [line["name"] for line in result["gate"]]
    assert (result["promoted"], promotion.places(store, NAME)) == (True, Places(2, None))
    rows = queries.read_rows(store, result["run_id"], "promotion.csv")
    assert {"zoo/hybrid-cxr-x2_psnr", f"{file}_psnr", "bicubic_psnr"} <= rows[0].keys()
    capfd.readouterr()
    for words, told in (
        (["version=1", "rivals=[zoo/hybird-cxr-x2]"], "zoo/hybrid-cxr-x2"),
        (["rollback=true", "rivals=[zoo/hybrid-cxr-x2]"], "takes no version, no force and no rivals"),
    ):
        assert run(["promote", f"name={NAME}", *words]) == 2
        assert told in capfd.readouterr().err


@pytest.mark.slow
def test_who_is_overtaken_is_held_against_the_new_champion(store, capfd, monkeypatch):
    assert is_champion(store, 1)
    measure = challenge.inference_seconds

    def meanwhile(*arguments):
        monkeypatch.setattr(challenge, "inference_seconds", measure)
        assert is_champion(store, 2, over=1)
        return measure(*arguments)

    monkeypatch.setattr(challenge, "inference_seconds", meanwhile)
    capfd.readouterr()
    assert promote(5, "force=true", "reason='first'") == 0
    told = json.loads(promotion.version_tags(store, NAME, 5)["promotion"])
    assert told["champion"] == 2
    assert "PSNR over the champion" in told["failed"]
    assert promotion.places(store, NAME) == Places(5, 2)


@pytest.mark.system
@pytest.mark.slow
def test_of_two_commands_at_once_the_better_version_stays(store, tmp_path):
    words = ["promote", f"name={NAME}", *QUIET, "promote.max_slowdown=null"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [Command([*words, f"version={version}"], env=os.environ, **silent) for version in (1, 2)]
    codes = [process.wait(240) for process in started]
    now = promotion.places(store, NAME)
    # Whoever was first: version 2 beats version 1, as no champion or as champion, and version 1 never version 2.
    assert (now, codes) in [(Places(2, 1), [0, 0]), (Places(2, None), [1, 0])]
    told = json.loads(promotion.version_tags(store, NAME, 2)["promotion"])
    assert (told["version"], told["champion"], told["failed"]) == (2, now.previous, [])
    assert ("promotion" in promotion.version_tags(store, NAME, 1)) == (now.previous == 1)
    runs = {each.run_id: each for each in queries.latest(store, experiment=NAME, limit=9) if "verb" in each.tags}
    assert (runs[told["run_id"]].tags["promoted"], len(runs)) == ("true", 2)
    assert {each.status for each in runs.values()} == ({"FINISHED"} if codes == [0, 0] else {"FINISHED", "FAILED"})


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["version=7"], "the data set is not the one of run"),
        (["version=8"], "one of candidate, 7, 6, 5"),
        (["version=champion"], "version=candidate"),
        (["version=candidat"], "did you mean candidate?"),
        (["version=1", "force=true"], "needs a reason"),
        (["version=1", "scale=4"], "scale is another one than in training"),
        (["version=1", "protocol=y"], "protocol is another one than in training"),
        (["version=1", "dataset=montgomery"], "dataset._target_ is another one"),
        (["version=1", "promote.min_gain_db=-1"], "promote.min_gain_db"),
        (["rollback=true"], "no previous champion"),
        (["rollback=true", "version=1"], "takes no version"),
        (["name=nothing"], "no such registered model"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_wrong_request_exits_2(store, words, said, capfd):
    assert run(["promote", f"name={NAME}", *words]) == 2
    assert said in capfd.readouterr().err
    assert promotion.places(store, NAME) == Places(None, None)


@pytest.mark.slow
def test_the_data_may_have_moved(store, made, tmp_path, capfd):
    moved = Path(shutil.copytree(made / "images", tmp_path / "moved"))
    (moved / "00.png").write_bytes((moved / "01.png").read_bytes())
    there = ["dataset=folder", f"dataset.root={moved}"]
    assert promote(1, *there) == 2
    assert promotion.version_tags(store, NAME, 1)["data.fingerprint"] in capfd.readouterr().err
    shutil.copy(made / "images" / "00.png", moved / "00.png")
    assert promote(1, *there) == 0
