"""ETDS: what is trained equals what is shipped, and that has the published parameters."""

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.models.etds import clamped
from srexp.models.layers.folding import folded
from tests.models.counts import parameters
from tests.networks import built, first_quick

#: Blocks, width and channels to the counts at x2, x3 and x4.
COUNTS = {
    (5, 16, 3): (13_944, 16_920, 21_360),
    (4, 32, 3): (41_512, 46_792, 54_112),
    (6, 32, 3): (60_008, 65_288, 72_608),
    (7, 48, 3): (152_184, 159_768, 169_968),
    (5, 16, 1): (12_360, 13_155, 14_352),
    (4, 32, 1): (38_488, 40_003, 42_208),
    (6, 32, 1): (56_984, 58_499, 60_704),
    (7, 48, 1): (147_720, 149_955, 153_168),
}


@pytest.mark.parametrize(("size", "counts"), first_quick(COUNTS.items()), ids=str)
def test_parameter_counts_are_the_published_ones(size: tuple[int, int, int], counts: tuple[int, ...]) -> None:
    blocks, width, channels = size
    assert tuple(parameters("etds", channels, 2, 3, 4, blocks=blocks, width=width, form="folded")) == counts


@pytest.mark.parametrize(("scale", "channels"), [(2, 1), (3, 3), (4, 1)])
def test_folding_changes_nothing_and_the_shipped_form_clamps(scale: int, channels: int) -> None:
    rng = np.random.default_rng(scale)
    trained = built("etds", scale, channels, blocks=2, width=9)
    for weight in trained.trainable_weights:
        weight.assign_add(rng.normal(0, 0.05, weight.shape))
    low = rng.random((1, 9, 7, channels), dtype=np.float32)
    restored = np.asarray(trained(low))
    assert restored.min() < 0
    plain = folded(trained)
    np.testing.assert_allclose(plain(low), restored, rtol=0, atol=5e-6)
    np.testing.assert_allclose(clamped(plain, scale)(low), restored.clip(0, 1), rtol=0, atol=5e-6)


def test_the_image_has_a_stream_of_its_own() -> None:
    """Whatever the others see, the last features are the image until training changes their own layers."""
    trained = built("etds", 2, 3, blocks=2, width=9)
    for weight in trained.get_layer("backbone_convs.0_branches").trainable_weights[:2]:  # of the stream of detail
        weight.assign_add(np.random.default_rng(0).normal(0, 1, weight.shape))
    kernel, bias = trained.get_layer("conv_last").get_weights()
    kernel[:, :, :6] = 0
    trained.get_layer("conv_last").set_weights([kernel, bias])
    low = np.random.default_rng(1).random((1, 4, 5, 3), dtype=np.float32)
    np.testing.assert_array_equal(trained(low), low.repeat(2, axis=1).repeat(2, axis=2))


def test_a_stream_for_detail_is_needed() -> None:
    with pytest.raises(RequestError, match="width leaves no feature for detail"):
        built("etds", 2, 3, width=3)
