"""Figures of an evaluation: learning curves, inference times.

They are drawn with Matplotlib's objects, never with pyplot, whose state is global and may want a display.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from srexp.evaluation.figures.hues import GREY, colours
from srexp.evaluation.timing import Timing
from srexp.metrics.table import with_unit
from srexp.types import Axes, Figure, Pixels

DPI = 100
INK, FAINT, MODEL, FAILED = "#222222", "#8a8a8a", "#c2410c", "#b91c1c"


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure that draws without a display.

    Args:
        width: Pixels.
        height: Pixels.

    Returns:
        The figure, with its Agg canvas attached.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def drawable(text: str) -> str:
    """Put a square for each character that the font hasn't: half a one, of a name that is no UTF-8, ends a figure.

    Args:
        text: What may have a file's or a model's name in it.
    """
    return "".join(each if ord(each) in _characters() else "\u25a1" for each in text)


def literal(text: str) -> str:
    r"""Write a name so that Matplotlib draws its very characters.

    Args:
        text: What may have a file's or a model's name in it.

    Returns:
        The text as `drawable` has it, without formulas, whose errors would end the figure.

    Example:
        >>> print(literal("$x$.png"))
        \$x\$.png
    """
    return drawable(text).replace("$", r"\$")


@cache
def _characters() -> frozenset[int]:
    """Those of the font that are there in both weights, and the end of a line."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = (get_font(findfont(FontProperties(weight=weight))) for weight in ("normal", "bold"))
    return frozenset.intersection(*(frozenset(font.get_charmap()) for font in fonts)) | {ord("\n")}


def grey_levels(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Show [0, 1] as 8-bit grey levels, halves upwards, the same in every picture.

    Args:
        pixels: Of any shape, clipped to [0, 1] here.

    Example:
        >>> grey_levels(np.array([-0.1, 0.5, 1.0], np.float32)).tolist()
        [0, 128, 255]
    """
    levels: npt.NDArray[np.uint8] = np.floor(np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    return levels


def learning_curves(
    history: Sequence[Mapping[str, float]],
    *,
    best_epoch: int | None = None,
    bicubic_psnr: float | None = None,
    model_name: str = "",
) -> Figure:
    """Draw loss and validation PSNR over the epochs; of an adversarial training the losses of both sides, too.

    Args:
        history: Numbers of each epoch, from epoch 1; `loss`, `val_psnr`, `adversarial_loss` and `discriminator_loss`
            are drawn where they are present and finite.
        best_epoch: Epoch whose weights were kept, from 1; marked.
        bicubic_psnr: Validation PSNR of bicubic interpolation in dB; a line to be above of.
        model_name: Whose curves, which decides their colour.

    Returns:
        Figure of 1200 x 450 pixels, or 1700 x 450.
    """
    duel = any("discriminator_loss" in numbers for numbers in history)
    figure = new_figure(1700 if duel else 1200, 450)
    left, right, *third = figure.subplots(1, 3 if duel else 2)
    colour = colours([model_name])[model_name]
    _curve(left, history, "loss", colour)
    left.set(title="Training loss", xlabel="epoch", ylabel="loss, logarithmic", yscale="log")
    _number_decades(left)
    _curve(right, history, "val_psnr", colour)
    right.set(title="Validation PSNR", xlabel="epoch", ylabel="dB")
    if bicubic_psnr is not None and math.isfinite(bicubic_psnr):
        right.axhline(bicubic_psnr, color=GREY, linestyle="--", label=f"bicubic, {with_unit(bicubic_psnr)}")
    best = history[best_epoch - 1].get("val_psnr", math.nan) if best_epoch else math.nan
    if best_epoch and math.isfinite(best):
        right.plot([best_epoch], [best], "o", color=INK, label=f"kept: epoch {best_epoch}, {with_unit(best)}", zorder=3)
    if right.get_legend_handles_labels()[0]:
        right.legend(frameon=False)
    for axes in third:
        for name, hue, label in (
            ("adversarial_loss", colour, "network: to be taken for real"),
            ("discriminator_loss", INK, "discriminator: to know"),
        ):
            _curve(axes, history, name, hue)
            axes.lines[-1].set_label(label)
        axes.axhline(math.log(2), color=GREY, linestyle="--", label="guessing, ln 2")
        axes.set(title="Adversarial losses", xlabel="epoch", ylabel="cross-entropy")
        axes.legend(frameon=False)
    figure.tight_layout(pad=1.5)
    return figure


# Ratios of the highest loss to the lowest: up to which numbers are even steps, and beyond which powers of ten.
_NEAR = 20
_FAR = 1000


def _number_decades(axes: Axes) -> None:
    """Write plain numbers at a logarithmic axis of heights, some within a decade and few over many."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    least, most = axes.dataLim.intervaly
    several = LogLocator(subs=(1,) if most > _FAR * least else (1, 2, 5))
    axes.yaxis.set_major_locator(several if most > _NEAR * least else MaxNLocator(nbins=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def validation_strip(curves: Mapping[str, Sequence[float]], *, bicubic_psnr: float | None = None) -> Figure:
    """Draw validation PSNR over the epochs, small enough to stand in a row of a table.

    Args:
        curves: Name of a run to its PSNR after each epoch, in dB; a single one needs no name beside it.
        bicubic_psnr: That of bicubic interpolation in dB; a line to be above of.

    Returns:
        Figure of 300 x 60 pixels, or of 700 x 105 where several are told apart: MLflow shows no more at first.

    Example:
        >>> validation_strip({"vdsr": [40.0, 41.0]}).get_size_inches().tolist()
        [3.0, 0.6]
    """
    from matplotlib.ticker import MaxNLocator

    several = len(curves) > 1
    figure = new_figure(*((700, 105) if several else (300, 60)))
    axes = figure.subplots()
    for name, values in curves.items():
        one = "o" if len(values) == 1 else ""  # a line through one point shows nothing
        colour, label = (None, literal(short(name, 40))) if several else (MODEL, None)
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, linewidth=1.5, marker=one, markersize=3, color=colour, label=label)
    if bicubic_psnr is not None and math.isfinite(bicubic_psnr):
        axes.axhline(bicubic_psnr, color=GREY, linestyle="--", linewidth=0.9, label="bicubic")
    axes.tick_params(labelsize=6, length=2, pad=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=5))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.spines[["top", "right"]].set_visible(False)
    if several:
        axes.legend(frameon=False, fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5), labelspacing=0.2)
    figure.tight_layout(pad=0.2)
    return figure


