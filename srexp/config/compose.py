"""Composition with Hydra, and the check of what was composed."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from srexp.config import hydra_adapter
from srexp.config.allowed_targets import renewed
from srexp.config.builders import check_section, validated
from srexp.config.frozen_files import FrozenFolder, folder_beside
from srexp.config.override_grammar import parse
from srexp.config.paths import config_home, found_presets, project_root
from srexp.config.reference.keys import others_with
from srexp.config.scales import one_scale
from srexp.config.sections.base import FILLED_IN, Config
from srexp.config.sections.section import Section
from srexp.config.sections.verbs import VERB_CONFIGS
from srexp.errors import RequestError
from srexp.system.masking.credentials import hidden
from srexp.zoo.catalogue import ZOO, unknown_network


def register_resolvers() -> None:
    """Make what the YAML files look up known.

    `${srexp.root:}` is the folder of `mlruns/`, `${srexp.home:}` that of `conf/`, and `${srexp.found:}` that of the
    presets which searches found. `${srexp.by:${model.name},{srcnn:1,vdsr:2}}` is 1 for model=srcnn and 2 for
    model=vdsr, so that a preset for several models can give each its own value; `others` is every model that it doesn't
    name.
    """
    OmegaConf.register_new_resolver("srexp.by", _by, replace=True)
    OmegaConf.register_new_resolver("srexp.root", lambda: str(project_root()), replace=True)
    OmegaConf.register_new_resolver("srexp.home", lambda: str(config_home()), replace=True)
    OmegaConf.register_new_resolver("srexp.found", lambda: str(found_presets()), replace=True)


def _by(name: str, values: Mapping[str, Any]) -> Any:
    known = name if name in values else "others"
    if known not in values:
        raise ValueError(f"a value is given for {', '.join(map(str, values))}, and not for {name}: type it")
    return values[known]


def compose(verb: str, overrides: Sequence[str]) -> tuple[Config, DictConfig]:
    """Compose and check a configuration without Hydra's command line.

    Args:
        verb: Which root of `conf/` to compose.
        overrides: As on the command line.

    Returns:
        The checked configuration and what Hydra composed, with the `hydra` section.

    Raises:
        RequestError: A key or choice does not exist, or a value has the wrong type.
    """
    register_resolvers()
    tree = hydra_adapter.composed(verb, overrides)
    task = tree.copy()
    with open_dict(task):
        del task["hydra"]
    return check(task, overrides=tree.hydra.overrides.task, choices=tree.hydra.runtime.choices), tree


def composed(verb: str, overrides: Sequence[str]) -> DictConfig:
    """Compose without the check, for what is still incomplete.

    Args:
        verb: Which root of `conf/` to compose.
        overrides: As on the command line.

    Returns:
        What Hydra composed, without its own section.

    Raises:
        RequestError: A key or choice does not exist.
    """
    register_resolvers()
    tree = hydra_adapter.composed(verb, overrides)
    with open_dict(tree):
        del tree["hydra"]
    return one_scale(tree)


def alternative(config: Config, group: str, name: str) -> Section:
    """Give what another choice of a group is by itself, beside the other keys of a configuration.

    Args:
        config: A checked configuration.
        group: Group of `conf/`.
        name: The choice.

    Raises:
        RequestError: A key of it does not exist, or has a value of the wrong type.
    """
    file = FrozenFolder("srexp", f"file://{config_home() / 'conf'}").load_config(f"{group}/{name}")
    others = {key: value for key, value in config.resolved.items() if key != group}
    said = file.config if file.header["package"] == "_global_" else {group: file.config}
    tree: Any = OmegaConf.merge(others, said)
    options: Any = OmegaConf.to_container(tree[group], resolve=True)
    return check_section(group, options, config.extensions)


def check(
    composed: DictConfig,
    *,
    overrides: Sequence[str] = (),
    beside: str | None = None,
    choices: Mapping[str, Any] | None = None,
    run_dir: Path | None = None,
    sweep: Path | None = None,
) -> Config:
    """Hold a composed configuration against the typed sections.

    Args:
        composed: What Hydra composed, without its own section.
        overrides: The command-line overrides that led to it.
        beside: The folder of `--config-dir` that it was composed from; None for that of this command.
        choices: Chosen option per configuration group.
        run_dir: Hydra's output directory of this job.
        sweep: Hydra's sweep directory when the job belongs to a multirun.

    Returns:
        The typed configuration.

    Raises:
        RequestError: A key does not exist, is missing, or has a value of the wrong type.
    """
    composed = one_scale(composed)
    try:
        tree = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        if OmegaConf.select(composed, "model_uri") == ZOO:  # who asks for the list needs nothing else
            raise unknown_network(ZOO) from error
        raise _missing(str(error.full_key), str(composed.get("verb")), choices or {}) from error
    except OmegaConfBaseException as error:
        raise RequestError(f"the configuration does not resolve: {str(error).splitlines()[0]}") from error
    tree = hidden(tree)  # what the environment gave has its secrets
    values: dict[str, Any] = renewed(tree) if isinstance(tree, dict) else {}
    resolved = dict(values)
    adapter, hints = _schema(str(values.get("verb")))
    if taken := sorted(FILLED_IN & values.keys()):
        raise RequestError(f"{taken[0]} does not exist", expected=f"the top-level keys: {', '.join(sorted(hints))}")
    extensions = _extensions(values.get("extensions"), overrides)
    for name, hint in hints.items():
        if Section in (hint, *get_args(hint)) and isinstance(section := values.get(name), dict):
            values[name] = _section(name, section, extensions)
    config: Config = validated("", adapter.validate_python, values, list(_names(hints)))
    chosen = {str(group): str(name) for group, name in (choices or {}).items() if not str(group).startswith("hydra")}
    return dataclasses.replace(
        config,
        overrides=list(overrides),
        beside=beside or folder_beside(),
        choices=chosen,
        run_dir=run_dir or Path(),
        sweep=sweep,
        resolved=resolved,
    )


def _section(name: str, options: Mapping[str, Any], extensions: Sequence[str]) -> Section:
    """Check a section; of a key that it doesn't have, say which choices of its group do."""
    try:
        return check_section(name, options, extensions)
    except RequestError as error:
        key = re.fullmatch(r"(\S+) does not exist", error.what)
        if key and (others := others_with(key[1])):
            raise RequestError(error.what, expected=error.expected, fix=others) from error
        raise


