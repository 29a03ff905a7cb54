from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from srexp.errors import RequestError
from srexp.evaluation import promotion_gate
from srexp.evaluation.promotion_gate import Case, Criterion, Gate, Rival, rival, told
from srexp.evaluation.score import Row, Scores
from srexp.evaluation.statistics import compare

BETTER = Rival(name="bicubic", psnr=compare([31, 32, 34], [30, 31, 32]), ssim=compare([0.9], [0.9]))
CHAMPION = replace(BETTER, name="the champion")
GOOD = Case(
    degenerate=False, leaks=(), images=9, figures={"psnr": 32.0, "ssim": 0.9}, rivals=[BETTER, CHAMPION], slowdown=1.1
)


def failed(case, **keys):
    return [line.name for line in Gate(**keys).judge(case) if not line.holds]


def test_a_good_model_gets_through():
    assert failed(GOOD) == []
    assert len(Gate().judge(GOOD)) == 9


def against(psnr, ssim=None):
    return replace(GOOD, rivals=[BETTER, replace(CHAMPION, psnr=psnr, ssim=ssim or CHAMPION.ssim)])


@pytest.mark.parametrize(
    ("case", "names"),
    [
        (replace(GOOD, degenerate=True), ["not degenerate"]),
        (replace(GOOD, degenerate=None), ["not degenerate"]),
        (replace(GOOD, leaks=("selection",)), ["no leak"]),
        (replace(GOOD, leaks=None), ["no leak"]),
        (replace(GOOD, images=5), ["test images"]),
        (replace(GOOD, figures={"psnr": None, "ssim": 1.0}), ["finite figures"]),
        (replace(GOOD, broken="NaN"), ["finite figures"]),
        (replace(GOOD, slowdown=2.1), ["inference time"]),
        (against(compare([30.04, 31.04, 32.04], [30, 31, 32])), ["PSNR over the champion"]),  # sure, but small
        (against(compare([33, 31, 31.9], [30, 31, 32])), ["PSNR over the champion"]),  # large, but not sure
        (against(compare([31], [30])), ["PSNR over the champion"]),  # no interval
        (against(compare([float("inf")] * 3, [30, 31, 32])), ["PSNR over the champion"]),
        (against(CHAMPION.psnr, compare([0.898], [0.9])), ["SSIM over the champion"]),
        (
            replace(GOOD, rivals=[BETTER, Rival(name="the champion", lacking="its files are gone")]),
            ["PSNR over the champion"],
        ),
    ],
)
def test_each_criterion_stops_what_it_is_there_for(case, names):
    assert failed(case) == names


#: What lies exactly at a limit of the gate: two values that are let through, and one next to each that isn't.
GAIN = CHAMPION.psnr
LIMITS = {
    "gain": ("PSNR over the champion", against(replace(GAIN, gain=0.05)), against(replace(GAIN, gain=0.05 - 1e-9))),
    "interval": (
        "PSNR over the champion",
        against(replace(GAIN, ci95=[1e-12, 1.0])),
        against(replace(GAIN, ci95=[0.0, 1.0])),  # zero within it is no proof
    ),
    "ssim": (
        "SSIM over the champion",
        against(GAIN, replace(CHAMPION.ssim, gain=-0.001)),
        against(GAIN, replace(CHAMPION.ssim, gain=-0.001 - 1e-9)),
    ),
    "images": ("test images", replace(GOOD, images=6), replace(GOOD, images=5)),
    "time": ("inference time", replace(GOOD, slowdown=2.0), replace(GOOD, slowdown=2.0 + 1e-9)),
}


@pytest.mark.parametrize(("name", "at_limit", "beyond"), LIMITS.values(), ids=LIMITS)
def test_what_lies_at_a_limit_is_let_through_and_the_next_value_is_not(name, at_limit, beyond):
    assert failed(at_limit) == []
    assert failed(beyond) == [name]


@pytest.mark.parametrize(
    "keys",
    [{"min_gain_db": 0}, {"ssim_tolerance": 0}, {"max_slowdown": 1e-9}, {"max_slowdown": None}, {"min_images": 2}],
)
def test_the_least_that_makes_sense_may_be_asked(keys):
    Gate(**keys)


