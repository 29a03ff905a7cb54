"""`export`: a model as a file for another program, checked on real images, with a model card."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

from srexp.config.builders import build
from srexp.config.schema import ExportConfig
from srexp.experiment.reference_images import real_images
from srexp.tracking.registry.models import load
from srexp.tracking.store.store import Store, connect, translated


def run(config: ExportConfig) -> dict[str, Any]:
    """Export a model.

    Args:
        config: Checked configuration, with `model_uri`, `format`, `output`, `tolerance` and `overwrite`.

    Returns:
        The folder, its files, and the differences to the model.

    Raises:
        RequestError: There is no such model, a package is missing, or the folder is not empty.
        SrexpError: The file computes something else than the model.
    """
    from srexp.enhance.export.export import RUNTIME_OF, Parity, export, require_empty
    from srexp.enhance.export.model_card import card
    from srexp.enhance.runtimes.choice import module_of
    from srexp.training.numerics import load_quietly

    # What can be wrong is found before TensorFlow is loaded.
    folder = (config.output or config.run_dir / "exported").expanduser().absolute()
    require_empty(folder, overwrite=config.overwrite)
    file = module_of(RUNTIME_OF[config.format]).FILE
    load_quietly()
    store = build(config.tracking, folder=config.paths.root).store
    loaded = load(store, config.model_uri)
    model, known = loaded.model, {"uri": loaded.found.readable, **facts(loaded.facts, commit(store, loaded.facts))}
    images = real_images(model.input_shape[-1])
    scale = scale_of(model)

    def described(name: str, parity: Parity) -> str:
        return card(
            known,
            form=config.format,
            file=name,
            parity=parity,
            scale=scale,
            channels=model.input_shape[-1],
            version=importlib.metadata.version("srexp"),
        )

    parity = export(
        model,
        config.format,
        folder,
        images=images,
        tolerance=config.tolerance,
        card=described,
        overwrite=config.overwrite,
    )
    print(f"written  {folder / file}, with parity.json and MODEL_CARD.md")
    print(f"parity   {parity.largest:.1e} at most, {parity.mean:.1e} on average, on {len(images)} real images")
    return {
        "model_uri": loaded.found.readable,
        "format": config.format,
        "output": str(folder),
        "files": sorted(path.name for path in folder.iterdir()),
        "parity": {"largest": parity.largest, "mean": parity.mean, "tolerance": parity.tolerance},
    }


def scale_of(model: Any) -> int:
    """Find how many times a model enlarges, by asking it."""
    import numpy as np

    side = 8
    restored = model(np.zeros((1, side, side, model.input_shape[-1]), np.float32), training=False)
    return int(restored.shape[1]) // side


def commit(store: Store, known: Mapping[str, str]) -> str:
    """Find the git commit of the code that trained a model; the empty string where nobody noted it."""
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
        "run_id": known.get("run_id"),
        "task": known.get("task"),
        "model": known.get("model"),
        "fingerprint": known.get("data.fingerprint"),
        "protocol": known.get("protocol"),
        "commit": commit,
        "degradation": ", ".join(degradation),
        "attribution": _attribution(known),
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
    module, _, name = known.get("dataset._target_", "").rpartition(".")
    own = "images of the user's own, whose terms srexp does not know"
    if not module.startswith("srexp.data."):
        return own if module else ""
    return str(getattr(importlib.import_module(module), name).attribution) or own
