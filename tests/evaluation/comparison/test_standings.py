"""Ranking, wins, gains, and tests that are corrected for their number."""

import json
import math

import numpy as np
import pytest

from srexp.evaluation.comparison.conclusions import limits, summary
from srexp.evaluation.comparison.standings import BASELINE, Contender, standings
from srexp.evaluation.statistics import compare, holm, mean_ci95


def contender(name, psnr, **known):
    return Contender(name=name, values={"psnr": psnr, "ssim": [0.9] * len(psnr)}, **known)


@pytest.fixture
def found():
    rng = np.random.default_rng(3)
    bicubic = rng.normal(30, 3, 12)
    better, much_better = bicubic + rng.normal(0.5, 0.1, 12), bicubic + rng.normal(1.5, 0.2, 12)
    return standings(
        [f"{place}.png" for place in range(12)],
        [
            contender("small", better.tolist()),
            contender(BASELINE, bicubic.tolist()),
            contender("big", much_better.tolist()),
        ],
    )


def test_rows_are_ranked_and_carry_their_spread(found):
    assert [row.name for row in found.rows] == ["big", "small", BASELINE]
    assert found.best.name == "big"
    for row in found.rows:
        values = row.contender.values["psnr"]
        assert row.means["psnr"].mean == pytest.approx(np.mean(values))
        assert row.means["psnr"].ci95 == mean_ci95(values)
    assert [row.wins for row in found.rows] == [12, 0, 0]
    assert found.row(BASELINE).gains == {}
    assert found.row("small").gains["psnr"].gain == pytest.approx(
        found.row("small").means["psnr"].mean - found.row(BASELINE).means["psnr"].mean
    )


def test_every_pair_is_tested_and_corrected_as_one_family(found):
    raw = [pair.difference.p_value for pair in found.pairs]
    assert len(raw) == 3
    assert [pair.p_holm for pair in found.pairs] == holm(raw)
    again = compare(found.row("big").contender.values["psnr"], found.row("small").contender.values["psnr"])
    assert found.pair("small", "big").difference == again
    assert found.row("small").p_best == found.pair("big", "small").p_holm
    assert found.best.p_best is None


def test_holm_by_hand():
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1, never falling (Holm 1979; R: p.adjust(p, "holm")).
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_ties_are_nobodys_wins():
    found = standings(["a", "b"], [contender("one", [31.0, 32.0]), contender("two", [31.0, 33.0])])
    assert {row.name: row.wins for row in found.rows} == {"one": 0, "two": 1}


def test_infinite_psnr_is_counted_apart_and_ranked_first():
    found = standings(
        ["a", "b"],
        [
            contender(BASELINE, [30.0, 31.0]),
            contender("copy", [math.inf, math.inf]),
            contender("half", [math.inf, 32.0]),
        ],
    )
    assert found.best.name == "copy"
    assert found.best.means["psnr"].mean is None
    assert found.row("half").means["psnr"].mean == 32.0
    assert found.row("half").means["psnr"].n_infinite == 1
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["best"] == "copy"
    assert summary(found)[0].startswith("copy restores every pixel")
    assert any("half restores 1 image without any error" in said for said in limits(found))


def of(squared_errors):
    return [math.inf if error == 0 else 10 * math.log10(65025 / error) for error in squared_errors]


@pytest.mark.parametrize("black", [1, 5])
@pytest.mark.parametrize("levels", [(0, 1), (1, 0), (1, 1), (0, 0)])
def test_black_slices_do_not_turn_the_order_round(black, levels):
    """Three levels off come before six, and both before bicubic, whoever restores the black slices exactly."""
    named = zip(
        ("three", "six"), ([9] * 2 + [levels[0] ** 2] * black, [36] * 2 + [levels[1] ** 2] * black), strict=True
    )
    rows = [contender(name, of(errors)) for name, errors in named]
    found = standings(list("abcdefg")[: 2 + black], [*reversed(rows), contender(BASELINE, of([200] * 2 + [0] * black))])
    assert [row.name for row in found.rows] == ["three", "six", BASELINE]
    gains = [found.row(name).gains["psnr"].gain for name in ("three", "six")]
    assert gains[0] > gains[1] > 0
    assert found.pair("three", "six").difference.gain == pytest.approx(gains[0] - gains[1])
    kept = found.as_dict()["models"]
    assert kept[0]["ranking_psnr"] > kept[1]["ranking_psnr"] > kept[2]["ranking_psnr"]


