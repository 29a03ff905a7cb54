"""IMDN's sizes are its authors', and it looks at the whole image."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.models import imdn
from tests.models.counts import parameters
from tests.networks import first_quick


@pytest.mark.parametrize(
    ("channels", "counts"), first_quick([(3, [694_404, 703_059, 715_176]), (1, [688_636, 691_521, 695_560])])
)
def test_parameter_counts_are_the_authors(channels: int, counts: list[int]) -> None:
    assert parameters("imdn", channels, 2, 3, 4) == counts


def test_it_is_never_tiled() -> None:
    assert receptive_field(imdn.build(2, 1, width=8, blocks=1)) is None
