"""Evaluations in the store, of the models of a comparison on other test images than those of the comparison."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from srexp.evaluation.comparison.elsewhere import Elsewhere, Gain
from srexp.experiment.comparison.entry import Entry, as_written
from srexp.tracking.runs import queries
from srexp.tracking.store.store import Store

log = logging.getLogger(__name__)

_MOST = 1000  # of the newest evaluations


def evaluated(store: Store, entries: Sequence[Entry]) -> list[Elsewhere]:
    """Find on which other test images models were evaluated; of several evaluations alike the newest counts.

    Args:
        store: Where runs are kept.
        entries: The runs that are compared.

    Returns:
        A row for each test set, by its name.
    """
    called = {name: entry.name for entry in entries for name in _names(entry.result)}
    here = {_test_set(entry.result) for entry in entries}
    rows: dict[str, tuple[Mapping[str, Any], dict[str, Gain]]] = {}
    for run in queries.latest(store, limit=_MOST, status="FINISHED", tags={"verb": "evaluate"}):
        if run.tags.get("degenerate") == "true":
            continue
        try:
            result = queries.read_json(store, run, "result.json") or {}
            with as_written(store, run, "result.json"):
                _names(result), _test_set(result), _gain(result)
        except queries.DamagedError as error:  # of a run that nobody asked for
            log.warning("an evaluation is left out: %s", error.what)
            continue
        name = next((called[each] for each in _names(result) if each in called), None)
        if name is None or "protocol" not in result or (key := _test_set(result)) in here:
            continue
        _, gains = rows.setdefault(key, (result, {}))
        gains.setdefault(name, _gain(result))
    made = [
        Elsewhere(str(result["experiment_name"]), int(result["test"]["n_images"]), _part(result), gains)
        for result, gains in rows.values()
    ]
    return sorted(made, key=lambda each: (each.task, each.part, each.images))


def _names(result: Mapping[str, Any]) -> list[str]:
    """Give what always means the model of a training or of an evaluation."""
    model = result.get("model") or {}
    logged = model.get("model_id")
    known = [result.get("model_uri"), f"models:/{logged}" if logged else None, model.get("digest")]
    return [each for each in known if each and "@" not in each]


def _test_set(result: Mapping[str, Any]) -> str:
    """Give what tells one test set from another: its images, how they were degraded, and how they were scored."""
    known = [result.get(name) for name in ("experiment_name", "data_fingerprint", "protocol")]
    return json.dumps([*known, result.get("test", {}).get("n_images")], sort_keys=True)


def _part(result: Mapping[str, Any]) -> str:
    crop = result["protocol"].get("crop")
    return f"centre crops of {crop} pixels" if crop else "whole"


def _gain(result: Mapping[str, Any]) -> Gain:
    low_high, seen = result.get("gain_ci95"), result.get("trained_on")
    ends = (float(low_high[0]), float(low_high[1])) if low_high else None
    return Gain(result.get("gain_db"), ends, None if seen is None else sum(seen.values()))
