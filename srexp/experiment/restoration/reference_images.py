"""Real images that a model is tried on before it goes into the world: details of those that come with srexp."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from srexp.data.degradation.degradations import reduced
from srexp.data.degradation.imresize import resize
from srexp.data.formats.registry import read_image
from srexp.data.sources.samples import package_folder
from srexp.types import Batch, Pixels

#: Height and width of a detail of each file: odd, narrow, square, smaller than a kernel.
DETAILS = {
    "RG1_UNCR.dcm": (97, 131),
    "MR-SIEMENS-DICOM-WithOverlays.dcm": (64, 64),
    "693_UNCR.dcm": (33, 150),
    "MR2_UNCR.dcm": (5, 3),
}


def real_images(channels: int) -> list[Batch]:
    """Give details from the middle of the embedded images, and a batch of two.

    Args:
        channels: 1, or 3 for the same grey in each.

    Returns:
        Batches (n, h, w, c) of different sizes, float32 in [0, 1].
    """
    images = [_detail(name, size, channels)[np.newaxis] for name, size in DETAILS.items()]
    return [*images, np.concatenate([images[1], images[1][:, ::-1]])]


def pairs(scale: int, channels: int) -> list[tuple[Pixels, Pixels]]:
    """Give details with their bicubic reductions, on which the loss of a runtime is measured.

    Args:
        scale: How many times larger the target is; for 1, the image is reduced by 2 and enlarged again.
        channels: 1, or 3 for the same grey in each.

    Returns:
        Degraded image and target, (h, w, c) and (h * scale, w * scale, c), float32 in [0, 1].
    """
    side = 12 * max(scale, 2) * (8 // max(scale, 2))
    highs = [_detail(name, (side, side), channels) for name in list(DETAILS)[:3]]
    if scale == 1:
        return [(resize(reduced(high, 2), scale=Fraction(2)), high) for high in highs]
    return [(reduced(high, scale), high) for high in highs]


def _detail(name: str, size: tuple[int, int], channels: int) -> Pixels:
    whole = read_image(package_folder() / name).to_float()[..., :1]
    rows, columns = (
        slice((length - side) // 2, (length + side) // 2) for length, side in zip(whole.shape, size, strict=False)
    )
    return np.repeat(whole[rows, columns], channels, axis=-1)
