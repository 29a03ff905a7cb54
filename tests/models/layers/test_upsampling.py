"""The beginning of every network: its input and the enlargement."""

import keras
import pytest

from srexp.errors import RequestError
from srexp.models import bicubic
from srexp.models.layers.upsampling import begin


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_enlargement_is_float32_under_every_policy(policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        low, enlarged = begin(3, 1)
    finally:
        keras.config.set_dtype_policy(before)
    assert (low.name, low.dtype, low.shape) == ("low", "float32", (None, None, None, 1))
    assert enlarged.dtype == "float32"


def test_scale_one_enlarges_nothing() -> None:
    low, enlarged = begin(1, 3)
    assert enlarged is low


@pytest.mark.parametrize(("scale", "channels", "named"), [(0, 1, "scale"), (2, 0, "channels")])
def test_what_can_not_be_built_is_refused(scale: int, channels: int, named: str) -> None:
    with pytest.raises(RequestError, match=f"{named} is too small"):
        begin(scale, channels)


def test_networks_of_users_find_it_where_it_first_was() -> None:
    assert bicubic.begin is begin
