"""What rirca alone keeps; the contract of every network is in test_models.py."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.errors import RequestError
from srexp.models import rirca
from tests.models.counts import parameters


@pytest.mark.parametrize(
    ("channels", "counts"),
    [
        (1, [401_953, 404_113, 407_137]),  # at x2: 480 + 2 * (2 * 84,348 + 20,784) + 20,784 + 9*4*48+1
        (3, [406_275, 412_755, 421_827]),
    ],
)
def test_parameter_counts(channels: int, counts: list[int]) -> None:
    assert parameters("rirca", channels, 2, 3, 4) == counts


@pytest.mark.parametrize("attention", ["detail", "mean"])
def test_attention_looks_at_the_whole_image(attention: str) -> None:
    assert receptive_field(rirca.build(2, 1, width=4, attention=attention)) is None


def test_without_attention_it_sees_21_pixels() -> None:
    model = rirca.build(2, 1, width=4, attention="none")
    found = receptive_field(model)
    assert found is not None
    assert found.radius == 1 + 2 * (2 * 4 + 1) + 1 + 1
    assert not [layer.name for layer in model.layers if "weigh" in layer.name]


@pytest.mark.parametrize("key", ["width", "groups", "blocks", "reduction"])
def test_sizes_below_one_are_refused_by_name(key: str) -> None:
    with pytest.raises(RequestError, match=f"model.{key}"):
        rirca.build(2, 1, **{key: 0})
