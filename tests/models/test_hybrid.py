"""What the hybrid alone keeps; the contract of every network is in test_models.py."""

import pytest

from srexp.errors import RequestError
from srexp.models import hybrid


@pytest.mark.parametrize(
    ("scale", "channels", "count"),
    [
        (1, 1, 213_057),
        (2, 1, 214_353),  # 5*5*64+64 + 64*48+48 + 10*(9*48*48+48) + 6*6*48+1
        (4, 3, 236_563),
    ],
)
def test_parameter_count_of_the_hybrid_grows_with_the_last_kernel(scale: int, channels: int, count: int) -> None:
    assert hybrid.build(scale, channels).count_params() == count


@pytest.mark.parametrize(("key", "value"), [("wide", 5), ("width", 0), ("blocks", 0)])
def test_sizes_too_small_are_refused_by_name(key: str, value: int) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        hybrid.build(2, 1, **{key: value})
