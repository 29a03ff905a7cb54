"""Names of metrics: grouped in the store, and those of earlier versions read as the same."""

from __future__ import annotations

import pytest

from srexp.tracking.metric_names import known, stored

NAMES = {
    "val_psnr": "_val/psnr",
    "best_val_ssim": "val/best_ssim",
    "loss": "_train/loss",
    "lr": "_train/lr",
    "test_psnr_fine": "test/psnr_fine",
    "gain_db": "test/gain_db",
    "bicubic_val_psnr": "bicubic/val_psnr",
    "training_seconds": "time/training_seconds",
    "inference_seconds/batch of 4": "time/inference_seconds batch of 4",
    "evaluate_gain_db": "evaluate/gain_db",
    "objective/val_psnr": "objective/val_psnr",
    "system/cpu_utilization_percentage": "system/cpu_utilization_percentage",
}


@pytest.mark.parametrize(("here", "there"), NAMES.items())
def test_a_name_comes_back_and_an_earlier_one_is_read_as_it_was(here: str, there: str) -> None:
    assert stored({here: 1.0}) == {there: 1.0}
    assert known({there: 1.0}) == known({there.removeprefix("_"): 1.0}) == known({here: 1.0}) == {here: 1.0}


def test_of_a_run_that_two_versions_wrote_the_later_figure_counts() -> None:
    for earlier in ("val_psnr", "val/psnr"):
        for both in ({earlier: 1.0, "_val/psnr": 2.0}, {"_val/psnr": 2.0, earlier: 1.0}):
            assert known(both) == {"val_psnr": 2.0}


def test_the_groups_with_curves_are_sorted_before_the_others() -> None:
    groups = dict.fromkeys(name.partition("/")[0] for name in sorted(NAMES.values()))
    assert list(groups)[:3] == ["_train", "_val", "bicubic"]
