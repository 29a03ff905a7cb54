"""What the store knows of a model, as its model card asks for it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping

from srexp.config.allowed_targets import current
from srexp.tracking.registry.models import detail
from srexp.tracking.store.store import Store, connect, translated


def of_run(store: Store, known: Mapping[str, str]) -> dict[str, str]:
    """Find what only the run of a model knows.

    Args:
        store: Where its run is.
        known: What the store knows of the model.

    Returns:
        The git commit of the code that trained it as `commit`, `detail` where it is invented; without a run nothing.

    Raises:
        SrexpError: The store can't be reached.
    """
    if not known.get("run_id"):
        return {}
    with translated(store, "the run of the model can't be read"):
        tags = connect(store).get_run(known["run_id"]).data.tags
    noted = {"commit": tags.get("mlflow.source.git.commit"), "detail": tags.get("detail")}
    return {name: str(value) for name, value in noted.items() if value}


def facts(known: Mapping[str, str]) -> dict[str, str]:
    """Name what the store knows of a model as the model card asks for it.

    Args:
        known: Parameters of the training, tags of the version, and what `of_run` found.

    Returns:
        Facts; those that the store doesn't know are missing.
    """
    degradation = [
        f"{key.removeprefix('degradation.')}={value}"
        for key, value in known.items()
        if key.startswith("degradation.") and not key.endswith("_target_")
    ]
    found = {
        **{key: known.get(key) for key in ("run_id", "task", "model", "protocol")},
        "fingerprint": known.get("data.fingerprint"),
        "commit": known.get("commit"),
        "degradation": ", ".join(degradation),
        "detail": detail(known),
        "attribution": known.get("attribution") or _attribution(known),
        **{key: _figure(known[key]) for key in known if key.startswith(("test_", "bicubic_", "gain_"))},
    }
    return {key: value for key, value in found.items() if value}


def _figure(text: str) -> str:
    try:
        return f"{json.loads(text):.5g}"
    except (ValueError, TypeError):
        return text


def _attribution(known: Mapping[str, str]) -> str:
    """Say whose images a model learnt from; the folder of the user's own images is nobody else's business."""
    module, _, name = current(known.get("dataset._target_", "")).rpartition(".")
    own = "images of the user's own, whose terms srexp does not know"
    if not module.startswith("srexp.data."):
        return own if module else ""
    return str(getattr(importlib.import_module(module), name).attribution) or own
