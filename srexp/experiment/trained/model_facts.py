"""What the store knows of a model, as its model card asks for it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping

from srexp.config.allowed_targets import current
from srexp.tracking.store.store import Store, connect, translated


def commit(store: Store, known: Mapping[str, str]) -> str:
    """Find the git commit of the code that trained a model.

    Args:
        store: Where its run is.
        known: What the store knows of the model.

    Returns:
        The commit; the empty string where nobody noted it.

    Raises:
        SrexpError: The store can't be reached.
    """
    if not known.get("run_id"):
        return ""
    with translated(store, "the run of the model can't be read"):
        return str(connect(store).get_run(known["run_id"]).data.tags.get("mlflow.source.git.commit", ""))


def facts(known: Mapping[str, str], commit: str = "") -> dict[str, str]:
    """Name what the store knows of a model as the model card asks for it.

    Args:
        known: Parameters of the training, and tags of the version.
        commit: Git commit of the code that trained it.

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
        "commit": commit or known.get("commit"),
        "degradation": ", ".join(degradation),
        "detail": known.get("detail") or _detail(known),
        "attribution": known.get("attribution") or _attribution(known),
        **{key: _figure(known[key]) for key in known if key.startswith(("test_", "bicubic_", "gain_"))},
    }
    return {key: value for key, value in found.items() if value}


def _detail(known: Mapping[str, str]) -> str:
    """Say of a model without a version, of which only the parameters are known, whether it may invent detail."""
    opposed = known.get("training._target_", "").endswith(".adversarial.build")
    return "invented" if opposed and float(known.get("training.weight", 1)) > 0 else ""


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
