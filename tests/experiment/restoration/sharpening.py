"""A model without a network, which is there at once: bicubic interpolation, with the difference to its mean added."""

from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from srexp.data.degradation.imresize import enlarged_rows
from srexp.data.restored_image import Provenance
from srexp.experiment.restoration.file_restoration import Restorer
from srexp.experiment.trained.loaded_model import Opened
from srexp.tracking.registry.models import Loaded
from srexp.tracking.store.addresses import Found

ROWS = 64


class Sharpening(Restorer):
    """What `serve` makes of a model, for whatever doesn't ask for its network."""

    @property
    def made(self):
        return Provenance(self.opened.loaded.found.label, "0", "0", self.opened.scale)

    @cached_property
    def restore(self):
        def rows(low):
            scale, height = self.opened.scale, len(low) * self.opened.scale
            tops = range(0, height, ROWS)
            self.on_tiles(len(tops))
            for top in tops:
                yield self.chosen(enlarged_rows(sharpened(low), scale, slice(top, min(top + ROWS, height))))

        return rows


def sharpened(low):
    return np.float32(low + 0.8 * (low - uniform_filter(low, (3, 3, 1), mode="nearest")))


def sharpening(scale=2, *, name="sharpening", intensity="bits", on_tiles=lambda _: None, taking=lambda batch: batch):
    """The model, and its turns."""
    loaded = Loaded(None, Found(name, path=Path(name)), sha256=name)
    opened = Opened(loaded, scale, 1, intensity, "grey")
    return Sharpening(opened, intensity, self_ensemble=False, memory_mb=1024, chosen=taking, on_tiles=on_tiles)
