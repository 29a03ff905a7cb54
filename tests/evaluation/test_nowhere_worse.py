"""A restoration that is nowhere worse is nowhere behind: from pixels to whatever puts networks in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srexp.evaluation import statistics
from srexp.evaluation.comparison.standings import BASELINE, Contender, standings
from srexp.evaluation.promotion_gate import rival
from srexp.evaluation.score import Scores, score
from srexp.metrics.protocol import Protocol
from srexp.training.best_epoch import History
from srexp.types import Pixels, Sample

SIDE, ROUNDING = 13, 1e-9  # SSIM's window and a border
TEXTURE = np.random.default_rng(0).integers(20, 150, (SIDE, SIDE, 1))
HIGH = {"texture": TEXTURE, "grey": np.full_like(TEXTURE, 90), "black": np.zeros_like(TEXTURE)}
#: Where the levels of an error lie.
WHERE = {
    "nowhere": np.zeros_like(TEXTURE, bool),
    "everywhere": np.ones_like(TEXTURE, bool),
    "one pixel": np.arange(TEXTURE.size).reshape(TEXTURE.shape) == SIDE * SIDE // 2,
    "lines": np.arange(TEXTURE.size).reshape(TEXTURE.shape) % 2 == 0,
}
ERRORS = st.tuples(st.sampled_from([*["nowhere"] * 3, *WHERE]), st.sampled_from([1, 1, 2, 3, 6, 50]))


@pytest.fixture(scope="module", autouse=True)
def _few_draws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(statistics, "RESAMPLES", 9)
        yield


def scored(highs: list[str], errors: list[np.ndarray], of_bicubic: list[np.ndarray]) -> Scores:
    """Score restorations that are so many levels too bright, as a network's are scored."""

    def restored(levels: list[np.ndarray]) -> list[Pixels]:
        return [((HIGH[each] + error) / 255).astype(np.float32) for each, error in zip(highs, levels, strict=True)]

    targets = [(HIGH[each] / 255).astype(np.float32) for each in highs]
    samples = [
        Sample(key=f"{number}.png", patient=str(number), bits=8, low=high, high=high)
        for number, high in enumerate(targets)
    ]
    images, interpolated = iter(restored(errors)), iter(restored(of_bicubic))
    return score(lambda _: next(images), samples, Protocol(), 1, baseline=lambda _: next(interpolated))


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(list(HIGH)), ERRORS, ERRORS, ERRORS), min_size=1, max_size=4),
    st.permutations(["ahead", "behind", BASELINE]),
)
def test_nowhere_worse_is_nowhere_behind(
    images: list[tuple[str, tuple[str, int], tuple[str, int], tuple[str, int]]], order: list[str]
) -> None:
    def levels(place: int) -> list[np.ndarray]:
        return [WHERE[image[place][0]] * image[place][1] for image in images]

    highs, better, bicubic = [image[0] for image in images], levels(1), levels(3)
    worse = [one + more for one, more in zip(better, levels(2), strict=True)]
    ahead, behind = scored(highs, better, bicubic), scored(highs, worse, bicubic)
    means = {"ahead": ahead.ranking_mean(), "behind": behind.ranking_mean()}
    assert means["ahead"] >= means["behind"] - ROUNDING
    if any((one != other).any() for one, other in zip(better, worse, strict=True)):
        assert means["ahead"] > means["behind"]

    psnr = {"ahead": ahead.values("psnr"), "behind": behind.values("psnr"), BASELINE: ahead.values("psnr", "baseline")}
    found = standings(highs, [Contender(name=name, values={"psnr": psnr[name]}) for name in order])
    place = [row.name for row in found.rows].index
    assert place("ahead") < place("behind") or means["ahead"] == means["behind"]

    compared = [
        (
            each.gain().gain,
            rival("bicubic", each, psnr[BASELINE], [1.0] * len(images), seed=0).psnr.gain,
            row.gains["psnr"].gain,
        )
        for each, row in ((ahead, found.row("ahead")), (behind, found.row("behind")))
    ]
    for ours, theirs in zip(*compared, strict=True):
        assert ours is None or theirs is None or ours >= theirs - ROUNDING

    history = History()
    for name in order:
        psnr_of = {**means, BASELINE: 0.0}[name]
        history = history.after({"val_psnr": psnr_of}, at=0, weights=list, bicubic_psnr=0.0, patience=None, last=False)
    assert history.epochs[history.best_epoch - 1]["val_psnr"] == max(means.values())
