"""What an open run says of what the store hasn't got."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.errors import SrexpError
from srexp.tracking.runs.tracking import Tracking


def test_a_result_gets_what_the_store_answered(tracking: Tracking) -> None:
    with tracking.run("task") as run:
        assert run.flush()
        told = run.answered({"run_id": None, "test": 1})
    assert told == {"run_id": run.id, "test": 1}
    assert run.pending() == {}


def test_a_file_that_cannot_be_kept_is_named_at_the_end(tracking: Tracking) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with (
        pytest.raises(SrexpError, match=r"stored nowhere.*figures/a\.png \(No space left"),
        tracking.run("task") as run,
    ):
        run.keep("figures/a.png", full)
    assert not run.is_open
