"""`check`: say whether a training configuration and its data set fit together, without TensorFlow."""

from __future__ import annotations

from typing import Any

from srexp.config.sections.base import Config
from srexp.data.preparation.prepare import probe_request
from srexp.data.sources.public_dataset import Downloadable
from srexp.experiment import start
from srexp.experiment.task import builders
from srexp.system.stdio import say


def run(config: Config) -> dict[str, Any]:
    """Build what is light and look at the data set from outside; the composition was checked before.

    Args:
        config: Checked configuration.

    Returns:
        What was composed and how many images there are.

    Raises:
        RequestError: Something does not fit.
    """
    parts = builders(config)
    start.settled(config)
    images = None
    if isinstance(parts.source, Downloadable) and (sentence := parts.source.missing()):
        told = f"the configuration fits; {sentence}"
    else:
        for scale in config.trainer.scales or [config.scale]:
            probe_request(parts.source, config.trainer.patch_size, scale)
        images = len(parts.source.items())
        told = f"{images} images, model {config.model.name}, {config.trainer.epochs} epochs: fits"
    say(f"{config.experiment_name}: {told}")
    return {
        "experiment_name": config.experiment_name,
        "images": images,
        "choices": config.choices,
        "configuration": config.resolved,
    }
