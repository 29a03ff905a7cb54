"""`enhance` as a user types it: trees, bad files, models, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image, ImageCms

import srexp
from srexp.cli import run
from srexp.data.formats.registry import read_image
from srexp.errors import RequestError
from srexp.models import bicubic, vdsr
from tests.commands.enhancing import enhance, rows

pytestmark = pytest.mark.usefixtures("root")


@pytest.mark.parametrize("name", ["a.png", "sub/b.tif", "sub/1.2.3"])
def test_the_identity_gives_every_kind_back(models, tree, name):
    enhance(models / "identity_x1.keras", tree)
    before, after = read_image(tree / name), read_image(Path("out", name))
    assert before.bits == after.bits
    np.testing.assert_array_equal(before.pixels, after.pixels)


def test_a_tree_is_kept_and_listed(models, tree):
    result = enhance(models / "plus_x2.keras", tree)
    names = ["a.png", "sub/1.2.3", "sub/b.tif"]
    assert result["restored"] == result["outputs"] == names
    assert (result["failed"], result["skipped"], result["scale"], result["intensity"]) == ([], [], 2, "bits")
    assert sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*") if path.is_file()) == sorted(
        [*names, "enhanced.csv", "gallery.html"]
    )
    assert [(row["input"], row["output"], row["model"]) for row in rows()] == [
        (name, name, "plus_x2.keras") for name in names
    ]
    low = read_image(tree / "a.png").to_float()
    expected = np.asarray(bicubic.build(2, 1)(low[np.newaxis]))[0] + 0.1
    assert read_image(Path("out/a.png")).to_float() == pytest.approx(expected.clip(0, 1), abs=0.51 / 255)
    image = pydicom.dcmread("out/sub/1.2.3")
    assert (image.Rows, "plus_x2.keras" in image.DerivationDescription) == (128, True)


def test_how_far_results_are_from_their_input_is_said_and_listed(models, tree, capsys):
    near = enhance(models / "identity_x2.keras", tree, check=True, check_levels=30, check_percent=30, names=True)
    assert set(near["distances"]) == {"a.png", "sub/b.tif", "sub/1.2.3"}
    assert near["warnings"] == []
    told = {row["input"]: float(row["distance_grey_levels"]) for row in rows()}
    assert told == pytest.approx(near["distances"], rel=1e-3)
    places = {row["input"]: float(row["worst_place_percent"]) for row in rows()}
    assert places == pytest.approx(near["worst_places"], rel=1e-3)
    said = capsys.readouterr().out
    assert "fidelity  reduced again, at most" in said
    assert "at the worst place" in said
    far = enhance(models / "plus_x2.keras", tree, "far", check=True, check_levels=20, check_percent=1e4, names=True)
    assert far["distances"]["sub/1.2.3"] == pytest.approx(25.5, abs=1)  # it adds a tenth
    [warning] = far["warnings"]
    assert "3 files reduced again: more than 20 grey levels from the input: a.png" in warning
    assert all(f"{name} {far['distances'][name]:.2f}" in warning for name in far["distances"])
    assert {row["marked"] for row in rows("far")} == {"distance_grey_levels above 20"}
    assert Path("far/gallery.html").read_text().count("above the bound") == 3
    assert {row["marked"] for row in rows()} == {""}
    assert "above the bound" not in Path("out/gallery.html").read_text()


def test_finished_files_are_measured_when_that_is_asked_for_later_and_once(models, tree):
    enhance(models / "identity_x2.keras", tree)
    assert {row["distance_grey_levels"] for row in rows()} == {""}
    first = enhance(models / "identity_x2.keras", tree, check=True)
    again = enhance(models / "identity_x2.keras", tree, check=True)
    assert (len(first["restored"]), len(again["skipped"])) == (3, 3)
    assert again["distances"] == pytest.approx(first["distances"], rel=1e-3)
    list_of_earlier = [line.rsplit(",", 5)[0] for line in Path("out/enhanced.csv").read_text().splitlines()]
    Path("out/enhanced.csv").write_text("\r\n".join([*list_of_earlier, ""]))
    assert len(enhance(models / "identity_x2.keras", tree, check=True)["skipped"]) == 3


@pytest.mark.slow
def test_where_a_network_is_unsure_is_drawn_listed_and_shown(models, tree, capsys):
    with pytest.raises(RequestError, match="spread=true has nothing to measure") as refused:
        enhance(models / "sideways_x2.keras", tree, spread=True)
    assert refused.value.exit_code == 2
    assert not Path("out").exists()
    result = enhance(models / "sideways_x2.keras", tree, spread=True, self_ensemble=True, names=True)
    assert set(result["spreads"]) == {"a.png", "sub/b.tif", "sub/1.2.3"}
    assert all(0.1 < each["mean"] < each["p99"] for each in result["spreads"].values())
    assert "spread    of the eight, 99 % of pixels at most" in capsys.readouterr().out
    listed = {row["input"]: row for row in rows()}
    for name, spread in result["spreads"].items():
        assert float(listed[name]["spread_mean_grey_levels"]) == pytest.approx(spread["mean"], rel=1e-3)
        assert float(listed[name]["spread_p99_grey_levels"]) == pytest.approx(spread["p99"], rel=1e-3)
        with Image.open(f"out/{name}.spread.png") as picture:
            assert picture.size[0] > 700
    assert Path("out/gallery.html").read_text().count("<figcaption>spread of the eight") == 3
    again = enhance(models / "sideways_x2.keras", tree, spread=True, self_ensemble=True, names=True)
    assert (len(again["skipped"]), again["spreads"].keys()) == (3, result["spreads"].keys())
    Path("out/a.png.spread.png").unlink()
    again = enhance(models / "sideways_x2.keras", tree, spread=True, self_ensemble=True, names=True)
    assert again["restored"] == ["a.png"]
    assert enhance(models / "identity_x2.keras", tree, "sure", spread=True, self_ensemble=True, names=True)["spreads"][
        "a.png"
    ]["p99"] == pytest.approx(0, abs=0.01)


def test_the_spread_of_several_images_in_a_file_is_that_of_the_least_sure(models, tmp_path):
    flat, busy = np.full((16, 20), 90, np.uint8), np.random.default_rng(0).integers(0, 256, (16, 20), np.uint8)
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "a.tif", np.stack([busy, flat, flat]), photometric="minisblack")
    tifffile.imwrite(tmp_path / "in" / "b.tif", busy, photometric="minisblack")
    result = enhance(models / "sideways_x2.keras", "in", spread=True, self_ensemble=True, names=True)
    assert result["spreads"]["a.tif"] == result["spreads"]["b.tif"]


def test_one_bad_file_does_not_stop_the_rest(models, tree, capsys):
    (tree / "cut.png").write_bytes((tree / "a.png").read_bytes()[:60])
    (tree / "empty.dcm").touch()
    arguments = [f"model_uri={models}/identity_x2.keras", f"input={tree}", "output=out", "hydra.run.dir=run"]
    assert run(["enhance", *arguments, "names=true"]) == 1
    said = capsys.readouterr()
    assert "2 of 5 files failed" in said.err
    assert "restored  3 files" in said.out
    result = json.loads(Path("run/result.json").read_text())
    assert {each["file"] for each in result["failed"]} == {"cut.png", "empty.dcm"}
    assert len(result["restored"]) == 3
    assert not list(Path("out").rglob(".srexp-*"))


def test_an_output_that_is_no_folder_is_a_wrong_request(models, tree):
    Path("out").touch()
    with pytest.raises(RequestError, match="output can't be written"):
        enhance(models / "identity_x2.keras", tree)


def test_nothing_usable_is_a_wrong_request(models, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("no image")
    with pytest.raises(RequestError, match="1 of 1 files failed"):
        enhance(models / "identity_x2.keras", "in")


def test_a_model_that_gives_no_numbers_writes_nothing(models, tree):
    with pytest.raises(RequestError, match="not numbers"):
        enhance(models / "nan_x1.keras", tree / "a.png")
    assert not Path("out/a.png").exists()


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["model_uri=bicubic", "input=nowhere", "output=out"], "input is not there"),
        (["model_uri=bicubic", "input=in/*.jpg", "output=out"], "input matches no file"),
        (["model_uri=bicubic", "input=in", "output=in"], "would replace the images of input"),
        (["model_uri=bicubic", "input=in/a.png", "output=in"], "would replace the images of input"),
        (["model_uri=bicubc", "input=in", "output=out"], "did you mean bicubic?"),
        (["input=in", "output=out"], "model_uri is missing"),
        (["model_uri=bicubic", "input=in", "output=out", "format=gif"], "format"),
        (["model_uri=MODELS/plus_x2.keras", "input=in", "output=out", "scale=3"], "the model has another scale"),
    ],
)
def test_wrong_requests(models, tree, overrides, told, capsys):
    overrides = [override.replace("MODELS", str(models)) for override in overrides]
    assert run(["enhance", *overrides]) == 2
    assert told in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_pattern_another_kind_and_pictures_beside(models, tree):
    result = enhance(models / "identity_x2.keras", f"'{tree}/**/*.tif'", format="png", compare=True)
    assert result["outputs"] == ["sub/b.png", "sub/b.png.compare.png"]
    assert read_image(Path("out/sub/b.png")).bits == 16
    with Image.open("out/sub/b.png.compare.png") as picture:
        assert picture.width == 1084
    assert enhance(models / "identity_x2.keras", f"'{tree}/**/*.tif'", format="png", compare=True)["restored"] == []


def test_colours(models, tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(colours).save("in/colour.png")
    Image.fromarray(colours[..., 0]).save("in/grey.png")
    for model in ("identity_x1", "colour_x1"):
        enhance(models / f"{model}.keras", "in", model)
        np.testing.assert_array_equal(read_image(Path(model, "colour.png")).pixels, colours)
        np.testing.assert_array_equal(read_image(Path(model, "grey.png")).pixels[..., 0], colours[..., 0])


@pytest.mark.parametrize("method", ["bicubic", "lanczos", "nearest"])
def test_interpolation_needs_no_network(method, tmp_path):
    grey = np.random.default_rng(0).integers(60, 200, (9, 12), np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(grey).save("in/grey.png")
    enhance(method, "in", scale=2)
    way = {
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
        "nearest": Image.Resampling.NEAREST,
    }
    other = np.asarray(Image.fromarray(grey).resize((24, 18), way[method]), np.int16)
    ours = read_image(Path("out/grey.png")).pixels[..., 0].astype(np.int16)
    inside = (slice(6, -6),) * 2  # what lies beyond an edge is a matter of taste
    assert np.abs(ours - other)[inside].max() <= (0 if method == "nearest" else 1)


def test_self_ensemble_of_the_identity_is_the_identity(models, tree):
    enhance(models / "identity_x1.keras", tree, self_ensemble=True)
    np.testing.assert_array_equal(read_image(tree / "a.png").pixels, read_image(Path("out/a.png")).pixels)


@pytest.mark.slow
def test_tiles_change_nothing(models, tmp_path):
    (tmp_path / "in").mkdir()
    network = vdsr.build(2, 1, depth=4, width=64, start="paper")
    network.save("trained.keras")
    Image.fromarray(np.random.default_rng(0).integers(0, 65536, (400, 300), np.uint16)).save("in/a.png")
    enhance("trained.keras", "in", "tiled", memory_mb=64)
    enhance("trained.keras", "in", "whole", memory_mb=4096)
    difference = np.abs(
        np.subtract(*(read_image(Path(name, "a.png")).pixels.astype(int) for name in ("tiled", "whole")))
    )
    assert difference.max() <= 1


def test_a_model_that_sees_everything_is_restored_whole(models, tree):
    low = read_image(tree / "a.png").to_float()
    enhance(models / "whole_x1.keras", tree / "a.png")
    found = read_image(Path("out/a.png")).to_float()
    assert found == pytest.approx((low - low.mean()).clip(0, 1), abs=0.51 / 255)


@pytest.mark.slow
def test_what_a_model_was_trained_with_decides_how_values_are_read(tree, root):
    from srexp.config.builders import build
    from srexp.tracking.registry import registry

    config = srexp.compose()
    with build(config.tracking, folder=config.paths.root).run("task") as tracked:
        trained = {"dataset": {"intensity": "percentile"}, "protocol": {"channel": "y"}, "tags": {"debug": "fast"}}
        tracked.log_config(trained, "")
        uri = registry.log_best(tracked, bicubic.build(2, 1), channels=1, step=1, metrics={})
        registry.register(tracked, uri, "task", tags={"degenerate": "true"})
    result = enhance("models:/task@candidate", tree / "a.png")
    assert (result["intensity"], result["model"]["version"]) == ("percentile", 1)
    assert any("percentile" in warning for warning in result["warnings"])
    assert any("restores nothing" in warning for warning in result["warnings"])
    assert any("smoke test, debug=fast" in warning for warning in result["warnings"])
    np.testing.assert_array_less(250, read_image(Path("out/a.png")).pixels.max())
    assert enhance(uri, tree / "a.png", "bits", intensity="bits")["intensity"] == "bits"


def test_what_a_file_can_not_hold_is_said_and_listed(models, tree, capsys):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("b.png", "c.png"):
        Image.new("RGB", (9, 9)).save(tree / name, icc_profile=profile)
    lost = "colour profile not kept, for which BMP has no place"
    result = enhance(models / "identity_x2.keras", f"{tree}/*.png", format="bmp")
    assert result["lost"] == {"b.png": [lost], "c.png": [lost]}
    assert f"2 files: {lost}" in result["warnings"]
    assert f"2 files: {lost}" in capsys.readouterr().out
    assert {row["input"]: row["not_kept"] for row in rows()} == {"a.png": "", "b.png": lost, "c.png": lost}
