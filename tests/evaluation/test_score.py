"""Scores of small images whose answers are known."""

import csv
import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from srexp.errors import RequestError, SrexpError
from srexp.evaluation import score as score_module
from srexp.evaluation.score import score
from srexp.metrics import lpips
from srexp.metrics.protocol import Protocol
from srexp.types import Sample


def sample(key="a.png", size=24, bits=8, seed=0, channels=1):
    levels = np.random.default_rng(seed).integers(20, 2**bits - 20, (size, size + 4, channels))
    high = (levels / (2**bits - 1)).astype(np.float32)
    return Sample(key=key, patient="secret", bits=bits, low=high, high=high)


def brighter(by):
    return lambda low: (low + by).astype(np.float32)


SAMPLES = [sample("a.png", seed=0), sample("deep/b.png", seed=1, size=30), sample("c.dcm#3", seed=2, bits=12)]


def test_what_the_protocol_asks_for_is_measured_of_test_images_alone(monkeypatch):
    seen = []

    def distance(restored, high, *, max_value, weights):
        seen.append((restored.shape, float(np.abs(restored - high).max()), max_value, weights))
        return 0.25

    monkeypatch.setattr(lpips, "lpips", distance)
    asked = Protocol(lpips=Path("weights.npz"))
    for protocol, full in ((asked, False), (Protocol(), True)):
        assert "lpips" not in score(brighter(1 / 255), [sample()], protocol, 1, full=full).metrics
    scores = score(brighter(1 / 255), [sample()], asked, 1, baseline=brighter(3 / 255), full=True)
    assert (scores.metrics[-1], scores.means()["lpips"], scores.means("baseline")["lpips"]) == ("lpips", 0.25, 0.25)
    where = (22, 26, 1), 255, Path("weights.npz")
    assert sorted(seen) == [(where[0], error, *where[1:]) for error in (1, 3)]


def test_known_error_gives_the_known_decibels():
    scores = score(brighter(1 / 255), [sample()], Protocol(), 1)
    assert scores.values("psnr") == [pytest.approx(20 * math.log10(255), abs=1e-9)]


def test_bit_depth_sets_the_range():
    off_by_one = [score(brighter(1 / (2**bits - 1)), [sample(bits=bits)], Protocol(), 1) for bits in (8, 12, 16)]
    decibels = [scores.values("psnr")[0] for scores in off_by_one]
    assert decibels == pytest.approx([20 * math.log10(255), 20 * math.log10(4095), 20 * math.log10(65535)])


def test_errors_in_the_border_do_not_count():
    def wrong_edge(low):
        restored = low.copy()
        restored[:2], restored[:, -2:] = 0, 1
        return restored

    assert score(wrong_edge, [sample()], Protocol(), 2).values("psnr") == [math.inf]
    assert score(wrong_edge, [sample()], Protocol(shave=1), 2).values("psnr")[0] < 40


def test_rows_keep_key_size_and_both_predictors():
    scores = score(brighter(1 / 255), SAMPLES, Protocol(), 1, baseline=brighter(3 / 255))
    assert [row.key for row in scores.rows] == ["a.png", "deep/b.png", "c.dcm#3"]
    assert [(row.height, row.width, row.bits) for row in scores.rows] == [(24, 28, 8), (30, 34, 8), (24, 28, 12)]
    assert all(row.model["psnr"] > row.baseline["psnr"] for row in scores.rows)
    assert scores.gain().wins == 3
    assert scores.gain().gain == pytest.approx(scores.means()["psnr"] - scores.means("baseline")["psnr"])
    assert scores.gain("ssim").gain > 0


def test_colour_is_scored_over_all_channels():
    scores = score(brighter(1 / 255), [sample(channels=3)], Protocol(channel="rgb"), 1)
    assert scores.values("psnr")[0] == pytest.approx(48.1308036, abs=1e-6)


