"""What a model must show before it serves a task: better than bicubic and than the champion, honestly measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from srexp.errors import RequestError
from srexp.evaluation.score import Scores
from srexp.evaluation.statistics import Comparison, compare
from srexp.metrics.ranking import ranked
from srexp.metrics.table import figure, interval, with_unit

#: Findings of an audit that let a model know its test images.
LEAKS = ("patients", "duplicates", "near-duplicates", "selection", "start")

_TIMES_VARY = 1.2  # from one measurement to the next


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of the gate.

    Args:
        name: What is asked.
        measured: What was found.
        required: What lets a model through.
        holds: Whether it does.
        absolute: Whether not even `promote.force=true` gets past it.
        allow: What to type where the user decides that this much is enough; empty where only a better model helps.
    """

    name: str
    measured: str
    required: str
    holds: bool
    absolute: bool = False
    allow: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields that say why, ready for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "allow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Somebody to be better than, on the same images under the same protocol.

    Args:
        name: What it is called.
        psnr: The model against it in PSNR; None when the rival has no figures.
        ssim: The same in SSIM.
        lacking: Why the rival has no figures.
    """

    name: str
    psnr: Comparison | None = None
    ssim: Comparison | None = None
    lacking: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of a model that wants through.

    Args:
        degenerate: Whether its input is its target; None when nobody knows.
        leaks: Kinds of `LEAKS` that were found; None when nobody looked.
        images: Number of test images.
        figures: Its means, by metric; None where there is none.
        broken: Why it has no figures at all; empty when it has.
        rivals: Whom it has to beat.
        slowdown: Its inference time over the champion's; None when there is no champion to compare with.
    """

    degenerate: bool | None
    leaks: Sequence[str] | None
    images: int
    figures: Mapping[str, float | None]
    broken: str = ""
    rivals: Sequence[Rival] = ()
    slowdown: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What is asked of a model before it becomes the champion.

    Args:
        min_gain_db: PSNR by which it must beat bicubic and the champion; the interval's lower end must be above zero.
        ssim_tolerance: How far its SSIM may lie below theirs.
        max_slowdown: Times the champion's inference time that it may take; None asks nothing.
        min_images: Test images that carry a claim; with fewer than 6 no paired test can reach p < 0.05.

    Raises:
        RequestError: A number is out of range.

    Example:
        >>> gate = Gate()
        >>> case = Case(degenerate=True, leaks=[], images=9, figures={"psnr": 99.0, "ssim": 1.0})
        >>> [each.name for each in gate.judge(case) if not each.holds]
        ['not degenerate']
    """

    min_gain_db: float = 0.05
    ssim_tolerance: float = 0.001
    max_slowdown: float | None = 2.0
    min_images: int = 6

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        slowdown, several = self.max_slowdown, self.min_images >= 2  # noqa: PLR2004 - one image has no interval
        for name, makes_sense, expected in (
            ("min_gain_db", self.min_gain_db >= 0, "0 or more"),
            ("ssim_tolerance", self.ssim_tolerance >= 0, "0 or more"),
            ("max_slowdown", slowdown is None or slowdown > 0, "more than 0, or null for no such test"),
            ("min_images", several, "2 or more"),
        ):
            if not makes_sense:
                raise RequestError(f"promote.{name} is out of range", got=getattr(self, name), expected=expected)

    def judge(self, case: Case) -> list[Criterion]:
        """Hold a model against the gate.

        Args:
            case: What is known of it.

        Returns:
            One line for each criterion; those that need figures are missing where there are none.
        """
        lines = [_honest(case), _unseen(case), _measured(case)]
        if not case.broken:
            images = Criterion(
                "test images",
                f"{case.images}{'' if case.images > 1 else ', which gives no interval'}",
                f"at least {self.min_images}",
                case.images >= self.min_images,
            )
            beaten = [line for rival in case.rivals for line in self._better_than(rival)]
            lines += [images, *beaten, *self._fast(case)]
        return lines

    def _better_than(self, rival: Rival) -> Iterator[Criterion]:
        wanted = f"at least {self.min_gain_db:+g} dB, and an interval above 0"
        gain = f"PSNR over {rival.name}"
        if rival.psnr is None or rival.ssim is None:
            yield Criterion(gain, f"not measured: {rival.lacking}", wanted, holds=False)
            return
        yield Criterion(gain, told(rival.psnr), wanted, _surely_above(rival.psnr, self.min_gain_db))
        ssim = rival.ssim.gain
        yield Criterion(
            f"SSIM over {rival.name}",
            "not measured" if ssim is None else figure(ssim, "ssim", sign=True, fine=True),
            f"at least {-self.ssim_tolerance:g}",
            ssim is not None and ssim >= -self.ssim_tolerance,
        )

    def _fast(self, case: Case) -> Iterator[Criterion]:
        if case.slowdown is not None and self.max_slowdown is not None:
            yield Criterion(
                "inference time",
                f"{case.slowdown:.2f} times the champion's",
                f"at most {self.max_slowdown:g} times",
                case.slowdown <= self.max_slowdown,
                allow=f"promote.max_slowdown={math.ceil(case.slowdown * _TIMES_VARY)}",
            )


def rival(name: str, scores: Scores, psnr: Sequence[float | None], ssim: Sequence[float | None], *, seed: int) -> Rival:
    """Compare a model with somebody on the same images.

    Args:
        name: What the rival is called.
        scores: The model's scores.
        psnr: The rival's PSNR of each image, in the same order.
        ssim: The rival's SSIM of each image.
        seed: Of the bootstrap.

    Returns:
        What the gate looks at.
    """
    return Rival(
        name=name,
        psnr=compare(scores.ranked(), ranked(psnr, scores.values("psnr", "baseline")), seed=seed),
        ssim=compare(scores.values("ssim"), ssim, seed=seed),
    )


def told(gain: Comparison) -> str:
    """Write a difference in dB with its interval.

    Example:
        >>> told(compare([31, 32, 34], [30, 31, 32]))
        '+1.333 dB [+1.000, +2.000]'
    """
    if gain.gain is None:
        return "no image with a finite difference"
    spread = interval(gain.ci95, sign=True, fine=True) if gain.ci95 else "without an interval"
    return f"{with_unit(gain.gain, sign=True, fine=True)} {spread}"


def _surely_above(gain: Comparison, least: float) -> bool:
    return gain.gain is not None and gain.gain >= least and gain.ci95 is not None and gain.ci95[0] > 0


def _honest(case: Case) -> Criterion:
    found = {True: "its input is its target", False: "not degenerate", None: "unknown"}[case.degenerate]
    return Criterion(
        "not degenerate",
        found,
        "an input that is worse than its target",
        case.degenerate is False,
        bool(case.degenerate),
    )


def _unseen(case: Case) -> Criterion:
    found = "nobody looked" if case.leaks is None else ", ".join(case.leaks) or "none"
    return Criterion("no leak", found, f"none of {', '.join(LEAKS)}", case.leaks is not None and not case.leaks)


def _measured(case: Case) -> Criterion:
    if case.broken:
        return Criterion("finite figures", case.broken, "numbers", holds=False, absolute=True)
    psnr, ssim = case.figures.get("psnr"), case.figures.get("ssim")
    found = (
        f"PSNR {'infinite' if psnr is None else with_unit(psnr, fine=True)}, "
        f"SSIM {'none' if ssim is None else figure(ssim, 'ssim', fine=True)}"
    )
    return Criterion("finite figures", found, "numbers", psnr is not None and ssim is not None)
