"""`export`: a model as a file for another program, checked on real images, with a model card."""

from __future__ import annotations

import importlib.metadata
from functools import partial
from typing import Any

from srexp.config.builders import build
from srexp.config.sections.verbs import ExportConfig
from srexp.experiment.restoration.reference_images import real_images
from srexp.experiment.trained.loaded_model import awaited, scale_of
from srexp.experiment.trained.model_facts import facts, of_run
from srexp.system.terminal import Terminal
from srexp.tracking.registry.models import load


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
    from srexp.enhance.export.export import RUNTIME_OF, Target, export
    from srexp.enhance.export.model_card import card
    from srexp.enhance.runtimes.choice import runtime_named
    from srexp.training.numerics import load_quietly

    # What can be wrong is found before TensorFlow is loaded.
    folder = (config.output or config.run_dir / "exported").expanduser().absolute()
    target = Target(config.format, folder, config.overwrite)
    target.require_empty()
    file = runtime_named(RUNTIME_OF[config.format]).FILE
    store = build(config.tracking, folder=config.paths.root).store
    found = awaited(store, config.model_uri)
    load_quietly()
    loaded = load(store, found, digest=config.require_digest)
    model, channels = loaded.model, loaded.model.input_shape[-1]
    images = real_images(channels)
    known = {
        **facts({**loaded.facts, **of_run(store, loaded.facts)}),
        "uri": loaded.found.readable,
        "digest": loaded.digest,
        "form": config.format,
        "scale": scale_of(model, loaded.found.uri),
        "channels": channels,
        "version": importlib.metadata.version("srexp"),
    }
    parity = export(model, target, images=images, tolerance=config.tolerance, card=partial(card, known))
    made = sorted((path.name for path in folder.iterdir()), key=lambda name: (name != file, name))
    console = Terminal()
    console.files("written", folder, made)
    console.about("parity", f"{parity.largest:.1e} at most, {parity.mean:.1e} on average, on {len(images)} real images")
    console.about("digest", f"{loaded.digest}, of the model that it was made from")
    return {
        "model_uri": loaded.found.readable,
        "digest": loaded.digest,
        "format": config.format,
        "output": str(folder),
        "files": sorted(made),
        "parity": {"largest": parity.largest, "mean": parity.mean, "tolerance": parity.tolerance},
    }