def test_summary_of_several_images():
    summary = score(brighter(2 / 255), SAMPLES, Protocol(), 1).summary()
    assert summary["n_images"] == 3
    assert summary["n_infinite"] == 0
    assert summary["psnr_ci95"][0] <= summary["psnr"] <= summary["psnr_ci95"][1]
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_infinity_is_counted_and_never_averaged():
    exact = {"a.png"}

    def exact_for_some(low):
        return low if low.shape[0] == 24 else brighter(1 / 255)(low)

    summary = score(exact_for_some, SAMPLES[:2], Protocol(), 1).summary()
    assert summary["n_infinite"] == len(exact)
    assert summary["psnr"] == pytest.approx(20 * math.log10(255))
    json.dumps(summary, allow_nan=False)


def test_all_identical_has_no_mean_psnr():
    summary = score(lambda low: low, SAMPLES, Protocol(), 1).summary()
    assert (summary["psnr"], summary["psnr_std"], summary["psnr_ci95"]) == (None, None, None)
    assert (summary["ssim"], summary["ssim_ci95"], summary["n_infinite"]) == (1, [1, 1], 3)


def test_one_image_has_no_spread():
    summary = score(brighter(1 / 255), [sample()], Protocol(), 1).summary()
    assert (summary["psnr_std"], summary["psnr_ci95"], summary["n_images"]) == (None, None, 1)


def test_constant_image_gets_a_right_number():
    flat = np.full((24, 24, 1), 100 / 255, np.float32)
    scores = score(brighter(10 / 255), [Sample("flat", "p", 8, flat, flat)], Protocol(), 1)
    assert scores.values("psnr") == [pytest.approx(20 * math.log10(25.5))]
    assert scores.values("ssim") == [pytest.approx((22000 + 6.5025) / (22100 + 6.5025), abs=1e-9)]


def test_on_image_sees_everything_once_per_image():
    seen = []
    scores = score(
        brighter(1 / 255),
        iter(SAMPLES),
        Protocol(),
        1,
        baseline=lambda low: low,
        on_image=lambda *args: seen.append(args),
    )
    assert [(one.key, row) for one, _, _, row in seen] == [(row.key, row) for row in scores.rows]
    assert all(np.array_equal(reference, one.low) for one, _, reference, _ in seen)
    assert all(restored.shape == one.high.shape for one, restored, _, _ in seen)


def test_csv_has_keys_as_they_are_and_no_patient(tmp_path):
    path = tmp_path / "rows.csv"
    score(lambda low: low, SAMPLES, Protocol(), 1, baseline=brighter(1 / 255)).write_csv(path)
    assert "secret" not in path.read_text()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == [one.key for one in SAMPLES]
    assert rows[0]["psnr"] == "inf"
    assert float(rows[0]["baseline_psnr"]) == pytest.approx(20 * math.log10(255))
    assert (rows[1]["height"], rows[1]["width"], rows[2]["bits"]) == ("30", "34", "12")


def test_csv_without_baseline_leaves_its_cells_empty(tmp_path):
    path = tmp_path / "rows.csv"
    score(brighter(1 / 255), [sample()], Protocol(), 1).write_csv(path)
    assert path.read_text().splitlines()[1].endswith(",,")


def noisy(low):
    return (low + np.random.default_rng(low.shape[0]).normal(0, 0.02, low.shape)).astype(np.float32)


def test_the_full_table_has_stable_columns():
    metrics = ["psnr", "ssim", "ms_ssim", "haarpsi", "gmsd", "vifp", "detail_energy", "mae", "edge_mae"]
    metrics += ["psnr_coarse", "psnr_medium", "psnr_fine"]
    one = replace(sample(size=180), sha256="ab12")
    (row,) = score(noisy, [one], Protocol(), 1, baseline=noisy, full=True).table()
    assert list(row) == ["key", "height", "width", "bits", "sha256", *metrics, *(f"baseline_{m}" for m in metrics)]
    assert row["sha256"] == "ab12"
    assert all(row[name] == row[f"baseline_{name}"] for name in metrics)


