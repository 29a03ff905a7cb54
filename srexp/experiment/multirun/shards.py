"""What the shards of an input come to together, where they were the jobs of a multirun."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srexp.config.override_grammar import key_of
from srexp.experiment.multirun.job import Job
from srexp.system.files.atomic_files import write_whole

NAME = "shards.json"
#: What each shard of `enhance` tells of its own files.
_LISTS = ("restored", "skipped", "failed", "warnings")


@dataclass(frozen=True, slots=True)
class Shared:
    """An input that was shared out.

    Args:
        verb: What was done with it.
        overrides: What was typed, without the shards.
        states: How many shards ended how.
        result: What all of them came to; empty where that isn't known, as some have not ended.
    """

    verb: str
    overrides: dict[str, str]
    states: dict[str, int]
    result: dict[str, Any]


def gathered(jobs: Sequence[Job]) -> list[Shared]:
    """Put the shards of each input together.

    Args:
        jobs: From `job.jobs`.

    Returns:
        One for each combination of what else differs between the jobs; none where no job was a shard.
    """
    groups: dict[tuple[str, ...], list[Job]] = {}
    for each in jobs:
        if any(key_of(key) == "shard" for key in each.overrides):
            rest = {key: value for key, value in each.overrides.items() if key_of(key) != "shard"}
            groups.setdefault((each.verb, json.dumps(rest)), []).append(each)
    return [
        Shared(verb, json.loads(rest), dict(Counter(each.state for each in of_input)), _together(verb, of_input))
        for (verb, rest), of_input in groups.items()
    ]


def _together(verb: str, shards: Sequence[Job]) -> dict[str, Any]:
    results = [each.result for each in shards if each.result]
    if verb != "enhance":  # the last shard to end has joined them
        return next((result for result in results if "test" in result), {})
    if len(results) < len(shards):
        return {}
    lists = {name: [each for result in results for each in result[name]] for name in _LISTS}
    named = {name: results[0][name] for name in ("model_uri", "output", "ledger")}
    gallery = next((result["gallery"] for result in results if result["gallery"]), None)
    return {**named, **lists, "warnings": list(dict.fromkeys(lists["warnings"])), "gallery": gallery}


def write(shared: Sequence[Shared], folder: Path) -> None:
    """Write `shards.json`.

    Args:
        shared: From `gathered`.
        folder: Of the multirun.
    """
    write_whole(folder / NAME, json.dumps([asdict(each) for each in shared], indent=2) + "\n")
