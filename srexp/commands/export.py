"""`export`: a model as a file for another program, checked on real images, with a model card."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

from srexp.commands.probes import real_images
from srexp.config.build import build
from srexp.config.schema import ExportConfig


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
    from srexp.enhance.card import card
    from srexp.enhance.export import RUNTIME_OF, Parity, export, require_empty
    from srexp.enhance.runtimes import module_of
    from srexp.tracking.models import load
    from srexp.training.numerics import load_quietly

    # What can be wrong is found before TensorFlow is loaded.
    folder = (config.output or config.run_dir / "exported").expanduser().absolute()
    require_empty(folder, overwrite=config.overwrite)
    file = module_of(RUNTIME_OF[config.format]).FILE
    load_quietly()
    model, known = load(build(config.tracking, folder=config.paths.root).store, config.model_uri)
    images = real_images(model.input_shape[-1])
    scale = scale_of(model)

    def described(name: str, parity: Parity) -> str:
        return card(
            facts(known),
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
        "model_uri": known["uri"],
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


def facts(known: Mapping[str, Any]) -> dict[str, str]:
    """Name what the store knows of a model as the model card asks for it.

    Args:
        known: From `srexp.tracking.models.load`.

    Returns:
        Facts; those that the store doesn't know are missing.
    """
    tags, params = known.get("tags", {}), known.get("params", {})
    degradation = {
        key: value for key, value in params.items() if key.startswith("degradation.") and "_target_" not in key
    }
    found = {
        "uri": known.get("uri"),
        "run_id": known.get("run_id"),
        "task": tags.get("task") or known.get("name"),
        "model": tags.get("model"),
        "fingerprint": tags.get("data.fingerprint"),
        "protocol": tags.get("protocol"),
        "commit": tags.get("mlflow.source.git.commit"),
        "degradation": ", ".join(f"{key.removeprefix('degradation.')}={value}" for key, value in degradation.items()),
        "attribution": _attribution(params),
        "warnings": tags.get("warnings"),
        **{name: _figure(tags[name]) for name in tags if name.startswith(("test_", "bicubic_", "gain_"))},
    }
    return {key: str(value) for key, value in found.items() if value}


def _figure(text: str) -> str:
    try:
        return f"{json.loads(text):.5g}"
    except (ValueError, TypeError):
        return text


def _attribution(params: Mapping[str, str]) -> str:
    """Say whose images a model learnt from; the folder of the user's own images is nobody else's business."""
    module, _, name = params.get("dataset._target_", "").rpartition(".")
    own = "images of the user's own, whose terms srexp does not know"
    if not module.startswith("srexp.data."):
        return own if module else ""
    return str(getattr(importlib.import_module(module), name).attribution) or own
