"""Real images for trying a model."""

import numpy as np
import pytest

from srexp.experiment.restoration.reference_images import pairs, real_images


def test_real_images_differ_in_size():
    images = real_images(3)
    assert len({image.shape for image in images}) == len(images) == 5
    for image in images:
        assert image.shape[-1] == 3
        assert (image[..., 0] == image[..., 2]).all()
        assert 0 <= image.min() <= image.max() <= 1
    assert max(image.max() for image in images) > 0.1


@pytest.mark.parametrize("scale", [1, 2, 3, 5])
def test_pairs_fit_the_scale(scale):
    for low, high in pairs(scale, 1):
        assert high.shape == (low.shape[0] * scale, low.shape[1] * scale, 1)
        assert not np.array_equal(low, high)