@functools.cache  # pydantic takes longer to make one than to use it
def _schema(verb: str) -> tuple[Any, dict[str, Any]]:
    """Give what validates a verb's configuration, and the types of the keys that it has."""
    from pydantic import TypeAdapter

    kind: type[Config] = VERB_CONFIGS.get(verb, Config)
    hints = get_type_hints(kind, include_extras=True)
    return TypeAdapter(kind), {name: hint for name, hint in hints.items() if name not in FILLED_IN}


def _missing(key: str, verb: str, choices: Mapping[str, Any]) -> RequestError:
    """Say of a key without a value what it is for, as the comment beside it does."""
    leaf = re.escape(key.rpartition(".")[2])
    for name in (verb, *(f"{group}/{choice}" for group, choice in choices.items())):
        path = config_home() / "conf" / f"{name}.yaml"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if about := re.search(rf"^ *{leaf}: \?\?\? +# (.+)$", text, re.MULTILINE):
            return RequestError(f"{key} is missing", fix=f"{key}=VALUE, where VALUE is {about[1]}")
    return RequestError(f"{key} is missing", fix=f"give it a value: {key}=...")


def _extensions(named: Any, overrides: Sequence[str]) -> list[str]:
    """Give the packages that may build; naming one lets its code run, so a file that somebody else wrote can't."""
    if not isinstance(named, list) or not named:
        return []
    if not any(parse(each).key == "extensions" and parse(each).sign != "~" for each in overrides):
        raise RequestError(
            "extensions are named by a file",
            got=named,
            expected="on the command line, since the code of these packages is run",
            fix=f"'extensions=[{','.join(map(str, named))}]', if you trust them",
        )
    return [str(each) for each in named]


def _names(hints: Mapping[str, Any]) -> Iterator[str]:
    """Give the keys of the root and of its typed sections."""
    for name, hint in hints.items():
        yield name
        if hint is not Section and dataclasses.is_dataclass(hint):
            yield from (f"{name}.{field.name}" for field in dataclasses.fields(hint))
