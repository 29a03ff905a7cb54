"""`adopt`: weights that were trained elsewhere become a scored, tracked and registered model."""

from __future__ import annotations

from typing import Any

from srexp.commands.printing import console
from srexp.config.builders import build
from srexp.config.sections.verbs import AdoptConfig
from srexp.errors import RequestError
from srexp.experiment import network, pipeline
from srexp.experiment.pipeline import Plan
from srexp.experiment.preflight import channels_of
from srexp.experiment.scoring import require_scorable
from srexp.experiment.task import Task, builders
from srexp.models.foreign_weights import set_arrays
from srexp.system.files.array_files import read_arrays
from srexp.system.files.digests import sha256
from srexp.system.kernels import choice
from srexp.system.profiling import Stopwatch
from srexp.tracking.runs.tracking import Tracking
from srexp.training.fit import Fitted

#: Sections that decide how a network is trained; they say nothing of one that is adopted.
UNUSED = ("loss", "training", "optimizer", "schedule", "augmentation")
UNKNOWN = "unknown"


def run(config: AdoptConfig) -> dict[str, Any]:
    """Build a network, set weights from a file, score it as a training would, track it, and register it as a candidate.

    Args:
        config: Checked configuration, with `weights`.

    Returns:
        `result.json`, as of a training, with `adopted`: file, digest, licence, source.

    Raises:
        RequestError: The file, its arrays or the data set don't fit.
        SrexpError: The network gives values that are no numbers, or the store refused.
    """
    watch = Stopwatch()
    if config.weights is None:
        raise RequestError("weights is missing", expected="an .npz file of arrays", fix="weights=FILE.npz")
    arrays = read_arrays(config.weights)
    channels = channels_of(builders(config).protocol)
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    with watch("load"):
        choice.settle(config.model.name, "restoring")
        network.prepare(config)
        model = network.float32_network(config, channels)
        set_arrays(model, arrays, config.weights.name)
    with watch("data"):
        task = Task(config)
        for split in ("validation", "test"):
            require_scorable(task, split)
    adopted = {
        "file": config.weights.name,
        "sha256": sha256(config.weights),
        "licence": config.licence or UNKNOWN,
        "source": config.source or UNKNOWN,
    }
    tags = {f"adopted.{key}": value for key, value in adopted.items()}
    plan = Plan(tags={"verb": "adopt"}, origin=tags, unused=UNUSED, obtain=lambda _task, _run: (model, Fitted()))
    outcome = pipeline.run(task, tracking, watch, plan)
    console.training(outcome)
    return {**outcome.result, "adopted": adopted}
