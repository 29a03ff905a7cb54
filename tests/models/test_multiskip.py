"""What multiskip alone keeps; the contract of every network is in test_models.py."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.models import multiskip
from tests.models.counts import parameters


@pytest.mark.parametrize(
    ("channels", "counts"),
    [
        (1, [600_377, 600_377, 600_377]),  # at x2: 1,512 + 4 * (2 * (2 * 28,280 + 56) + 28,280) + 28,280 + 9*9*56+1
        (3, [612_251, 612_251, 612_251]),
    ],
)
def test_parameter_counts(channels: int, counts: list[int]) -> None:
    assert parameters("multiskip", channels, 2, 3, 4) == counts


def test_a_smaller_last_layer_is_built_for_upscale_subpixel() -> None:
    assert parameters("multiskip", 1, 2, upscale="subpixel") == [597_857]  # 9*4*56+1 instead of 9*9*56+1


def test_each_level_has_a_skip_and_it_sees_25_pixels() -> None:
    model = multiskip.build(2, 1, width=4)
    sums = [layer.name for layer in model.layers if type(layer).__name__ == "Add"]
    assert sums[-3:] == ["module_4", "trunk", "restored"]
    assert len(sums) == 4 * 3 + 2
    found = receptive_field(model)
    assert found is not None
    assert found.radius == 2 + 4 * 5 + 1 + 2  # the deconvolution's 9 pixels at x2 reach two features far


@pytest.mark.parametrize("key", ["width", "modules", "units"])
def test_sizes_below_one_are_refused_by_name(key: str) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        multiskip.build(2, 1, **{key: 0})
