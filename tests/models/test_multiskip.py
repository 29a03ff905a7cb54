"""What multiskip alone keeps; the contract of every network is in test_models.py."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.models import multiskip


@pytest.mark.parametrize(
    ("scale", "channels", "upscale", "count"),
    [
        (2, 1, "deconv", 600_377),  # 1,512 + 4 * (2 * (2 * 28,280 + 56) + 28,280) + 28,280 + 9*9*56+1
        (4, 1, "deconv", 600_377),
        (3, 3, "deconv", 612_251),
        (2, 1, "subpixel", 597_857),  # 9*4*56+1 instead of 9*9*56+1
    ],
)
def test_parameter_count(scale: int, channels: int, upscale: str, count: int) -> None:
    assert multiskip.build(scale, channels, upscale=upscale).count_params() == count


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
