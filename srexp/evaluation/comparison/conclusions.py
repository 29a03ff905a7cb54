"""A comparison in sentences: what wins, by how much, how sure, and what can't be said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from srexp.evaluation.comparison.standings import BASELINE, Pair, Standing, Standings
from srexp.evaluation.comparison.tables import p_value
from srexp.evaluation.statistics import FEWEST_PAIRS
from srexp.metrics.table import counted, figure, with_unit

ALPHA = 0.05
_NOTABLE = 1.3  # ratio from which one cost is worth a sentence


def summary(found: Standings) -> list[str]:
    """Say what the figures say.

    Args:
        found: The standings.

    Returns:
        Sentences.
    """
    return [*_winner(found), *_others(found), *_against_bicubic(found), *_price(found)]


def limits(found: Standings) -> list[str]:
    """Say what the figures can't say, whatever they are.

    Args:
        found: The standings.

    Returns:
        Sentences.
    """
    return [*_invented(found), *_few_images(found), *_infinite(found), *_always(found)]


def _winner(found: Standings) -> Iterator[str]:
    best = found.best
    mean = best.means["psnr"]
    on = f"on {counted(len(found.keys), 'test image')}"
    if mean.mean is None:
        yield f"{best.name} restores every pixel {on}: its PSNR is infinite."
        return
    spread = f" (95 % interval {' to '.join(map(figure, mean.ci95))})" if mean.ci95 else ""
    if any(row.means["psnr"].n_infinite for row in found.rows):
        yield f"{best.name} ranks first {on}, with a mean PSNR of {with_unit(mean.mean)}{spread} where it isn't exact."
        return
    yield f"{best.name} has the highest mean PSNR {on}: {with_unit(mean.mean)}{spread}."


def _others(found: Standings) -> Iterator[str]:
    best = found.best.name
    for row in found.rows[1:]:
        if row.name != BASELINE:
            yield f"{_difference(found.pair(best, row.name), found)}."


def _difference(pair: Pair, found: Standings) -> str:
    """Say how two models differ, and how sure that is."""
    difference = pair.difference
    if difference.gain is None:
        return f"{pair.better} and {pair.worse} can't be told apart by PSNR, which is infinite"
    said = f"{pair.better} is {with_unit(difference.gain)} above {pair.worse}"
    if not difference.ci95:
        return f"{said} on the one image"
    said += f" ({_ends(difference.ci95)}) and better on {difference.wins} of {len(found.keys)} images"
    return f"{said}{_verdict(pair, difference.ci95[0], found)}"


def _ends(ci95: Sequence[float]) -> str:
    return " to ".join(figure(end, sign=True) for end in ci95)


def _verdict(pair: Pair, low: float, found: Standings) -> str:
    """Say what interval and test make of a difference whose interval begins at `low`."""
    if pair.p_holm is None:
        return "; there are too few images to test that"
    tested = f"(p\u00a0{_p(pair.p_holm)} after Holm's correction)"
    if pair.p_holm < ALPHA:
        if low > 0:
            return f": more than chance {tested}"
        return (
            f". By ranks they differ by more than chance {tested}, yet the interval of the mean holds zero: "
            "a few images with large differences leave it unsure which one is better"
        )
    least = smallest_p(pair.difference.n_pairs, len(found.pairs))
    if low > 0 and least >= ALPHA:
        return (
            ". The interval excludes zero; the test can't tell, for with so few images and "
            f"{counted(len(found.pairs), 'comparison')} it can't fall below p\u00a0=\u00a0{least:.3f}"
        )
    return f", which may be chance {tested}"


def smallest_p(images: int, tests: int) -> float:
    """Give the smallest p value that the Wilcoxon test can reach, after Holm's correction over a number of tests.

    Example:
        >>> smallest_p(6, 3)
        0.09375
    """
    return min(1.0, tests * 2.0 ** (1 - images))


def _against_bicubic(found: Standings) -> Iterator[str]:
    """Say which models improve on bicubic for sure, which may, and which are worse."""
    sure, unsure, worse = (
        "Better than bicubic, with an interval that excludes zero",
        "Not told apart from bicubic",
        "Worse than bicubic",
    )
    told: dict[str, list[str]] = {sure: [], unsure: [], worse: []}
    for row in found.models:
        gain = row.gains.get("psnr")
        if gain is None or gain.gain is None or not gain.ci95:
            continue
        text = f"{row.name} {with_unit(gain.gain, sign=True)} ({_ends(gain.ci95)})"
        told[sure if gain.ci95[0] > 0 else worse if gain.ci95[1] < 0 else unsure].append(text)
    for what, texts in told.items():
        if texts:
            yield f"{what}: {', '.join(texts)}."


def _price(found: Standings) -> Iterator[str]:
    best = found.models[0]
    for row in found.models[1:]:
        parts = [f"{ratio:.2g} times the {what}" for what, ratio in _ratios(best, row) if ratio >= _NOTABLE]
        if parts:
            yield f"Compared with {row.name}, {best.name} takes {_listed(parts)}."


def _ratios(one: Standing, other: Standing) -> Iterator[tuple[str, float]]:
    ours, theirs = one.contender.cost, other.contender.cost
    if ours and theirs and ours.multiply_adds and theirs.multiply_adds:
        yield "multiply-adds", ours.multiply_adds / theirs.multiply_adds
    for label, timing in one.contender.timings.items():
        again = other.contender.timings.get(label)
        if label.startswith("image") and again and again.shape == timing.shape and again.median > 0:
            yield "inference time", timing.median / again.median
    if one.contender.train_seconds and other.contender.train_seconds:
        yield "training time", one.contender.train_seconds / other.contender.train_seconds


def _invented(found: Standings) -> Iterator[str]:
    if names := [row.name for row in found.rows if row.contender.invents]:
        yield (
            f"The detail of {_listed(names)} is invented: trained against a discriminator, to look like other images. "
            "PSNR and SSIM don't reward it, and sharper doesn't mean that it is there."
        )


def _few_images(found: Standings) -> Iterator[str]:
    images = len(found.keys)
    if images == 1:
        yield "One test image tells how things look on that image, and nothing about others."
    elif images < FEWEST_PAIRS:
        yield (
            f"{images} test images are too few for a test: the Wilcoxon test can't fall below p = 0.05 with fewer "
            f"than {FEWEST_PAIRS}."
        )


def _infinite(found: Standings) -> Iterator[str]:
    for row in found.rows:
        if infinite := row.means["psnr"].n_infinite:
            yield (
                f"{row.name} restores {counted(infinite, 'image')} without any error. Their PSNR is infinite, and its "
                "mean PSNR leaves them out. Ranks, gains, intervals and tests rest on the same images for all models: "
                "those that bicubic interpolation doesn't restore exactly, to which errors on the others are charged."
            )


def _always(found: Standings) -> Iterator[str]:
    if len(found.models) > 1:
        yield (
            "Each row is one training with one seed. Another seed, another budget of time or another learning rate can "
            "change the order; intervals and tests speak of other images of this kind, not of other trainings."
        )
    yield (
        "Intervals and tests take images as independent. Several images of one patient are not, and make them look "
        "surer than they are."
    )
    yield (
        "PSNR and SSIM measure likeness to the target under this degradation. They don't measure what a reader would "
        "find or miss, and nothing here was tested for clinical use."
    )


def _p(value: float) -> str:
    text = p_value(value)
    return text.replace("<", "<\u00a0") if text.startswith("<") else f"=\u00a0{text}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
