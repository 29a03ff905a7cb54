"""What is said where a promotion can't be decided; the whole of it is in tests/commands/test_promote.py."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from srexp.errors import SrexpError
from srexp.experiment.promotion import decision


@pytest.mark.parametrize(
    ("failure", "got", "fix"),
    [
        (NotADirectoryError(20, "Not a directory", "artifacts"), "Not a directory", "permit it, or choose another"),
        (OSError(28, "No space left on device"), "No space left", "make room"),
        (ConnectionRefusedError("nobody listens"), "nobody listens", "start its server"),
        (None, "no answer in time", "start its server"),
    ],
)
def test_why_the_store_did_not_take_the_evidence_is_said_with_its_mend(
    failure: Exception | None, got: str, fix: str
) -> None:
    tracked = SimpleNamespace(flush=lambda: False, failure=failure, journal=SimpleNamespace(refused=[]))
    with pytest.raises(SrexpError, match="didn't take the evidence, so nothing was moved") as refused:
        decision._require_stored(tracked)  # type: ignore[arg-type]  # what of a run is asked
    assert got in str(refused.value.got)
    assert refused.value.fix.startswith(fix)
    assert refused.value.fix.endswith("; then type the same command again")
