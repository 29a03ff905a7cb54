"""`check`: say whether a training or a search, its configuration and its data set, fit together, without TensorFlow."""

from __future__ import annotations

from typing import Any, cast

from srexp.config.sections.verbs import CheckConfig, SearchConfig
from srexp.data.sources.public_dataset import Downloadable
from srexp.experiment import start
from srexp.experiment.preflight import require_usable
from srexp.experiment.search.space_check import searchable
from srexp.experiment.task import builders
from srexp.metrics.table import counted
from srexp.system.stdio import say


def run(config: CheckConfig) -> dict[str, Any]:
    """Build what is light and look at the data set from outside; the composition was checked before.

    Args:
        config: Checked configuration.

    Returns:
        What was composed and how many images there are.

    Raises:
        RequestError: Something does not fit.
    """
    search = ""
    if config.search:
        engine, _ = searchable(cast(SearchConfig, config))  # which has nothing but such a section besides
        search = f", search {engine.name} of {counted(engine.trials, 'trial')}"
    parts = builders(config)
    start.settled(config)
    images = None
    if isinstance(parts.source, Downloadable) and (sentence := parts.source.missing()):
        told = f"the configuration fits; {sentence}"
    else:
        require_usable(config, parts.source, parts.protocol)
        images = len(parts.source.items())
        epochs = counted(config.trainer.epochs, "epoch")
        told = f"{counted(images, 'image')}, model {config.model.name}, {epochs}{search}: fits"
    say(f"{config.experiment_name}: {told}")
    return {
        "experiment_name": config.experiment_name,
        "images": images,
        "choices": config.choices,
        "configuration": config.resolved,
    }
