"""Batches for one network that serves several scales."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from srexp.data.batches.patches import PatchSampler
from srexp.data.degradation.imresize import resize
from srexp.types import Batch


class MultiscaleSampler:
    """Batches of several scales in turn, `low` enlarged to the size of `high`, as the network enlarges it itself.

    So the layers behind the network's own enlargement learn all scales at once (J. Kim et al., VDSR, CVPR 2016, section
    3.3 "Multi-scale"). The step decides the scale, so a batch is still a pure function of (seed, epoch, step).
    `imresize.resize` enlarges. The network's own kernel rounds its weights differently, by less than 1e-3, and
    treats the last two low-resolution pixels at a patch's border differently.

    Args:
        samplers: One for each scale, alike in all else.
    """

    def __init__(self, samplers: Sequence[PatchSampler]) -> None:
        self._samplers = list(samplers)
        self.steps_per_epoch = self._samplers[0].steps_per_epoch

    def batch(self, epoch: int, step: int) -> tuple[Batch, Batch]:
        """Make one batch.

        Args:
            epoch: Epoch, from 0.
            step: Step within the epoch, from 0.

        Returns:
            `low` and `high`, both (n, p, p, c), float32 in [0, 1] but for what bicubic interpolation overshoots.
        """
        sampler = self._samplers[(epoch * self.steps_per_epoch + step) % len(self._samplers)]
        low, high = sampler.batch(epoch, step)
        return np.stack([resize(image, scale=Fraction(sampler.pairing.scale)) for image in low]), high

    def shapes(self) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
        """Give the shapes of `low` and `high` in every batch; decodes one image, for its channels."""
        _, high = self._samplers[0].shapes()
        return high, high
