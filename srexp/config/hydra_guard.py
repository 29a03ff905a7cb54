"""What Hydra itself would run of a configuration: its own section is held against a list before Hydra looks at it.

A preset may come from somebody else, and Hydra builds callbacks, launchers and log handlers from whatever it composed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from srexp.config.override_grammar import key_of
from srexp.errors import RequestError

CALLBACKS = {"sweep_folder": {"_target_": "srexp.experiment.multirun.execution.SweepFolder"}}
#: Classes that logging may build: they write to a terminal or a file.
LOGGING = {
    "srexp.system.redaction.Masked",
    "logging.Formatter", "logging.StreamHandler", "logging.FileHandler", "logging.NullHandler",
    "logging.handlers.RotatingFileHandler", "logging.handlers.TimedRotatingFileHandler",
    "logging.handlers.WatchedFileHandler",
}  # fmt: skip
_STREAMS = {"ext://sys.stdout", "ext://sys.stderr"}
_PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")
#: What reaches a shell or the processes that are started; a file can't set it, who types it can.
TYPED_ONLY = (
    "job.env_set", "launcher.setup", "launcher.additional_parameters",
    "launcher.ray.init.runtime_env", "launcher.ray.remote.runtime_env",
)  # fmt: skip
_Leaf = tuple[str, str, Any]


def check_hydra(composed: DictConfig) -> None:
    """Refuse a configuration whose `hydra` section would run something else than Hydra and srexp.

    Args:
        composed: What Hydra composed, with its own section.

    Raises:
        RequestError: It names code, or sets what only the command line may set.
    """
    hydra = composed.hydra
    leaves = list(_leaves(hydra, "hydra"))
    callbacks = {(place, value) for place, _, value in leaves if place.startswith("hydra.callbacks.")}
    allowed = {(f"hydra.callbacks.{name}._target_", each["_target_"]) for name, each in CALLBACKS.items()}
    if callbacks != allowed:
        raise _refused("hydra.callbacks", sorted(map(str, dict(callbacks - allowed).values())), "srexp's own callback")
    for place, key, value in leaves:
        if key == "_target_" and (place, value) not in allowed and not _is_plugin(place, value):
            raise _refused(place, value, "launchers and sweepers of installed Hydra plugins only")
        if place.startswith(("hydra.job_logging.", "hydra.hydra_logging.")):
            _check_logging(place, key, value)
    _check_typed(leaves, hydra.overrides.hydra)


def _is_plugin(place: str, value: Any) -> bool:
    return place in ("hydra.launcher._target_", "hydra.sweeper._target_") and str(value).startswith(_PLUGINS)


def _check_logging(place: str, key: str, value: Any) -> None:
    if key == "()" or ".()." in place:
        raise _refused(place, value, "no factories: `class` names what is built")
    if key == "class" and value not in LOGGING:
        raise _refused(place, value, f"one of {', '.join(sorted(LOGGING))}")
    if str(value).startswith("ext:") and value not in _STREAMS:
        raise _refused(place, value, f"one of {', '.join(sorted(_STREAMS))}")
    if key in ("queue", "listener"):
        raise _refused(place, value, "a handler that writes to a terminal or a file")


def _check_typed(leaves: Sequence[_Leaf], overrides: Sequence[str]) -> None:
    typed = set(map(key_of, overrides))
    for place, _, value in leaves:
        key = place.removeprefix("hydra.").partition("[")[0]
        if value is not None and key.startswith(TYPED_ONLY) and f"hydra.{key}" not in typed:
            raise RequestError(
                f"{place} is set by a file",
                got=value,
                expected="on the command line, since it reaches a shell or the processes that are started",
                fix=f"'hydra.{key}=...' if you trust it",
            )


def _leaves(node: Any, place: str, above: Collection[int] = ()) -> Iterator[_Leaf]:
    """Give every value of a tree with its place and key; what an interpolation stands for is looked into, too."""
    keys = range(len(node)) if isinstance(node, ListConfig) else list(node)
    for key in keys:
        inner = f"{place}[{key}]" if isinstance(node, ListConfig) else f"{place}.{key}"
        try:
            value = None if OmegaConf.is_missing(node, key) else node[key]
        except OmegaConfBaseException:
            value = None  # of what is known only within a job: a text, and no place where code is named
            if key in ("_target_", "class", "()"):
                raise _refused(inner, "an interpolation", "a name") from None
        if isinstance(value, DictConfig | ListConfig):
            if id(value) in above:
                raise _refused(inner, "itself", "a tree")
            yield from _leaves(value, inner, (*above, id(value)))
        else:
            yield inner, str(key), value


def _refused(place: str, got: Any, expected: str) -> RequestError:
    return RequestError(f"{place} is not allowed: a configuration runs no code of its own", got=got, expected=expected)
