"""Findings as a refusal and as tags."""

from __future__ import annotations

import pytest

from srexp.data.audit.findings import Finding, require_clean, tags
from srexp.errors import RequestError


def test_strict_refuses_warnings_and_lets_notes_through() -> None:
    note = Finding("range", "note", "dark")
    assert note.images == ()
    require_clean([note])
    with pytest.raises(RequestError) as refused:
        require_clean([Finding("lossy", "warning", "2 targets"), note, Finding("constant", "warning", "1 image")])
    assert refused.value.exit_code == 2
    assert "lossy: 2 targets" in str(refused.value)
    assert "constant: 1 image" in str(refused.value)
    assert "dark" not in str(refused.value)


def test_tags_are_what_mlflow_accepts_and_keep_every_sentence() -> None:
    found = [
        Finding("source", "note", "one"),
        Finding("near-duplicates", "warning", "two"),
        Finding("source", "note", "3"),
    ]
    assert tags([]) == {"audit": "clean"}
    assert tags(found) == {"audit": "near-duplicates", "audit.source": "one; 3", "audit.near-duplicates": "two"}
