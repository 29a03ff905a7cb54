"""Which answers are a success, which pass, and which don't."""

from __future__ import annotations

import pytest

from srexp.enhance.pacs.sending import AwayError, BrokenOffError, RefusedError, require_taken


@pytest.mark.parametrize("status", [0x0000, 0x0001, 0x0107, 0x0116, 0xB000, 0xB006, 0xB007])
def test_taken(status: int) -> None:
    require_taken(status, "there")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(0xA700, AwayError), (0xA7FF, AwayError), (0xA800, RefusedError), (0xA900, RefusedError), (0xC000, RefusedError),
     (0x0110, RefusedError), (0x0111, RefusedError), (0x0124, RefusedError)],
)  # fmt: skip
def test_not_taken(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=f"there .*{status:04X}") as failure:
        require_taken(status, "there")
    assert type(failure.value) is kind


def test_one_that_breaks_off_is_away() -> None:
    assert issubclass(BrokenOffError, AwayError)
    assert not issubclass(RefusedError, AwayError)
