"""RFDN's sizes are its authors' in both forms, and it looks at the whole image."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.models import rfdn
from tests.models.counts import parameters
from tests.networks import first_quick


@pytest.mark.parametrize(
    ("channels", "counts"), first_quick([(3, [417_212, 423_977, 433_448]), (1, [412_704, 414_959, 418_116])])
)
def test_parameter_counts_are_the_authors(channels: int, counts: list[int]) -> None:
    assert parameters("rfdn", channels, 2, 3, 4) == counts


@pytest.mark.parametrize(
    ("channels", "counts"), first_quick([(3, [534_036, 540_531, 549_624]), (1, [529_708, 531_873, 534_904])])
)
def test_so_are_those_of_the_papers_form(channels: int, counts: list[int]) -> None:
    assert parameters("rfdn", channels, 2, 3, 4, form="paper", width=48, blocks=6) == counts


@pytest.mark.parametrize("form", ["aim", "paper"])
def test_it_is_never_tiled(form: str) -> None:
    assert receptive_field(rfdn.build(2, 1, width=8, blocks=1, form=form)) is None
