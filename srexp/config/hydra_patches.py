"""Where Hydra does another thing than srexp wants, and no setting of Hydra's changes it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from omegaconf import DictConfig

from srexp.config.hydra_guard import check_hydra


@contextmanager
def as_wanted(arguments: Sequence[str]) -> Iterator[None]:
    """Keep Hydra from printing errors itself, from composing twice, and from using what may run code.

    Its errors become one message and a code in `cli`. It composes a first time only to look for `hydra.mode`, which
    takes a third of the time of a check. Whatever it composed is held against `check_hydra` before Hydra uses it.

    Args:
        arguments: Of Hydra's command line.

    Yields:
        Nothing.
    """
    from hydra._internal import utils
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.hydra import Hydra

    load = ConfigLoaderImpl.load_configuration

    @functools.wraps(load)
    def checked(*arguments: Any, **options: Any) -> DictConfig:
        composed = load(*arguments, **options)
        check_hydra(composed)
        return composed

    stand_ins = [(ConfigLoaderImpl, "load_configuration", checked), (utils, "run_and_report", lambda func: func())]
    if not any("hydra.mode" in argument for argument in arguments):
        stand_ins.append((Hydra, "get_mode", lambda *_, **__: None))
    with ExitStack() as undone:
        for owner, name, stand_in in stand_ins:
            undone.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, stand_in)
        yield