def inference_times(timings: Mapping[str, Sequence[Timing]]) -> Figure:
    """Draw the time of a call as a box for each model, with every sample; models that had the same input share an axis.

    Args:
        timings: Name of a model to its timings, one for each input (batches of patches, whole image).

    Returns:
        Figure 1000 pixels wide.
    """
    inputs = by_input(timings)
    counts = [len(models) for models in inputs.values()]
    figure = new_figure(1000, 40 + sum(110 + 60 * count for count in counts))
    figure.suptitle("Inference time after warm-up: box = quartiles, whiskers = fastest and slowest", fontsize=12)
    rows = figure.subplots(len(counts), 1, squeeze=False, height_ratios=[0.6 + count for count in counts])[:, 0]
    for axes, (shape, models) in zip(rows, inputs.items(), strict=True):
        _times(axes, models)
        axes.set_title(_described(shape), loc="left", fontsize=11)
    figure.tight_layout(pad=1.2)
    return figure


def by_input(timings: Mapping[str, Iterable[Timing]]) -> dict[tuple[int, ...], dict[str, Timing]]:
    """Put models that were timed on the same input together.

    Args:
        timings: Name of a model to its timings.

    Returns:
        Shape of an input to the models that had it.
    """
    inputs: dict[tuple[int, ...], dict[str, Timing]] = {}
    for name, measured in timings.items():
        for timing in measured:
            inputs.setdefault(timing.shape, {})[name] = timing
    return inputs


def boxes(axes: Axes, models: Mapping[str, Timing], hue: Mapping[str, str], factor: float) -> None:
    """Draw a box for each model at 0, 1, 2 ... from above, with every sample: whiskers end at the extremes.

    Args:
        axes: Where.
        models: Name to what was timed.
        hue: Name to colour.
        factor: Units to the second.
    """
    jitter = np.random.default_rng(0)  # moves points apart, so that equal times can be counted
    for place, (name, timing) in enumerate(models.items()):
        samples = factor * np.asarray(timing.samples)
        line = {"color": hue[name], "linewidth": 1.4}
        axes.boxplot(
            [samples], positions=[place], orientation="horizontal", whis=(0, 100), widths=0.5, manage_ticks=False,
            medianprops={**line, "linewidth": 3}, boxprops=line, whiskerprops=line, capprops=line,
        )  # fmt: skip
        heights = place + jitter.uniform(-0.13, 0.13, samples.size)
        axes.plot(samples, heights, ".", color=hue[name], alpha=0.45, zorder=3, markersize=5)
    axes.set_ylim(len(models) - 0.4, -0.6)


def short(name: str, longest: int = 26) -> str:
    """Cut a long name at its beginning, which versions and seeds share.

    Example:
        >>> short("chest_radiograph_0001.png", 9)
        '…0001.png'
    """
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def tidy(axes: Axes) -> None:
    """Give axes the look of all figures: a faint grid behind, no frame above and to the right.

    Args:
        axes: Changed in place.
    """
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Axes, history: Sequence[Mapping[str, float]], name: str, colour: str) -> None:
    from matplotlib.ticker import MaxNLocator

    values = [numbers.get(name, math.nan) for numbers in history]
    points = [(epoch, value) for epoch, value in enumerate(values, start=1) if math.isfinite(value)]
    if points:
        marker = "o" if len(points) == 1 else ""  # a line through one point shows nothing
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.8, marker=marker)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, max(1, len(history)) + 0.5)
    tidy(axes)


def _times(axes: Axes, models: Mapping[str, Timing]) -> None:
    unit, factor = ("s", 1) if max(timing.median for timing in models.values()) >= 1 else ("ms", 1000)
    boxes(axes, models, colours(list(models)), factor)
    labels = []
    for name, timing in models.items():
        low, high = (factor * quartile for quartile in timing.quartiles)
        labels.append(f"{name}\n{factor * timing.median:.3g} {unit} ({low:.3g} to {high:.3g})")
    axes.set_yticks(range(len(models)), [literal(label) for label in labels])
    longest = factor * max(max(timing.samples) for timing in models.values())
    axes.set(xlim=(0, 1.05 * longest), xlabel=unit)
    tidy(axes)


def _described(shape: tuple[int, ...]) -> str:
    *batch, height, width, _ = shape
    return f"{batch[0]} patches of {height} x {width} pixels" if batch else f"image of {height} x {width} pixels"
