"""The rules under which images are scored; they go with every number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from srexp.errors import RequestError, SrexpError
from srexp.metrics import lpips
from srexp.metrics.ssim import WINDOW
from srexp.types import Pixels

#: One image in grey levels of its stored bit depth, (h, w, c), float64 in 0..2**bits - 1.
Levels: TypeAlias = npt.NDArray[np.float64]

#: How metrics are defined that runs of earlier versions weren't measured by; they compare with later ones all the same.
ADDED = {
    "haarpsi": "Reisenhofer 2018: C 30, alpha 4.2 in levels of 255, halved, zeros beyond",
    "gmsd": "Xue 2014: T 170 in levels of 255, halved, zeros beyond, sample deviation",
    "vifp": "Sheikh 2006, pixel domain: four scales, noise 2 in levels of 255; images from 41 pixels",
    "detail_energy": "Haar detail of 2 x 2 pixels at every place, restored over target; 1 is right",
}

#: BT.601 luminance as MATLAB's rgb2ycbcr has it, in 0..255 for red, green and blue in 0..1.
_DARKEST, _LUMINANCE = 16.0, np.array([65.481, 128.553, 24.966])


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is measured: which channel, which part of the image, with which rounding.

    Two results compare only when their protocols are equal, so `describe` is stored with every number.

    Args:
        channel: "grey" (luma of colour images), "y" (BT.601 luminance, the super-resolution literature's way) or "rgb".
        shave: High-resolution pixels left out at each border; None leaves out as many as the scale.
        quantize: Round the restored image to the stored bit depth before scoring, as a written file would be.
        quantize_low: Round the degraded image to the stored bit depth before it is restored.
        colour: With "y": the network is given colour and gives colour, of which the luminance is scored. It isn't
            rounded, as the literature's colour networks are scored.
        lpips: File of the weights by which LPIPS is measured as well; None leaves it out.

    Raises:
        RequestError: The border is negative, or `colour` goes with another channel.

    Example:
        >>> Protocol().border(scale=3), Protocol(shave=0).border(scale=3)
        (3, 0)
    """

    channel: Literal["grey", "y", "rgb"] = "grey"
    shave: int | None = None
    quantize: bool = True
    quantize_low: bool = True
    colour: bool = False
    lpips: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a border that can't be cut off, and colour of which nothing else than itself is scored."""
        if self.colour and self.channel != "y":
            raise RequestError(
                "protocol.colour is for luminance only",
                got=f"protocol.channel={self.channel}",
                expected="y, the luminance of the colour that a network gives",
                fix="protocol=y, or protocol.channel=rgb without protocol.colour",
            )
        if self.shave is not None and self.shave < 0:
            raise RequestError(
                "protocol.shave is negative",
                got=self.shave,
                expected="a number of pixels, or null for the scale",
                fix="protocol.shave=null",
            )

    @property
    def learned(self) -> dict[str, Callable[..., float | None]]:
        """Metrics by networks that were trained on photographs, as far as they are asked for, under their names."""
        return {} if self.lpips is None else {"lpips": partial(lpips.lpips, weights=self.lpips)}

    @property
    def images(self) -> Literal["grey", "y", "rgb"]:
        """Channel that the network is given and gives."""
        return "rgb" if self.colour else self.channel

    def border(self, scale: int) -> int:
        """Pixels left out at each border of the high-resolution image, for a scale."""
        return scale if self.shave is None else self.shave

    def smallest(self, scale: int) -> int:
        """Height and width that an image needs to be scored: SSIM's window inside the border, for a scale."""
        return WINDOW + 2 * self.border(scale)

    def describe(self, scale: int, *, intensity: str = "bits") -> dict[str, Any]:
        """Say in full what was measured.

        Args:
            scale: Ratio of the high to the low resolution.
            intensity: How stored values became the data range (`dataset.intensity`).

        Returns:
            A JSON-ready dictionary; dictionaries that are equal once `completed` mean comparable numbers. `lpips` is in
            it where that is measured; without it the other numbers are the same.

        Raises:
            RequestError: The file of `lpips` can't be read.

        Example:
            >>> Protocol().describe(2)["shave"]
            2
        """
        return {
            "channel": "y of rgb" if self.colour else self.channel,
            "scale": scale,
            "shave": self.border(scale),
            "quantize": self.quantize,
            "quantize_low": self.quantize_low,
            "intensity": intensity,
            "data_range": "2**bits - 1 of the stored image",
            "psnr": "10 log10(MAX^2 / MSE); identical images counted apart",
            "ssim": "Wang 2004: gaussian 11x11, sigma 1.5, K 0.01 0.03, population covariance",
            "ms_ssim": "Wang 2003: five scales, the same window; images from 176 pixels",
            "mae": "grey levels of 255; edge_mae weighted by the target's Sobel gradient",
            "bands": "error spectrum in thirds of Nyquist's frequency: coarse, medium, fine",
            **ADDED,
            **({} if self.lpips is None else {"lpips": lpips.definition(self.lpips)}),
        }

    def levels(self, restored: Pixels, high: Pixels, *, bits: int, scale: int, key: str) -> tuple[Levels, Levels]:
        """Bring a restored image and its target to the form in which they are scored.

        The restored image is clipped to the range that a stored image can hold, then both are rounded to whole grey
        levels (with `quantize`) and lose their border.

        Args:
            restored: Network output, (h, w, c), nominally in [0, 1].
            high: Target, (h, w, c), in [0, 1].
            bits: Stored bit depth of the image.
            scale: Ratio of the high to the low resolution.
            key: Name of the image, for messages.

        Returns:
            Restored image and target, (h - 2 border, w - 2 border, c), float64 in 0..2**bits - 1.

        Raises:
            RequestError: The sizes differ, or what the border leaves is smaller than SSIM's window.
            SrexpError: The restored image holds NaN or infinity.

        Example:
            >>> high = np.full((20, 20, 1), 0.5, np.float32)
            >>> levels, _ = Protocol().levels(high * 4, high, bits=8, scale=2, key="a.png")
            >>> levels.shape, levels.max()
            ((16, 16, 1), np.float64(255.0))
        """
        if restored.shape != high.shape:
            raise RequestError(
                f"the restored image and the target of {key} differ in size",
                got=f"restored {restored.shape}, target {high.shape}",
                expected=f"equal shapes (h, w, c), {scale} times the input's height and width",
                fix="check that the model was built for this scale and this number of channels",
            )
        if not np.isfinite(restored).all():
            bad = int(np.count_nonzero(~np.isfinite(restored)))
            raise SrexpError(
                f"the restored image of {key} holds values that are not numbers",
                got=f"{bad} of {restored.size} values NaN or infinite",
                expected="finite values",
                fix="train with a lower optimizer.lr, or choose another model_uri",
            )
        border = self.border(scale)
        height, width = high.shape[0] - 2 * border, high.shape[1] - 2 * border
        if min(height, width) < WINDOW:
            raise RequestError(
                f"{key} is too small to be scored",
                got=f"{high.shape[0]} x {high.shape[1]} pixels, {max(height, 0)} x {max(width, 0)} without the border",
                expected=f"at least {WINDOW} x {WINDOW} pixels inside a border of {border}, the size of SSIM's window",
                fix="leave the image out" + (", or set protocol.shave=0" if min(high.shape[:2]) >= WINDOW else ""),
            )
        inside = slice(border, border + height), slice(border, border + width)
        return self._to_levels(restored[inside], bits), self._to_levels(high[inside], bits)

    def _to_levels(self, pixels: Pixels, bits: int) -> Levels:
        white = 2**bits - 1
        levels: Levels = np.clip(pixels.astype(np.float64), 0, 1) * white
        # Halves go up, as in MATLAB's uint8(), on which the literature's figures rest; np.round sends them to even.
        levels = np.floor(levels + 0.5, out=levels) if self.quantize else levels
        return ((_DARKEST * white + levels @ _LUMINANCE) / 255)[..., np.newaxis] if self.colour else levels


def completed(described: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a description that an earlier version wrote by the definitions of metrics that it didn't measure.

    Args:
        described: From `Protocol.describe`, of any version.

    Example:
        >>> completed({"shave": 2})["shave"], completed({"gmsd": "another"})["gmsd"]
        (2, 'another')
        >>> completed({})["gmsd"] == Protocol().describe(2)["gmsd"]
        True
    """
    return {**ADDED, **described}
