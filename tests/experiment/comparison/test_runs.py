"""Which runs may be compared, and what is said of those that may not."""

import shutil
from dataclasses import replace

import pytest

from srexp.errors import RequestError, SrexpError
from srexp.evaluation.comparison.standings import BASELINE
from srexp.experiment.comparison import runs
from srexp.experiment.comparison.entry import Entry
from srexp.experiment.comparison.runs import MOST, learning_curve, require_comparable, require_few
from srexp.metrics.protocol import ADDED
from srexp.system.masking.pseudonyms import fingerprint
from srexp.tracking.runs.queries import StoredRun, get_run
from srexp.tracking.runs.tracking import Tracking

PROTOCOL = {"channel": "grey", "scale": 2, "degradation": {"name": "bicubic"}}


def entry(number, *, fingerprint="f00", protocol=PROTOCOL, keys=("a.png", "b.png"), bicubic=(30.0, 31.0), **columns):
    images = [
        {"key": key, "height": "64", "width": "64", "bits": "8", "psnr": "32.5", "ssim": "0.9", "mae": "1",
         "baseline_psnr": str(value), "baseline_ssim": "0.8", "baseline_mae": "2", **columns}
        for key, value in zip(keys, bicubic, strict=True)
    ]  # fmt: skip
    return Entry(
        run=StoredRun(f"run{number}", f"model {number}", "task", "FINISHED", 0, {"model": "m"}, {}),
        name=f"m{number}",
        result={"data_fingerprint": fingerprint, "protocol": protocol},
        images=images,
        timings={},
        curve=[],
        config={},
        environment={},
    )


def refusal(*entries):
    with pytest.raises(RequestError) as caught:
        require_comparable(entries)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_runs_of_one_network_are_told_apart_by_as_few_words_as_it_takes():
    def called(*pairs):
        entries = [replace(entry(place), name=model) for place, (model, _) in enumerate(pairs)]
        named = [replace(each, run=replace(each.run, name=run)) for each, (_, run) in zip(entries, pairs, strict=True)]
        return [each.name for each in runs._named(named)]

    assert called(("srcnn", "srcnn 11-29 21:55"), ("vdsr", "vdsr 11-29 21:55")) == ["srcnn", "vdsr"]
    both = called(("vdsr", "vdsr lr=0.1 11-29 21:55"), ("vdsr", "vdsr lr=0.2 11-29 21:55"))
    assert both == ["vdsr lr=0.1", "vdsr lr=0.2"]
    again = ("vdsr", "vdsr lr=0.1 11-29 21:55"), ("vdsr", "vdsr lr=0.1 11-29 22:07")
    assert called(*again) == ["vdsr lr=0.1 11-29 21:55", "vdsr lr=0.1 11-29 22:07"]
    assert len({*called(again[0], again[0])}) == 2


def test_equal_runs_are_let_through():
    require_comparable([entry(1), entry(2), entry(3, bicubic=(30.001, 31.0))])


def test_a_run_that_knew_fewer_metrics_compares_and_one_that_measured_them_otherwise_does_not():
    later = {**PROTOCOL, "gmsd": ADDED["gmsd"]}
    require_comparable([entry(1), entry(2, protocol=later)])
    assert "runs=[run1,run2]" in refusal(entry(1), entry(2, protocol=later), entry(3, fingerprint="bad"))
    assert "protocol.gmsd" in refusal(entry(1, protocol=later), entry(2, protocol={**PROTOCOL, "gmsd": "another"}))


def test_runs_with_lpips_compare_with_those_without_and_not_by_other_weights():
    ours, theirs = ({**PROTOCOL, "lpips": f"weights {digest}"} for digest in ("a1", "b2"))
    require_comparable([entry(1), entry(2, protocol=ours), entry(3, protocol=ours)])
    assert "don't have the same protocol.lpips:" in refusal(
        entry(1), entry(2, protocol=ours), entry(3, protocol=theirs)
    )


def test_images_called_by_two_keys_are_refused_with_the_mend():
    theirs = entry(2)
    theirs.run.tags["pseudonym_key"] = "0badcafe"
    assert "SREXP_PSEUDONYM_KEY" in refusal(entry(1), theirs)
    ours = entry(3)
    ours.run.tags["pseudonym_key"] = fingerprint()
    require_comparable([entry(1), ours])


def test_other_data_are_refused_with_both_fingerprints_and_what_would_go():
    said = refusal(entry(1), entry(2, fingerprint="bad"), entry(3))
    assert "don't have the same data fingerprint:" in said
    assert "run1 (m1)  f00" in said
    assert "run2 (m2)  bad" in said
    assert "runs=[run1,run3]" in said


@pytest.mark.parametrize(
    ("other", "key", "ours", "theirs"),
    [
        ({**PROTOCOL, "channel": "y"}, "protocol.channel", "grey", "y"),
        ({**PROTOCOL, "degradation": {"name": "blur"}}, "protocol.degradation.name", "bicubic", "blur"),
        ({**PROTOCOL, "crop": 96}, "protocol.crop", "none", "96"),
    ],
)
def test_another_protocol_is_refused_side_by_side(other, key, ours, theirs):
    said = refusal(entry(1), entry(2, protocol=other))
    assert f"don't have the same {key}:" in said
    assert f"run1 (m1)  {ours}\n    run2 (m2)  {theirs}" in said


def test_other_test_images_are_refused():
    assert "a.png 64 64 8, c.png 64 64 8" in refusal(entry(1), entry(2, keys=("a.png", "c.png")))
    assert "2: a.png 64 64 8, b.png" in refusal(entry(1), entry(2, keys=("a.png",), bicubic=(30.0,)))


