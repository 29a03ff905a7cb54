"""What SRCNN alone keeps; the contract of every network is in test_models.py."""

import numpy as np

from srexp.models import srcnn


def test_no_filter_of_srcnn_begins_dead() -> None:
    for name in ("extract", "map"):
        kernel = srcnn.build(2, 1, kernels=[9, 5, 5], filters=[64, 32]).get_layer(name).get_weights()[0]
        assert (np.abs(kernel).sum(axis=(0, 1, 2)) > 0).all()
