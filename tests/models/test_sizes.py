"""What no network can be built of is refused by its key."""

import pytest

from srexp.errors import RequestError, checked_by
from srexp.models.sizes import positive


@checked_by(positive("blocks"))
def build(scale: int, channels: int, *, blocks: int = 2, name: str = "mine") -> str:
    return f"{name} {scale} {channels} {blocks}"


def test_what_counts_is_built() -> None:
    assert build(1, 1, blocks=1) == "mine 1 1 1"


@pytest.mark.parametrize(
    ("given", "named"), [((0, 1, 1), "scale"), ((2, 0, 1), "channels"), ((2, 1, 0), "model.blocks")]
)
def test_nothing_is_built_of_nothing(given: tuple[int, int, int], named: str) -> None:
    scale, channels, blocks = given
    with pytest.raises(RequestError, match=f"^{named} is too small"):
        build(scale, channels, blocks=blocks)