def test_other_pixels_under_the_same_name_are_refused():
    said = refusal(entry(1, sha256="aaaaaaaa1"), entry(2, sha256="bbbbbbbb2"))
    assert "pixels of the test images" in said
    require_comparable([entry(1, sha256="aaaaaaaa1"), entry(2)])  # an older run, without digests


def test_another_bicubic_on_the_same_images_is_refused():
    said = refusal(entry(1), entry(2, bicubic=(30.0, 31.5)))
    assert "up to 0.500 dB between run1 (m1) and run2 (m2)" in said
    require_comparable([entry(1, bicubic=(float("inf"), 31.0)), entry(2, bicubic=(float("inf"), 31.0))])
    require_comparable([entry(1, bicubic=(float("inf"), 31.0)), entry(2, bicubic=(102.3, 31.0))])  # one pixel, rounded
    refusal(entry(1, bicubic=(float("inf"), 31.0)), entry(2, bicubic=(60.0, 31.0)))


def test_more_models_than_colours_are_refused():
    many = [entry(number) for number in range(MOST + 1)]
    require_comparable(many)  # of which only the best are shown, unless all are asked for
    require_few(many[:MOST])
    with pytest.raises(RequestError, match=f"at most {MOST}"):
        require_few(many)


def test_all_metrics_are_taken_whatever_their_names():
    row, bicubic = entry(1, edge="3.5", baseline_edge="4.5").contender(), entry(1).baseline()
    assert row.values == {"psnr": [32.5] * 2, "ssim": [0.9] * 2, "mae": [1.0] * 2, "edge": [3.5] * 2}
    assert (bicubic.name, bicubic.values["psnr"]) == (BASELINE, [30.0, 31.0])


@pytest.fixture
def logged(tmp_path, made_store):
    """Track epochs that end at some seconds since the start; gives the learning curve of a training of 30 s."""
    shutil.copy(made_store, tmp_path / "mlflow.db")
    tracking = Tracking(folder=tmp_path, system_metrics=False)

    def curve(ended, spent=None):
        with tracking.run("task") as tracked:
            for epoch, at in enumerate(ended, 1):
                numbers = {"val_psnr": 30.0 + epoch, **({"training_seconds": spent[epoch - 1]} if spent else {})}
                tracked.log_metrics(numbers, step=epoch, milliseconds=1000 * (1_700_000_000 + at))
        points = learning_curve(tracking.store, tracked.id, 30.0)
        return [(point.epoch, round(point.seconds, 3), point.psnr) for point in points]

    return curve


def test_the_pause_of_an_interrupted_training_is_not_on_its_curve(logged):
    assert logged([10, 620, 630], [10.5, 20.5, 30.5]) == [(1, 10.5, 31), (2, 20.5, 32), (3, 30.5, 33)]


def test_of_an_older_run_the_curve_is_drawn_if_nothing_interrupted_it(logged):
    assert logged([10, 20, 30]) == [(1, 10, 31), (2, 20, 32), (3, 30, 33)]
    assert logged([10, 620, 630]) == []
    assert logged([]) == []


def stored(folder, made_store):
    """Give a store in a folder, and a run of two test images in it."""
    shutil.copy(made_store, folder / "mlflow.db")
    tracking = Tracking(folder=folder, system_metrics=False)
    whole = entry(1)
    with tracking.run("task") as tracked:
        tracked.log_dict({**whole.result, "test": {"n_images": 2}}, "result.json")
        tracked.log_rows(whole.images, "scores/test.csv")
        tracked.log_dict({}, "inference_times.json")
    return tracking, get_run(tracking.store, tracked.id)


def test_scores_that_lost_rows_are_refused(tmp_path, made_store):
    tracking, run = stored(tmp_path, made_store)
    assert [image["key"] for image in runs._read(tracking.store, run).images] == ["a.png", "b.png"]
    [scores] = tmp_path.rglob("scores/test.csv")
    scores.write_bytes(b"".join(scores.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(SrexpError, match=r"it has 1 images, and result.json says 2") as refused:
        runs._read(tracking.store, run)
    assert str(scores) in str(refused.value)


def test_what_is_no_finished_training_is_refused_with_what_it_lacks(tmp_path, made_store):
    tracking, run = stored(tmp_path, made_store)
    with pytest.raises(RequestError, match=f"run {run.run_id} can't be compared") as refused:
        runs._read(tracking.store, replace(run, status="FAILED"))
    assert "FAILED, with scored test images" in str(refused.value)
    [scores] = tmp_path.rglob("scores/test.csv")
    scores.write_text(scores.read_text().replace("baseline_ssim", "baseline"))
    with pytest.raises(RequestError, match=f"scores/test.csv of run {run.run_id} lacks columns"):
        runs._read(tracking.store, run)
    scores.unlink()
    with pytest.raises(RequestError, match="FINISHED, without scored test images"):
        runs._read(tracking.store, run)


DAMAGED = {
    "scores/test.csv": lambda text: text.replace("32.5", "3x.5"),
    "result.json": lambda text: text.replace('"n_images": 2', '"n_images": "two"'),
    "inference_times.json": lambda text: '{"a": "b"}',
}


@pytest.mark.parametrize("name", DAMAGED)
def test_an_artifact_in_which_something_else_stands_is_named(name, tmp_path, made_store):
    tracking, run = stored(tmp_path, made_store)
    [file] = tmp_path.rglob(name)
    file.write_bytes(DAMAGED[name](file.read_text()).encode())
    with pytest.raises(SrexpError, match=f"{name} of run .* can't be read: something in it isn't") as refused:
        runs._completed(tracking.store, runs._read(tracking.store, run), tmp_path)
    assert str(file) in str(refused.value)
