"""RLFN's sizes are its authors', and it looks at the whole image."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.models import rlfn
from tests.models.counts import parameters
from tests.networks import first_quick


@pytest.mark.parametrize(
    ("channels", "counts"), first_quick([(3, [526_856, 533_891, 543_740]), (1, [522_168, 524_513, 527_796])])
)
def test_parameter_counts_are_the_authors(channels: int, counts: list[int]) -> None:
    assert parameters("rlfn", channels, 2, 3, 4) == counts


@pytest.mark.parametrize(
    ("channels", "counts"), first_quick([(3, [454_620, 461_115, 470_208]), (1, [450_292, 452_457, 455_488])])
)
def test_so_are_those_of_the_small_form(channels: int, counts: list[int]) -> None:
    assert parameters("rlfn", channels, 2, 3, 4, width=48) == counts


def test_it_is_never_tiled() -> None:
    assert receptive_field(rlfn.build(2, 1, width=8, blocks=1)) is None
