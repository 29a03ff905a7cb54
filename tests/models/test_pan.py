"""PAN's sizes are its authors'."""

import pytest

from srexp.enhance.receptive_field import receptive_field
from srexp.models import pan
from tests.models.counts import parameters
from tests.networks import first_quick


@pytest.mark.parametrize("scale", first_quick([(4,), (3,), (2,)]))
def test_parameter_counts_are_the_authors(scale: int) -> None:
    (colour,), (grey,) = (parameters("pan", channels, scale) for channels in (3, 1))
    assert colour == {2: 261_403, 3: 261_403, 4: 272_419}[scale]
    # a channel less is a kernel of 3 x 3 less before 40 features and behind 24, and one bias
    assert grey == colour - 2 * (9 * 40 + 9 * 24 + 1)


def test_it_looks_at_a_part_of_the_image() -> None:
    sees = receptive_field(pan.build(4, 1, width=4, behind=4))
    assert sees is not None
    assert (sees.radius, sees.scale) == (38, 4)
