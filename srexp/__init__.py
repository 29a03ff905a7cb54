"""Super-resolution experiments on medical images that can be trusted, repeated, compared and shipped.

Example:
    From a notebook, the same as on the command line:

    >>> import srexp
    >>> srexp.compose(["model=vdsr", "optimizer.lr=1e-4"]).optimizer.lr
    0.0001
"""

from __future__ import annotations

import threading
from contextlib import nullcontext

TYPE_CHECKING = False  # as in `typing`, whose import is most of the time in which Ctrl-C finds no handler
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from srexp.config.schema import Config

__version__ = "0.1.0"

#: Verbs that set what is one process's: seeds, precision, the device memory of TensorFlow.
_ALONE = {"train", "search", "evaluate", "compare", "promote", "export", "enhance"}
_TURN = threading.RLock()


def run(verb: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Run a verb as the command line would.

    Threads may call it: those whose verbs set TensorFlow's seeds and precision, which are one process's, take turns.
    Unless `paths.shared=true`, the process's umask is narrow meanwhile, so that only the user can read what is written.

    Args:
        verb: Name of the verb, such as `train`.
        overrides: Hydra overrides, such as `model=vdsr`.

    Returns:
        What the verb writes to `result.json`.

    Raises:
        srexp.errors.SrexpError: The request was wrong or the work failed.
    """
    import dataclasses
    from pathlib import Path

    from srexp.cli import execute
    from srexp.config.compose import compose as composed
    from srexp.system.files.atomic_files import private_files

    config, tree = composed(verb, _listed(overrides))
    with _TURN if verb in _ALONE else nullcontext(), nullcontext() if config.paths.shared else private_files():
        return execute(dataclasses.replace(config, run_dir=Path(tree.hydra.run.dir)))


def compose(overrides: Sequence[str] = (), verb: str = "train") -> Config:
    """Compose and check a configuration without running anything.

    Args:
        overrides: Hydra overrides, such as `model=vdsr`.
        verb: Which verb's configuration.

    Returns:
        The typed configuration.

    Raises:
        srexp.errors.RequestError: A key or choice does not exist, or a value has the wrong type.
    """
    from srexp.config.compose import compose as composed

    return composed(verb, _listed(overrides))[0]


def _listed(overrides: Sequence[str]) -> Sequence[str]:
    if isinstance(overrides, str):
        from srexp.errors import RequestError

        raise RequestError(
            "overrides are a text", got=overrides, expected="a list of texts", fix=str(overrides.split())
        )
    return overrides
