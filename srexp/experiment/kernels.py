"""Which convolution kernels suit what a configuration asks for, looked up without TensorFlow."""

from __future__ import annotations

from contextlib import suppress

from srexp.config.builders import build
from srexp.config.sections.base import Config
from srexp.config.sections.verbs import CompareConfig, PromoteConfig
from srexp.errors import SrexpError
from srexp.system.kernels import choice
from srexp.tracking.registry.models import facts
from srexp.tracking.runs.queries import get_run
from srexp.tracking.store.addresses import Found, find
from srexp.tracking.store.store import Store


def environment_for(config: Config) -> dict[str, str]:
    """Give what the process of a job has to have in its environment: it may be forked from one with TensorFlow.

    Args:
        config: Checked configuration of the job.

    Returns:
        See `srexp.system.kernels.choice.environment_for`; nothing where the network isn't known. Of a training that is
        resumed: what it began with, whatever network the rest of the command line names.
    """
    if run_id := config.resolved.get("resume"):
        with suppress(SrexpError):
            store: Store = build(config.tracking, folder=config.paths.root).store
            return choice.environment_as(get_run(store, str(run_id)).tags.get(choice.KERNELS))
        return {}
    if config.verb in ("train", "search"):
        return choice.environment_for(config.model.name, "training", precision=config.trainer.precision)
    if config.verb == "adopt":
        return choice.environment_for(config.model.name, "restoring")
    with suppress(SrexpError):  # the job itself says what is wrong; interpolation is in no store
        return choice.environment_for(_first_network(config), "restoring")
    return {}


def _first_network(config: Config) -> str | None:
    """Name the network of the model that a job loads first: of several in one process it decides."""
    if isinstance(config, CompareConfig):
        asked: object = config.runs
    else:
        asked = config.address if isinstance(config, PromoteConfig) else config.resolved.get("model_uri")
    first = next(iter(asked), None) if isinstance(asked, list) else asked
    if not first:
        return None
    store: Store = build(config.tracking, folder=config.paths.root).store
    if isinstance(config, CompareConfig):
        return get_run(store, str(first)).tags.get("model")
    return network_of(store, find(store, str(first)))


def network_of(store: Store, found: Found) -> str | None:
    """Name the network of a model; None where it isn't known, as of a file.

    Args:
        store: Where models are kept.
        found: The model.
    """
    known = facts(store, found)
    return known.get("model.name") or known.get("model")