def test_what_is_absolute():
    lines = [
        line for case in (replace(GOOD, degenerate=True), replace(GOOD, broken="NaN")) for line in Gate().judge(case)
    ]
    assert [line.name for line in lines if line.absolute] == ["not degenerate", "finite figures"]
    assert not any(line.absolute for line in Gate().judge(replace(GOOD, degenerate=None, leaks=["patients"])))


def test_what_the_user_may_allow_is_named_and_lets_it_through():
    slow = replace(GOOD, slowdown=8.0)
    (line,) = [line for line in Gate().judge(slow) if not line.holds]
    assert line.allow == "promote.max_slowdown=10"
    assert failed(slow, max_slowdown=10) == []
    assert "allow" not in line.as_dict()


def test_keys_move_the_gate():
    slow = replace(GOOD, slowdown=9.0, images=3)
    assert failed(slow) == ["test images", "inference time"]
    assert failed(slow, max_slowdown=None, min_images=2) == []
    assert failed(GOOD, min_gain_db=2) == ["PSNR over bicubic", "PSNR over the champion"]
    lower = against(CHAMPION.psnr, compare([0.898], [0.9]))
    assert failed(lower, ssim_tolerance=0.01) == []


@pytest.mark.parametrize(
    "keys", [{"min_gain_db": -1}, {"ssim_tolerance": -1}, {"max_slowdown": 0}, {"min_images": 1}], ids=str
)
def test_numbers_that_make_no_sense_are_refused(keys):
    with pytest.raises(RequestError, match=f"promote.{next(iter(keys))}"):
        Gate(**keys)


def test_a_rival_is_compared_image_by_image():
    rows = [
        Row(key=str(n), height=9, width=9, bits=8, model={"psnr": 30.0 + n, "ssim": 0.9}, baseline={}) for n in range(3)
    ]
    found = rival("x", Scores(tuple(rows)), [29.0, 29.0, 31.5], [0.8, 0.8, 1.0], seed=0)
    assert (found.psnr.gain, found.psnr.n_pairs, found.psnr.wins) == (pytest.approx(3.5 / 3), 3, 3)
    assert found.ssim.gain == pytest.approx(0.1 / 3)


def test_the_seed_reaches_both_comparisons(monkeypatch):
    seeds = []
    monkeypatch.setattr(promotion_gate, "compare", lambda *_, seed: seeds.append(seed))
    assert rival("x", measured(31.0, 40.0), [30.0] * 10, [0.9] * 10, seed=7) == Rival(name="x")
    assert seeds == [7, 7]


@pytest.mark.parametrize(
    ("gain", "ci95", "said"),
    [
        (None, [0.1, 0.2], "no image with a finite difference"),
        (0.5, None, "+0.500 dB without an interval"),
        (-0.5, [-1.0, 0.25], "-0.500 dB [-1.000, +0.250]"),
    ],
)
def test_a_difference_is_told_with_its_interval_or_without(gain, ci95, said):
    assert told(replace(GAIN, gain=gain, ci95=ci95)) == said


def test_of_a_case_nothing_is_taken_for_granted():
    bare = Case(degenerate=False, leaks=(), images=9, figures={"psnr": 32.0, "ssim": 0.9})
    assert (bare.broken, bare.rivals, bare.slowdown) == ("", (), None)
    assert failed(bare) == []
    alone = Rival(name="x")
    assert (alone.psnr, alone.ssim, alone.lacking) == (None, None, "")
    line = Criterion("name", "found", "asked", holds=True)
    assert (line.absolute, line.allow) == (False, "")
    assert asdict(Gate()) == {"min_gain_db": 0.05, "ssim_tolerance": 0.001, "max_slowdown": 2.0, "min_images": 6}


def measured(psnr, black, bicubic=30.0):
    """Six slices that bicubic interpolation doesn't restore and four black ones, which it does."""
    psnr, bicubic = [psnr + n for n in range(6)] + [black] * 4, [bicubic] * 6 + [float("inf")] * 4
    rows = [
        Row(key=str(n), height=9, width=9, bits=8, model={"psnr": a, "ssim": 0.9}, baseline={"psnr": b, "ssim": 0.9})
        for n, (a, b) in enumerate(zip(psnr, bicubic, strict=True))
    ]
    return Scores(tuple(rows))