def test_full_metrics_of_images_of_different_sizes():
    scores = score(noisy, [sample("large", size=180), sample("small", size=40)], Protocol(), 1, full=True)
    assert scores.values("ms_ssim")[1] is None
    spread = scores.spread("ms_ssim")
    assert (spread["n"], spread["n_missing"], spread["mean"]) == (1, 1, scores.values("ms_ssim")[0])
    summary = scores.summary()
    assert (summary["ms_ssim_n"], summary["psnr_n"], summary["n_images"]) == (1, 2, 2)
    json.dumps(summary, allow_nan=False)


def test_a_gain_is_for_the_better_whichever_way_a_metric_points():
    scores = score(brighter(1 / 255), SAMPLES[:2], Protocol(), 1, baseline=brighter(3 / 255), full=True)
    assert scores.gain("mae").gain == pytest.approx(2)
    assert scores.gain("mae").wins == scores.gain("psnr").wins == 2
    assert scores.gain("ms_ssim").n_pairs == 0  # all are too small for it


def test_constant_and_identical_images_have_full_metrics():
    flat = np.full((24, 24, 1), 100 / 255, np.float32)
    scores = score(lambda low: low, [Sample("flat", "p", 8, flat, flat)], Protocol(), 1, full=True)
    assert scores.means() == {
        "psnr": None, "ssim": 1, "ms_ssim": None, "mae": 0, "edge_mae": None, "gmsd": 0, "vifp": None,
        "haarpsi": pytest.approx(1), "detail_energy": None,
        "psnr_coarse": None, "psnr_medium": None, "psnr_fine": None,
    }  # fmt: skip


def test_parquet_says_the_same_as_csv(tmp_path):
    scores = score(lambda low: low, SAMPLES, Protocol(), 1, baseline=noisy, full=True)
    scores.write_csv(tmp_path / "rows.csv")
    scores.write_parquet(tmp_path / "rows.parquet")
    rows = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert rows == scores.table()
    assert (rows[0]["psnr"], rows[0]["ms_ssim"], rows[2]["bits"]) == (math.inf, None, 12)
    with (tmp_path / "rows.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert written == [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


def test_refuses_no_images():
    with pytest.raises(RequestError, match="no image to score"):
        score(lambda low: low, [], Protocol(), 1)


def test_refuses_by_name_a_prediction_with_nan():
    with pytest.raises(SrexpError, match=r"deep/b\.png"):
        score(lambda low: low * np.nan if low.shape[0] == 30 else low, SAMPLES, Protocol(), 1)


def test_refuses_by_name_a_model_of_another_scale():
    with pytest.raises(RequestError, match=r"a\.png[\s\S]*\(48, 56, 1\)"):
        score(lambda low: low.repeat(2, 0).repeat(2, 1), SAMPLES, Protocol(), 1)


def test_an_image_is_measured_while_the_next_one_is_restored(monkeypatch):
    following = threading.Event()
    measured = score_module.measure

    def waiting(found, wanted, **options):
        assert following.wait(timeout=60), "the next image is restored only after this one was measured"
        return measured(found, wanted, **options)

    def predict(low):
        seen.append(low)
        if len(seen) == 2:
            following.set()
        return brighter(1 / 255)(low)

    seen: list[object] = []
    expected = score(brighter(1 / 255), SAMPLES, Protocol(), 1, baseline=brighter(3 / 255), full=True)
    monkeypatch.setattr(score_module, "measure", waiting)
    assert score(predict, SAMPLES, Protocol(), 1, baseline=brighter(3 / 255), full=True) == expected


def test_an_image_that_cannot_be_scored_is_named_while_others_are_restored():
    with pytest.raises(SrexpError, match=r"deep/b\.png holds values that are not numbers"):
        score(lambda low: low * (np.nan if low.shape[0] == 30 else 1), SAMPLES, Protocol(), 1)
