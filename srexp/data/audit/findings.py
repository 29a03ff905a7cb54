"""What an audit found, as sentences, as tags of a run, and as a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from srexp.errors import RequestError

Kind: TypeAlias = Literal[
    "degenerate",
    "patients",
    "duplicates",
    "selection",
    "near-duplicates",
    "misregistered",
    "lossy",
    "few-test-images",
    "constant",
    "range",
    "unknown-patients",
    "skipped",
    "source",
    "start",
]
Severity: TypeAlias = Literal["warning", "note"]

#: Images that a finding names at most.
MOST_IMAGES = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the audit found.

    Args:
        kind: What it is about.
        severity: `warning`: the scores may be worth less than they seem, refused under `audit=strict`; `note`: to be
            known when the scores are read.
        message: One sentence or two, for people; without any patient's key.
        images: Keys of the images concerned, the first 200 of them.
    """

    kind: Kind
    severity: Severity
    message: str
    images: tuple[str, ...] = ()


def messages(findings: Sequence[Finding]) -> list[str]:
    """Give the sentences for `result.json` and the reader.

    Args:
        findings: See `audit`.

    Returns:
        One sentence for each.
    """
    return [finding.message for finding in findings]


def tags(findings: Sequence[Finding]) -> dict[str, str]:
    """Give the tags of a run: its kinds of warnings by which runs can be searched, and the sentence of each.

    Args:
        findings: See `audit`.

    Returns:
        `audit`, which is `clean` or lists the warnings, and `audit.KIND` for each finding.

    Example:
        >>> tags([Finding("lossy", "warning", "2 targets are lossy")])
        {'audit': 'lossy', 'audit.lossy': '2 targets are lossy'}
    """
    warned = dict.fromkeys(finding.kind for finding in findings if finding.severity == "warning")
    sentences: dict[str, str] = {}
    for finding in findings:
        name = f"audit.{finding.kind}"
        sentences[name] = f"{sentences[name]}; {finding.message}" if name in sentences else finding.message
    return {"audit": " ".join(warned) or "clean", **sentences}


def require_clean(findings: Sequence[Finding]) -> None:
    """Refuse a data set with warnings, for `audit=strict`; notes are let through.

    Args:
        findings: See `audit`.

    Raises:
        RequestError: There are warnings; all of them are listed.
    """
    warnings = [f"{finding.kind}: {finding.message}" for finding in findings if finding.severity == "warning"]
    if warnings:
        raise RequestError(
            "audit=strict does not accept this data set:",
            lines=warnings,
            expected="a data set and a task without warnings",
            fix="mend the data, or audit=warn to go on with the warnings on record",
        )
