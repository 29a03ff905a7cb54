"""`search`: trials of a space of configurations by workers, until the best one is known, logged and registered."""

from __future__ import annotations

from typing import Any

from srexp.commands.printing import console
from srexp.config.sections.verbs import SearchConfig
from srexp.experiment.search import driver
from srexp.system.stdio import say


def run(config: SearchConfig) -> dict[str, Any]:
    """Search, or go on with a search of this name.

    Args:
        config: Checked configuration with a section `search`.

    Returns:
        `result.json`: the study's counts and best trial, and what its network scored on the test images.

    Raises:
        RequestError: Space, data or configuration are wrong, or not those that the study of this name began with.
        SrexpError: Too many trials failed.
    """
    result, final, kept = driver.search(config, begin=console.search_beginning, tell=say)
    if final:
        console.training(final)
        console.search(result, kept)
    return result
