"""One colour for each network, in every figure, table and report."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

BICUBIC = "bicubic"
GREY = "#7a7a7a"

#: Told apart by people who see no red or no green (Okabe, Ito 2008, darkened for a white page); bicubic is grey.
PALETTE = (
    "#c2410c", "#0072b2", "#007f5f", "#9d4edd", "#b8860b", "#56a5d8", "#d6336c", "#5c4033", "#6b8e23", "#1f3a5f",
    "#e07a5f", "#2a9d8f", "#7b1e3a", "#8c8cd9", "#a3a300", "#e0559f", "#3f7d20", "#4b3f99", "#a0654a", "#0f8b99",
)  # fmt: skip

#: Networks whose colours are given, so that those most often compared differ; all others have one by their name.
_GIVEN = (
    "srcnn", "vdsr", "hybrid", "edsr", "fsrcnn", "espcn", "ecbsr", "etds", "lkdn", "mdsr", "pan", "span", "multiskip",
    "subband", "multiband", "minisub", "rirca", "edsr_se", "imdn", "rfdn",
)  # fmt: skip


def colours(names: Sequence[str]) -> dict[str, str]:
    """Give each model the colour of its network; one whose colour is taken by a model before it gets the next free one.

    Args:
        names: Models, each by its network or by the name of its run, which begins with that.

    Returns:
        Name to colour; bicubic is grey.

    Example:
        >>> colours(["vdsr", "bicubic"]) == {"bicubic": "#7a7a7a", "vdsr": colours(["srcnn", "vdsr"])["vdsr"]}
        True
    """
    hue = {BICUBIC: GREY}
    for name in names:
        if name not in hue:
            first = _place(name)
            order = [*PALETTE[first:], *PALETTE[:first]]
            hue[name] = next((colour for colour in order if colour not in hue.values()), order[0])
    return hue


def _place(name: str) -> int:
    """Choose a place in the palette: by the longest network that a name begins with, else by the name itself."""
    known = max((each for each in _GIVEN if name.startswith(each)), key=len, default=None)
    return _GIVEN.index(known) if known else crc32(name.encode("utf-8", "surrogatepass")) % len(PALETTE)
