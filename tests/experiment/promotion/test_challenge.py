"""What a promotion holds against a version: what its training knew, and what an audit finds today."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

import pytest

from srexp.data.audit.findings import Finding, Kind
from srexp.evaluation.promotion_gate import LEAKS, Gate
from srexp.evaluation.score import Row, Scores
from srexp.experiment.promotion.candidate import Candidate
from srexp.experiment.promotion.challenge import Challenge

#: Findings that let a model know its test images; all others only limit what a score is worth.
LETS_KNOW = {"patients", "duplicates", "near-duplicates", "selection", "start"}
INF = float("inf")


def scores(psnr: list[float], bicubic: list[float]) -> Scores:
    rows = [
        Row(
            key=str(n), height=9, width=9, bits=8, model={"psnr": one, "ssim": 0.9}, baseline={"psnr": two, "ssim": 0.9}
        )
        for n, (one, two) in enumerate(zip(psnr, bicubic, strict=True))
    ]
    return Scores(tuple(rows))


def challenge(*found: Finding, audit: str | None = "clean", ours: Any = None, champion: Any = None) -> Challenge:
    task = SimpleNamespace(
        degenerate=False,
        audit=list(found),
        config=SimpleNamespace(seed=0),
        prepared=SimpleNamespace(entries={"test": []}),
    )
    return Challenge(
        task=task,  # type: ignore[arg-type]
        tags={"degenerate": "false", **({} if audit is None else {"audit": audit})},
        ours=Candidate(version=2, scores=ours),
        champion=champion and Candidate(version=1, scores=champion),
        seconds={},
    )


def refused(found: Challenge) -> bool:
    return any(line.name == "no leak" and not line.holds for line in Gate().judge(found.case()))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_leak_stops_a_promotion_and_no_other_finding_does(kind: Kind) -> None:
    finding = Finding(kind, "warning", "found")
    assert refused(challenge(finding)) == (kind in LETS_KNOW)  # today
    assert refused(challenge(audit=kind)) == (kind in LETS_KNOW)  # when it was trained
    assert set(LEAKS) == LETS_KNOW


def test_leaks_of_then_and_of_today_are_named_together() -> None:
    found = challenge(Finding("duplicates", "warning", "found"), audit="lossy selection")
    assert found.case().leaks == ["duplicates", "selection"]
    assert challenge(audit=None).case().leaks is None
    assert refused(challenge(audit=None))


@pytest.mark.parametrize(
    ("ours", "champion", "winner"),
    [
        ([31.0, 33.0], [30.5, 32.0], "version 2"),
        ([30.5, 32.0], [31.0, 33.0], "version 1"),
        ([29.0, 29.5], [29.5, 29.0], "bicubic"),
        ([31.0, INF], [30.0, 48.0], "version 2"),  # the mean of the finite ones is 31 against 39
        ([30.0, 48.0], [31.0, INF], "version 1"),
        ([INF, INF], [31.0, INF], "version 2"),
    ],
)
def test_the_winner_is_who_restores_best(ours: list[float], champion: list[float], winner: str) -> None:
    bicubic = [30.0, INF] if INF in champion + ours else [30.0, 30.5]
    assert challenge(ours=scores(ours, bicubic), champion=scores(champion, bicubic)).winner() == winner
