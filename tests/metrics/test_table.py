"""What metrics are called and how many digits they have: one table, and it knows every metric."""

import math
import subprocess
import sys

import pytest

from srexp.metrics import table
from srexp.metrics.suite import FULL


def test_every_metric_is_in_the_table_and_its_digits_suit_a_comparison_less_than_a_decision():
    assert tuple(table.METRICS) == (*FULL, "lpips")
    for metric in table.METRICS.values():
        assert metric.name
        assert metric.digits <= metric.fine


@pytest.mark.parametrize(
    ("metric", "coarse", "fine"),
    [("psnr", "0.99", "0.988"), ("ssim", "0.9877", "0.98765"), ("mae", "0.988", "0.988"), ("fid", "0.988", "0.988")],
)
def test_a_value_has_the_digits_of_its_metric(metric, coarse, fine):
    assert table.figure(0.987654, metric) == coarse
    assert table.figure(0.987654, metric, fine=True) == fine


def test_nothing_lost_is_no_loss():
    assert [table.figure(-0.0001, sign=sign, fine=True) for sign in (True, False)] == ["+0.000", "0.000"]


def test_what_is_no_number_is_said():
    assert table.figure(None) == table.NONE
    assert table.figure(math.inf) == "inf"
    assert table.plus_minus(None, None, "ssim") == table.NONE


def test_headings_have_the_unit_where_there_is_one():
    headings = [table.heading(metric) for metric in (*table.QUICK, "mae", "unknown")]
    assert headings == ["PSNR dB", "SSIM", "mean error", "unknown"]


def test_it_costs_the_command_line_nothing():
    code = "import sys, srexp.metrics.table; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_each_metric_is_written_as_the_field_does():
    assert table.METRICS == {
        "psnr": ("PSNR", "dB", 2, 3, "high"),
        "ssim": ("SSIM", "", 4, 5, "high"),
        "ms_ssim": ("MS-SSIM", "", 4, 5, "high"),
        "haarpsi": ("HaarPSI", "", 4, 5, "high"),
        "gmsd": ("GMSD", "", 4, 5, "low"),
        "vifp": ("VIFp", "", 4, 5, "high"),
        "detail_energy": ("detail energy", "", 3, 3, "one"),
        "mae": ("mean error", "", 3, 3, "low"),
        "edge_mae": ("error at edges", "", 3, 3, "low"),
        "psnr_coarse": ("PSNR, coarse", "", 3, 3, "high"),
        "psnr_medium": ("PSNR, medium", "", 3, 3, "high"),
        "psnr_fine": ("PSNR, fine", "", 3, 3, "high"),
        "lpips": ("LPIPS, of photographs", "", 4, 5, "low"),
    }
    assert table.QUICK == ("psnr", "ssim")


def test_more_is_better_of_merits_whatever_the_metric():
    for metric, merits in {
        "psnr": [0.5, 2.0, None],
        "mae": [-0.5, -2.0, None],
        "detail_energy": [-0.5, -1.0, None],
    }.items():
        assert table.merits([0.5, 2.0, None], metric) == merits
    assert table.merits([0.5, None], "of an extension") == [0.5, None]


def test_a_value_is_one_of_psnr_unless_said():
    """Its digits are those of PSNR, of which a share of one has two more."""
    assert (table.figure(1.23456), table.with_unit(1.23456)) == ("1.23", "1.23 dB")
    assert table.with_unit(1.23456, "ssim", sign=True, fine=True) == "+1.23456"
    assert table.interval([1.23456, 2.0]) == "[1.23, 2.00]"
    assert table.interval([1.23456, 2.0], "ssim", sign=True, fine=True) == "[+1.23456, +2.00000]"
    assert table.plus_minus(1.23456, 0.5) == "1.235 ± 0.500"
    assert table.plus_minus(1.234567, 0.5, "ssim", sign=True) == "+1.23457 ± 0.50000"
