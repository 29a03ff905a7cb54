"""What a user gets from `python -m srexp evaluate`: models that exist, interpolation, and data that is awkward."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

import srexp
from srexp.cli import run
from srexp.errors import RequestError
from srexp.system.masking.pseudonyms import pseudonym
from tests.metrics.lpips_oracles import arrays

CONTRACT = {
    "run_id", "experiment_name", "model_uri", "model", "split", "trained_on", "test", "baseline", "gain_db",
    "gain_ci95", "p_value", "metrics", "protocol", "data_fingerprint", "warnings", "seconds", "peak_rss_mb",
}  # fmt: skip

PLAIN = ["tracking.max_images=0", "tracking.system_metrics=false"]


def save(folder, *images):
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(np.asarray(image, np.uint8)).save(folder / f"{number}.png")
    return ["evaluate", "dataset=folder", f"dataset.root={folder}", *PLAIN]


def textured(height, width, seed=0):
    coarse = np.random.default_rng(seed).integers(30, 220, (height // 4 + 1, width // 4 + 1), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.slow
@pytest.mark.system
def test_a_trained_model_is_scored_on_its_test_images_and_told_off_on_all(two_trainings, folder_of, capfd):
    project, trained = two_trainings, two_trainings.trainings[1]
    done = project.run(
        "evaluate",
        *folder_of,
        "seed=2",
        "tracking.max_images=1",
        "split=test",
        "model_uri=models:/folder-bicubic-x2@candidate",
    )
    assert done.returncode == 0, done.stderr
    for shown in ("srcnn", "bicubic", "PSNR dB", "MS-SSIM", "error at edges", "protocol", "python -m srexp ui"):
        assert shown in done.stdout
    result = project.results()[-1]
    assert result.keys() >= CONTRACT
    for key in ("test", "baseline", "gain_db", "protocol", "data_fingerprint", "experiment_name"):
        assert result[key] == trained[key]
    assert result["trained_on"] == {"train": 0, "validation": 0}
    assert result["model"]["run_id"] == trained["run_id"]
    assert f"models:/{result['model']['model_id']}" == trained["model_uri"]
    assert result["metrics"]["psnr"]["model"]["n"] == result["test"]["n_images"] == 2

    evaluated = project.client().get_run(result["run_id"])
    assert evaluated.info.status == "FINISHED"
    assert (evaluated.data.tags["verb"], evaluated.data.tags["leak"]) == ("evaluate", "false")
    assert evaluated.data.metrics["test/psnr"] == pytest.approx(trained["test"]["psnr"])
    assert not [name for name in evaluated.data.params if name.startswith(("model.", "optimizer."))]
    logged = project.client().get_logged_model(result["model"]["model_id"])
    linked = {metric.key: metric for metric in logged.metrics}
    assert linked["evaluate/psnr"].run_id == result["run_id"]
    assert linked["evaluate/psnr"].dataset_name == "folder/test"
    artifacts = {file.path for file in project.client().list_artifacts(result["run_id"], "scores")}
    assert artifacts == {"scores/test.csv", "scores/test.parquet"}
    assert project.client().list_artifacts(result["run_id"], "panels")

    capfd.readouterr()
    whole = srexp.run("evaluate", [*folder_of, *PLAIN, f"model_uri={trained['model_uri']}"])
    seen = whole["trained_on"]
    assert (whole["test"]["n_images"], seen["train"] + seen["validation"]) == (20, 18)
    assert [warning for warning in whole["warnings"] if "the model was trained on" in warning]
    assert f"{sum(seen.values())} of 20" in capfd.readouterr().out
    assert project.client().get_run(whole["run_id"]).data.tags["leak"] == "true"

    assert run(["evaluate", *folder_of, f"model_uri={trained['model_uri']}", "scale=4"]) == 2
    assert "scale=2" in capfd.readouterr().err
    assert run(["evaluate", *folder_of, f"model_uri={trained['model_uri']}", "protocol.channel=rgb"]) == 2
    assert "protocol.channel=grey" in capfd.readouterr().err


def test_interpolation_needs_no_training_and_leaves_rows(project, folder_of):
    result = srexp.run("evaluate", [*folder_of, *PLAIN, "model_uri=lanczos"])
    assert result["test"]["n_images"] == 20
    assert result["gain_ci95"][0] <= result["gain_db"] <= result["gain_ci95"][1]
    assert result["p_value"] < 0.05
    assert result["trained_on"] == {"train": 0, "validation": 0}
    [folder] = (project.root / "mlruns" / "outputs" / "evaluate").glob("*/*")
    rows = parquet.read_table(folder / "test.parquet").to_pylist()
    with (folder / "test.csv").open(newline="") as file:
        assert [row["key"] for row in csv.DictReader(file)] == [row["key"] for row in rows]
    assert np.mean([row["psnr"] for row in rows]) == pytest.approx(result["test"]["psnr"])
    assert len({row["sha256"] for row in rows}) == 20

    same = srexp.run("evaluate", [*folder_of, *PLAIN, "model_uri=bicubic"])
    assert same["test"] == {**same["baseline"]["bicubic"], "n_images": 20}
    assert (same["gain_db"], same["p_value"]) == (0, 1)


@pytest.mark.slow
def test_awkward_images_get_a_right_number(project, tmp_path):
    flat, large, small = np.full((40, 44), 90), textured(190, 233), textured(31, 64)
    asked = save(tmp_path / "mixed", flat, large, small)
    result = srexp.run(asked[0], [*asked[1:], "model_uri=nearest"])
    assert result["test"]["n_images"] == 3
    psnr, ms_ssim = result["metrics"]["psnr"]["model"], result["metrics"]["ms_ssim"]["model"]
    assert (psnr["n"], psnr["n_infinite"]) == (2, 1)  # a constant image is restored without error
    assert (ms_ssim["n"], ms_ssim["n_missing"], ms_ssim["std"]) == (1, 2, None)
    assert any("one value only" in warning for warning in result["warnings"])
    json.dumps(result, allow_nan=False)

    asked = save(tmp_path / "one", textured(60, 50))
    result = srexp.run(asked[0], [*asked[1:], "model_uri=lanczos"])
    assert (result["gain_ci95"], result["p_value"]) == (None, None)
    assert result["test"]["psnr"] is not None


@pytest.mark.slow
def test_images_too_small_to_be_scored_are_all_named(project, tmp_path, capfd):
    asked = save(tmp_path / "small", textured(40, 40), textured(14, 40), textured(40, 13))
    assert run([*asked, "model_uri=bicubic"]) == 2
    said = capfd.readouterr().err
    assert "2 of 3 images can't be used" in said
    for file in ("1.png: is 14 x 40", "2.png: is 40 x 13"):
        assert file in said
    assert "SSIM's window inside the border needs 15 x 15" in said
    assert "dataset.on_error=skip" in said
    assert "Traceback" not in said

    result = srexp.run(asked[0], [*asked[1:], "model_uri=bicubic", "dataset.on_error=skip"])
    assert (result["test"]["n_images"], result["skipped_images"]) == (1, 2)
    [told] = [each for each in result["warnings"] if "2 unusable images left out" in each]
    assert all(pseudonym(file) in told for file in ("1.png", "2.png"))


def test_a_model_file_that_gives_nan_fails_and_names_the_image(project, tmp_path, capfd):
    import keras

    image = keras.Input((None, None, 1))
    broken = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(keras.layers.UpSampling2D(2)(image)))
    broken.set_weights([weights * np.nan for weights in broken.get_weights()])
    broken.save(tmp_path / "broken.keras")
    asked = save(tmp_path / "images", textured(40, 40))
    assert run([*asked, f"model_uri={tmp_path / 'broken.keras'}"]) == 1
    said = capfd.readouterr().err
    assert "0.png holds values that are not numbers" in said
    assert [tracked.info.status for tracked in project.runs()] == ["FAILED"]


@pytest.mark.slow
def test_a_foreign_file_is_scored_and_its_training_called_unknown(project, tmp_path):
    import keras

    image = keras.Input((None, None, 1))
    keras.Model(image, keras.layers.UpSampling2D(2)(image), name="mine").save(tmp_path / "mine.keras")
    asked = save(tmp_path / "images", textured(60, 50))
    result = srexp.run(asked[0], [*asked[1:], f"model_uri={tmp_path / 'mine.keras'}"])
    assert result["model"]["name"] == "mine"
    assert result["trained_on"] is None
    assert any("isn't known which images" in warning for warning in result["warnings"])
    nearest = srexp.run(asked[0], [*asked[1:], "model_uri=nearest"])
    assert nearest["test"] == result["test"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "model_uri is missing"),
        (["model_uri=bicubicc"], "did you mean bicubic?"),
        (["model_uri=nowhere.keras"], "no file nowhere.keras"),
        (["model_uri=bicubic", "split=tset"], "split='tset'"),
    ],
)
def test_a_wrong_request_exits_2_before_anything_is_read(project, capfd, asked, said):
    assert run(["evaluate", "dataset=folder", "dataset.root=/nowhere", *asked]) == 2
    assert said in capfd.readouterr().err


@pytest.mark.slow
def test_lpips_stands_beside_the_others_where_its_weights_are_given(project, tmp_path, capfd):
    weights = tmp_path / "lpips.npz"
    np.savez(weights, **arrays())
    typed = [*save(tmp_path / "images", textured(40, 48), textured(64, 40, seed=1))[1:], "model_uri=lanczos"]
    plain, learned = srexp.run("evaluate", typed), srexp.run("evaluate", [*typed, f"protocol.lpips={weights}"])
    assert "lpips" not in plain["test"] | plain["protocol"]
    assert "trained on photographs" in learned["protocol"].pop("lpips")
    assert learned["protocol"] == plain["protocol"]
    model, bicubic = learned["test"].pop("lpips"), learned["baseline"]["bicubic"].pop("lpips")
    assert 0 < model != bicubic > 0
    assert learned["metrics"]["lpips"]["gain"]["gain"] == pytest.approx(bicubic - model)
    for key in ("test", "baseline", "gain_db", "p_value"):
        assert learned[key] == plain[key]
    tracked = {run.info.run_id: run.data.metrics for run in project.runs()}[learned["run_id"]]
    assert (tracked["test/lpips"], tracked["bicubic/lpips"]) == (model, bicubic)
    assert "LPIPS, of photographs" in capfd.readouterr().out
    before = [*typed, f"protocol.lpips={weights}"]
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(RequestError, match=r"^protocol\.lpips"):
        srexp.run("evaluate", before)


TIMED = ("seconds", "peak_rss_mb", "run_id", "shards")


def untimed(result):
    return {key: value for key, value in result.items() if key not in TIMED}


@pytest.mark.slow
def test_shards_come_to_the_result_of_one_process(project, folder_of, capfd):
    asked = [*folder_of, "tracking.max_images=1", "tracking.system_metrics=false", "model_uri=lanczos"]
    one = srexp.run("evaluate", asked)
    parts = [srexp.run("evaluate", [*asked, f"shard={number}/3"]) for number in (2, 3, 1)]
    assert [part.get("missing_shards") for part in parts] == [["1/3", "3/3"], ["1/3"], None]
    assert [part["run_id"] is None for part in parts] == [True, True, False]
    joined = parts[-1]
    assert untimed(joined) == untimed(one)
    assert [each["shard"] for each in joined["shards"]] == ["1/3", "2/3", "3/3"]
    assert sum(each["n_images"] for each in joined["shards"]) == one["test"]["n_images"] == 20

    runs = {tracked.info.run_id: tracked for tracked in project.runs()}
    assert set(runs) == {one["run_id"], joined["run_id"]}  # one run of all shards
    of_one, of_all = runs[one["run_id"]].data, runs[joined["run_id"]].data
    assert of_all.params == of_one.params
    scored = {name: value for name, value in of_one.metrics.items() if name.startswith(("test/", "bicubic/", "gain"))}
    assert len(scored) > 10
    assert {name: of_all.metrics[name] for name in scored} == scored
    artifacts = [{file.path for file in project.client().list_artifacts(run_id, "panels")} for run_id in runs]
    assert artifacts[0] == artifacts[1] != set()
    tables = list((project.root / "mlruns" / "outputs" / "evaluate").rglob("test.csv"))
    assert len(tables) == 2
    assert tables[0].read_bytes() == tables[1].read_bytes()

    assert "missing: 1/3, 3/3" in capfd.readouterr().out
    again = srexp.run("evaluate", [*asked, "shard=2/3"])
    assert (again["skipped"], again["run_id"]) == (True, joined["run_id"])
    assert len(project.runs()) == 2
    project.client().delete_run(joined["run_id"])
    assert srexp.run("evaluate", [*asked, "shard=2/3"])["run_id"] not in (None, joined["run_id"])
