"""Super-resolution experiments on medical images that can be trusted, repeated, compared and shipped.

Example:
    From a notebook, the same as on the command line:

    >>> import srexp
    >>> srexp.compose(["model=vdsr", "optimizer.lr=1e-4"]).optimizer.lr
    0.0001
"""

from __future__ import annotations

import threading

TYPE_CHECKING = False  # as in `typing`, whose import is most of the time in which Ctrl-C finds no handler
if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from typing import Literal, overload

    from srexp.config.sections.base import Config
    from srexp.config.sections.verbs import EnhanceConfig
    from srexp.experiment.interactive.enhancer import Enhancer
    from srexp.experiment.interactive.result import EnhanceResult, EvaluateResult, Result, TrainResult

__version__ = "0.1.0"

#: Verbs that set what is one process's: seeds, precision, the device memory of TensorFlow.
_ALONE = {"train", "search", "evaluate", "compare", "promote", "export", "enhance"}
_TURN = threading.RLock()


if TYPE_CHECKING:

    @overload
    def run(verb: Literal["train", "adopt"], overrides: Sequence[str] = ()) -> TrainResult: ...

    @overload
    def run(verb: Literal["evaluate"], overrides: Sequence[str] = ()) -> EvaluateResult: ...

    @overload
    def run(verb: Literal["enhance"], overrides: Sequence[str] = ()) -> EnhanceResult: ...

    @overload
    def run(verb: str, overrides: Sequence[str] = ()) -> Result: ...


def run(verb: str, overrides: Sequence[str] = ()) -> Result:
    """Run a verb as the command line would.

    Threads may call it: those whose verbs set TensorFlow's seeds and precision, which are one process's, take turns.
    Unless `paths.shared=true`, the process's umask is narrow meanwhile, so that only the user can read what is written.

    Args:
        verb: Name of the verb, such as `train`.
        overrides: Hydra overrides, such as `model=vdsr`.

    Returns:
        What the verb writes to `result.json`: a mapping whose keys are attributes, too. A notebook shows its table, and
        of a run the learning curves and a panel.

    Raises:
        srexp.errors.SrexpError: The request was wrong or the work failed.
    """
    import dataclasses
    from pathlib import Path

    from srexp.cli import execute
    from srexp.config.compose import compose as composed
    from srexp.experiment.interactive.result import KINDS, Result

    config, tree = composed(_known(verb), _listed(overrides))
    config = dataclasses.replace(config, run_dir=Path(tree.hydra.run.dir))
    with _alone(verb, config):
        return KINDS.get(verb, Result)(execute(config), config)


def load(uri: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Enhancer:
    """Load a model to call it with an array or a file, which gives the pixels that `enhance` writes.

    Args:
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-ID`, `runs:/RUN_ID`, `zoo/NAME`,
            a .keras file, or `bicubic`.
        overrides: Further keys of `enhance`, such as `runtime=auto`, `self_ensemble=true`, `memory_mb=4000`, or
            `scale=4` for bicubic.

    Returns:
        Function of one image; see `srexp.experiment.interactive.enhancer.Enhancer` for what it takes and gives.

    Raises:
        srexp.errors.SrexpError: There is no such model, it may run code, or the store can't be reached.
    """
    from srexp.config.compose import compose as composed
    from srexp.experiment.interactive.enhancer import Enhancer, request
    from srexp.system import keras_settings

    config: EnhanceConfig = composed("enhance", request(uri, [*_listed(overrides)]))[0]  # type: ignore[assignment]
    with _alone("enhance", config):
        keras_settings.settle(config.paths.cache / "keras")
        return Enhancer.of(config)


def _alone(verb: str, config: Config) -> AbstractContextManager[object]:
    """Take turns with other threads where that is needed, and let only the user read what is written."""
    import warnings
    from contextlib import ExitStack

    from srexp.system.files.atomic_files import private_files

    # What MLflow brings asks a notebook for widgets that nothing of srexp's needs.
    warnings.filterwarnings("ignore", "IProgress not found")
    stack = ExitStack()
    if verb in _ALONE:
        stack.enter_context(_TURN)
    if not config.paths.shared:
        stack.enter_context(private_files())
    return stack


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

    return composed(_known(verb), _listed(overrides))[0]


def _known(verb: object) -> str:
    from srexp.cli import VERBS
    from srexp.config.command_line import no_verb
    from srexp.errors import RequestError

    if not isinstance(verb, str):
        raise RequestError(
            "the verb is no text",
            got=verb,
            expected="a verb, then a list of overrides",
            fix="srexp.run('train', [...])",
        )
    if verb not in VERBS:
        raise no_verb(verb, VERBS)
    return verb


def _listed(overrides: object) -> Sequence[str]:
    from collections.abc import Sequence

    from srexp.errors import RequestError

    expected = "a list of texts, such as ['model=vdsr', 'seed=2']"
    if isinstance(overrides, str):
        raise RequestError("overrides are a text", got=overrides, expected=expected, fix=str(overrides.split()))
    if not isinstance(overrides, Sequence) or not all(isinstance(each, str) for each in overrides):
        raise RequestError("overrides are no list of texts", got=overrides, expected=expected)
    return overrides