@pytest.mark.parametrize("turned", [False, True])
def test_who_is_nowhere_worse_comes_first_even_if_only_a_black_slice_tells(turned):
    two = [contender("spoils", [31.0, 48.0]), contender("leaves", [31.0, math.inf])]
    found = standings(["a", "b"], [contender(BASELINE, [30.0, math.inf]), *(two[::-1] if turned else two)])
    assert found.best.name == "leaves"
    assert summary(found)[0].startswith("leaves ranks first on 2 test images")


def test_words_claim_what_the_test_carries(found):
    said = " ".join(summary(found)).replace("\u00a0", " ")
    assert said.startswith("big has the highest mean PSNR on 12 test images")
    assert "better on 12 of 12 images: more than chance (p = 0.001 after Holm's correction)" in said
    assert "Better than bicubic, with an interval that excludes zero: big" in said


def test_words_claim_nothing_else():
    same = [30.0, 31.0, 32.0, 33.0, 34.0, 35.0, 36.0]
    noise = [30.1, 30.9, 32.1, 32.9, 34.1, 34.9, 36.05]
    found = standings(list("abcdefg"), [contender(BASELINE, same), contender("noise", noise)])
    assert "Not told apart from bicubic: noise" in " ".join(summary(found))
    worse = standings(list("abcdefg"), [contender(BASELINE, same), contender("blur", [value - 1 for value in same])])
    assert worse.best.name == BASELINE
    assert "Worse than bicubic: blur -1.00 dB" in " ".join(summary(worse))


@pytest.mark.parametrize(
    ("loss", "wins"), [(3.0, 19), (5.0, 1)]
)  # the better one by mean may be the worse one by ranks
def test_where_interval_and_test_disagree_both_are_told(loss, wins):
    base = [30.0 + place for place in range(20)]
    mostly = [value + 0.1 + place / 100 for place, value in enumerate(base)]
    mostly[7] -= loss  # one image makes the mean unsure, not the ranks
    found = standings([str(place) for place in range(20)], [contender("even", base), contender("mostly", mostly)])
    low, high = found.pairs[0].difference.ci95
    assert low < 0 < high
    said = " ".join(summary(found)).replace("\u00a0", " ")
    assert f"better on {wins} of 20 images. By ranks they differ by more than chance (p < 0.001" in said
    assert "may be chance" not in said


def test_few_images_are_not_called_chance_nor_proof():
    base = [30.0, 31.0, 32.0, 33.0, 34.0, 35.0]
    found = standings(
        list("abcdef"),
        [contender(BASELINE, base), contender("one", [v + 1.1 for v in base]), contender("two", [v + 1 for v in base])],
    )
    assert "it can't fall below p\u00a0=\u00a00.094" in " ".join(summary(found))
    single = standings(["a"], [contender(BASELINE, [30.0]), contender("one", [31.0]), contender("two", [30.5])])
    assert "one is 0.50 dB above two on the one image." in summary(single)
    assert limits(single)[0].startswith("One test image")


@pytest.mark.parametrize("metric", ["mae", "edge_mae"])
def test_a_smaller_error_is_a_gain_as_in_evaluate(metric):
    errors = {"model": [1.0, 2.0], BASELINE: [3.0, 4.5]}
    rows = [Contender(name=name, values={"psnr": [30.0, 31.0], metric: each}) for name, each in errors.items()]
    found = standings(["a.png", "b.png"], rows)
    assert next(row for row in found.rows if row.name == "model").gains[metric].gain == pytest.approx(2.25)
