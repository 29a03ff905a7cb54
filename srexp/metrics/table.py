"""The one table of what metrics are called, in what unit, and how many of their digits are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

#: What stands where there is no figure.
NONE = "-"


class Metric(NamedTuple):
    """How a metric is written.

    Args:
        name: What a reader calls it.
        unit: Behind its figures; empty for a share of one. Errors are in grey levels of 255.
        digits: Behind the point where models are compared: what intervals over some ten images leave of it.
        fine: Behind the point where one model is looked at, or decided about.
        best: Which values are better, those nearest to one where that is what is right.
    """

    name: str
    unit: str
    digits: int
    fine: int
    best: Literal["high", "low", "one"] = "high"


#: What is measured at every validation, and shown wherever there is room for two.
QUICK = ("psnr", "ssim")

#: Name, as result.json and CSV files have it, to how it is written.
METRICS = {
    "psnr": Metric("PSNR", "dB", 2, 3),
    "ssim": Metric("SSIM", "", 4, 5),
    "ms_ssim": Metric("MS-SSIM", "", 4, 5),
    "haarpsi": Metric("HaarPSI", "", 4, 5),
    "gmsd": Metric("GMSD", "", 4, 5, "low"),
    "vifp": Metric("VIFp", "", 4, 5),
    "detail_energy": Metric("detail energy", "", 3, 3, "one"),
    "mae": Metric("mean error", "", 3, 3, "low"),
    "edge_mae": Metric("error at edges", "", 3, 3, "low"),
    "psnr_coarse": Metric("PSNR, coarse", "", 3, 3),
    "psnr_medium": Metric("PSNR, medium", "", 3, 3),
    "psnr_fine": Metric("PSNR, fine", "", 3, 3),
    "lpips": Metric("LPIPS, of photographs", "", 4, 5, "low"),  # where it is asked for
}


def merits(values: Sequence[float | None], metric: str) -> list[float | None]:
    """Turn the values of a metric so that more is better, and a difference of two is what one is better by.

    Args:
        values: None where there is none.
        metric: Whose; of one that an extension brings, more is better.

    Example:
        >>> merits([38.0], "psnr"), merits([0.25, None], "gmsd"), merits([0.75, 1.5], "detail_energy")
        ([38.0], [-0.25, None], [-0.25, -0.5])
    """
    best = METRICS[metric].best if metric in METRICS else "high"
    if best == "high":
        return list(values)
    right = 1 if best == "one" else 0  # errors have no value below 0
    return [None if value is None else -abs(value - right) for value in values]


def heading(metric: str) -> str:
    """Name a metric with its unit; one that an extension brings is called as it calls itself.

    Example:
        >>> heading("psnr"), heading("ssim"), heading("fid")
        ('PSNR dB', 'SSIM', 'fid')
    """
    known = METRICS.get(metric)
    return f"{known.name} {known.unit}".rstrip() if known else metric


def figure(value: float | None, metric: str = "psnr", *, sign: bool = False, fine: bool = False) -> str:
    """Write the value of a metric, or a difference of two, with the digits that mean something.

    Args:
        value: None where there is none.
        metric: Whose value; a gain is one of PSNR.
        sign: With a plus, as differences have it.
        fine: With the digits for one model, not for a comparison.

    Example:
        >>> figure(38.2041), figure(0.25, sign=True, fine=True), figure(0.98765, "ssim"), figure(None)
        ('38.20', '+0.250', '0.9877', '-')
    """
    return NONE if value is None else f"{value:{'+' if sign else ''}z.{_digits(metric, fine)}f}"


def with_unit(value: float | None, metric: str = "psnr", *, sign: bool = False, fine: bool = False) -> str:
    """Write a value as `figure` does, and its unit.

    Example:
        >>> with_unit(38.2041), with_unit(0.98765, "ssim")
        ('38.20 dB', '0.9877')
    """
    unit = METRICS[metric].unit if metric in METRICS else ""
    return f"{figure(value, metric, sign=sign, fine=fine)} {unit}".rstrip()


def interval(ends: Sequence[float], metric: str = "psnr", *, sign: bool = False, fine: bool = False) -> str:
    """Write an interval, its ends as `figure` does.

    Example:
        >>> interval([-0.1, 0.25], sign=True)
        '[-0.10, +0.25]'
    """
    return f"[{', '.join(figure(end, metric, sign=sign, fine=fine) for end in ends)}]"


def with_interval(value: float | None, ends: Sequence[float] | None, metric: str = "psnr") -> str:
    """Write a difference with its sign, and the interval of its mean where there is one.

    Example:
        >>> with_interval(0.5, [0.25, 0.75])
        '+0.500 [+0.250, +0.750]'
    """
    text = figure(value, metric, sign=True, fine=True)
    return f"{text} {interval(ends, metric, sign=True, fine=True)}" if ends else text


def plus_minus(mean: float | None, std: float | None, metric: str = "psnr", *, sign: bool = False) -> str:
    """Write the mean of a model with its standard deviation, where there is one.

    Example:
        >>> plus_minus(38.2, 1.5), plus_minus(38.2, None)
        ('38.200 ± 1.500', '38.200')
    """
    text = figure(mean, metric, sign=sign, fine=True)
    return text if std is None else f"{text} ± {figure(std, metric, fine=True)}"


def counted(number: object, thing: str) -> str:
    """Write a number of things.

    Example:
        >>> counted(1, "image"), counted(20, "test image")
        ('1 image', '20 test images')
    """
    return f"{number} {thing}{'s' * (number != 1)}"


def _digits(metric: str, fine: bool) -> int:
    known = METRICS.get(metric)
    return 3 if known is None else known.fine if fine else known.digits
