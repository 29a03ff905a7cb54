"""What a restoration scores against its target, both in files: read and measured in a process with bounds."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from srexp.data.degradation.imresize import resize
from srexp.data.formats.readers import answer
from srexp.data.image import Channel, Stored, UnreadableImageError, to_channel
from srexp.errors import RequestError
from srexp.evaluation.figures.error_maps import error_map
from srexp.experiment.restoration.request_images import Asked, mended_elsewhere
from srexp.metrics.protocol import Protocol
from srexp.metrics.suite import measure
from srexp.types import Pixels

#: Steps of an error map in a grey level of 255.
ERROR_STEPS = 256

#: Values of metrics by their names, and the error of every pixel, (h, w, 1), in `ERROR_STEPS`.
Score = tuple[dict[str, float | None], npt.NDArray[np.uint16]]


class Rules(NamedTuple):
    """How is scored.

    Args:
        channel: Channel that the model was trained on.
        scale: How many times it enlarges.
    """

    channel: Channel
    scale: int


def restored_score(restored: Asked, target: Asked, rules: Rules) -> Score:
    """Score a restored image.

    Args:
        restored: The image.
        target: What it should be.
        rules: How is scored.

    Raises:
        RequestError: A file is damaged, or the images can't be compared.
    """
    return _scored(_read(restored, "restored image", rules).to_float(), target, rules)


def bicubic_score(low: Asked, target: Asked, rules: Rules) -> Score:
    """Score bicubic interpolation of the degraded image, as `restored_score` does the model's."""
    return _scored(resize(_read(low, "image", rules).to_float(), scale=Fraction(rules.scale)), target, rules)


def _scored(restored: Pixels, target: Asked, rules: Rules) -> Score:
    high = _read(target, "target", rules)
    wanted, protocol = high.to_float(), Protocol(channel=rules.channel)
    levels = protocol.levels(restored, wanted, bits=high.bits, scale=rules.scale, key="the image")
    error = np.minimum(error_map(restored, wanted) * ERROR_STEPS, 2**16 - 1)
    measured = measure(*levels, max_value=high.max_value, full=False)
    return dict(measured), np.round(error).astype(np.uint16)[..., np.newaxis]


def _read(asked: Asked, called: str, rules: Rules) -> Stored:
    try:
        with mended_elsewhere():
            image: Stored = answer(asked.kind, "read", asked.path, asked.frame, asked.intensity)
    except UnreadableImageError as error:
        raise RequestError(f"the {called}: {error.told()}") from None
    return to_channel(image, rules.channel)