def test_who_spoils_black_slices_does_not_pass_who_leaves_them_black():
    inf = float("inf")
    exact, spoilt = measured(31.0, inf), measured(29.0, 48.0)
    assert spoilt.means()["psnr"] > exact.means()["psnr"]  # as published, each over images of its own
    for ours, theirs, better in ((exact, spoilt, True), (spoilt, exact, False)):
        found = rival("x", ours, theirs.values("psnr"), theirs.values("ssim"), seed=0).psnr
        assert (found.gain > 0) == (found.ci95[0] > 0) == better
        assert (found.n_pairs, found.n_infinite) == (6, 0)
    same = rival("x", exact, exact.values("psnr"), exact.values("ssim"), seed=0).psnr
    assert (same.gain, same.ci95, same.p_value) == (0.0, [0.0, 0.0], 1.0)


def test_an_image_restored_exactly_by_the_champion_alone_counts_for_it():
    ours, champion = measured(31.0, float("inf")), measured(31.0, float("inf")).values("psnr")
    champion[2] = float("inf")
    found = rival("the champion", ours, champion, ours.values("ssim"), seed=0).psnr
    assert found.gain < 0
    assert found.n_pairs == 6


def test_each_line_says_what_was_found_and_what_is_asked():
    assert [(line.name, line.measured, line.required) for line in Gate().judge(GOOD)] == [
        ("not degenerate", "not degenerate", "an input that is worse than its target"),
        ("no leak", "none", "none of patients, duplicates, near-duplicates, selection, start"),
        ("finite figures", "PSNR 32.000 dB, SSIM 0.90000", "numbers"),
        ("test images", "9", "at least 6"),
        ("PSNR over bicubic", "+1.333 dB [+1.000, +2.000]", "at least +0.05 dB, and an interval above 0"),
        ("SSIM over bicubic", "+0.00000", "at least -0.001"),
        ("PSNR over the champion", "+1.333 dB [+1.000, +2.000]", "at least +0.05 dB, and an interval above 0"),
        ("SSIM over the champion", "+0.00000", "at least -0.001"),
        ("inference time", "1.10 times the champion's", "at most 2 times"),
    ]


def test_what_was_not_measured_is_said_and_stops():
    no_ssim = compare([None], [0.9])
    case = replace(
        GOOD, degenerate=None, leaks=None, images=1, figures={}, slowdown=None,
        rivals=[replace(BETTER, ssim=no_ssim), replace(CHAMPION, ssim=None, lacking="its files are gone")],
    )  # fmt: skip
    stopped = {line.name: line.measured for line in Gate().judge(case) if not line.holds}
    assert stopped == {
        "not degenerate": "unknown",
        "no leak": "nobody looked",
        "finite figures": "PSNR infinite, SSIM none",
        "test images": "1, which gives no interval",
        "SSIM over bicubic": "not measured",
        "PSNR over the champion": "not measured: its files are gone",
    }
    assert "PSNR over bicubic" in [line.name for line in Gate().judge(case)]
    (degenerate, *_) = Gate().judge(replace(GOOD, degenerate=True))
    assert (degenerate.measured, degenerate.absolute) == ("its input is its target", True)
    leaks = Gate().judge(replace(GOOD, leaks=("patients", "selection")))[1]
    assert (leaks.measured, leaks.holds) == ("patients, selection", False)
    broken = Gate().judge(replace(GOOD, broken="NaN"))
    assert [line.measured for line in broken] == ["not degenerate", "none", "NaN"]
    assert broken[-1].required == "numbers"


def test_a_line_is_kept_without_what_a_person_types():
    assert Gate().judge(replace(GOOD, slowdown=8.0))[-1].as_dict() == {
        "name": "inference time",
        "measured": "8.00 times the champion's",
        "required": "at most 2 times",
        "holds": False,
        "absolute": False,
    }
