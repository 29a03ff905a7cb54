"""Composition with Hydra, and the check of what was composed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from srexp.config.allowed_targets import renewed
from srexp.config.builders import check_section, validated
from srexp.config.override_keys import key_of, parse
from srexp.config.paths import config_home, found_presets, project_root
from srexp.config.scales import one_scale
from srexp.config.schema import VERB_CONFIGS, Config, Section
from srexp.errors import RequestError, did_you_mean

#: Set by `check`, not composed from YAML.
_FILLED_IN = {"overrides", "choices", "run_dir", "sweep", "resolved"}
#: Launchers of multiruns that are packages of their own, and the extra that installs each.
_EXTRAS = {"joblib": "joblib", "ray": "ray", "submitit_slurm": "slurm", "submitit_local": "slurm"}


def register_resolvers(verbs: Mapping[str, str] | None = None) -> None:
    """Make what the YAML files look up known.

    `${srexp.root:}` is the folder of `mlruns/`, `${srexp.home:}` that of `conf/`, `${srexp.found:}` that of the presets
    which searches found, and `${srexp.verbs:}` lists the verbs. `${srexp.by:${model.name},{srcnn:1,vdsr:2}}` is 1 for
    model=srcnn and 2 for model=vdsr, so that a preset for several models can give each its own value.

    Args:
        verbs: Verbs with a line of help each, for `--help`.
    """
    lines = "".join(f"\n  {verb:<10} {line}" for verb, line in (verbs or {}).items())
    OmegaConf.register_new_resolver("srexp.verbs", lambda: lines, replace=True)
    OmegaConf.register_new_resolver("srexp.by", _by, replace=True)
    OmegaConf.register_new_resolver("srexp.root", lambda: str(project_root()), replace=True)
    OmegaConf.register_new_resolver("srexp.home", lambda: str(config_home()), replace=True)
    OmegaConf.register_new_resolver("srexp.found", lambda: str(found_presets()), replace=True)


def _by(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise ValueError(f"a value is given for {', '.join(values)}, and not for {name}: type it")
    return values[name]


def presets_last(overrides: Sequence[str]) -> list[str]:
    """Move `+debug=...` behind the other arguments, since Hydra lets the last preset win and a smoke preset must.

    Example:
        >>> presets_last(["+debug=fast", "+experiment=mine", "seed=2"])
        ['+experiment=mine', 'seed=2', '+debug=fast']
    """
    return sorted(overrides, key=lambda override: key_of(override) == "debug")


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
    with _hydra() as hydra_compose, explained(verb, overrides):
        composed = hydra_compose(config_name=verb, overrides=presets_last(overrides), return_hydra_config=True)
    task = composed.copy()
    OmegaConf.set_struct(task, False)
    hydra = task.pop("hydra")
    return check(task, overrides=hydra.overrides.task, choices=hydra.runtime.choices, run_dir=None), composed


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
    with _hydra() as hydra_compose, explained(verb, overrides):
        return one_scale(hydra_compose(config_name=verb, overrides=presets_last(overrides)))


@contextmanager
def _hydra() -> Iterator[Any]:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register_resolvers()
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_home() / "conf"), version_base="1.3"):
            yield hydra_compose
    finally:
        GlobalHydra.instance().hydra = outer


def check(
    composed: DictConfig,
    *,
    overrides: Sequence[str] = (),
    choices: Mapping[str, Any] | None = None,
    run_dir: Path | None = None,
    sweep: Path | None = None,
) -> Config:
    """Hold a composed configuration against the typed sections.

    Args:
        composed: What Hydra composed, without its own section.
        overrides: The command-line overrides that led to it.
        choices: Chosen option per configuration group.
        run_dir: Hydra's output directory of this job.
        sweep: Hydra's sweep directory when the job belongs to a multirun.

    Returns:
        The typed configuration.

    Raises:
        RequestError: A key does not exist, is missing, or has a value of the wrong type.
    """
    from pydantic import TypeAdapter

    composed = one_scale(composed)
    try:
        tree = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise RequestError(f"{error.full_key} is missing", fix=f"{error.full_key}=VALUE") from error
    except OmegaConfBaseException as error:
        raise RequestError(f"the configuration does not resolve: {str(error).splitlines()[0]}") from error
    values: dict[str, Any] = renewed(tree) if isinstance(tree, dict) else {}
    resolved = dict(values)
    kind: type[Config] = VERB_CONFIGS.get(str(values.get("verb")), Config)
    hints = {name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name not in _FILLED_IN}
    if taken := sorted(_FILLED_IN & values.keys()):
        raise RequestError(f"{taken[0]} does not exist", expected=f"the top-level keys: {', '.join(sorted(hints))}")
    extensions = _extensions(values.get("extensions"), overrides)
    for name, hint in hints.items():
        if hint is Section and isinstance(section := values.get(name), dict):
            values[name] = check_section(name, section, extensions)
    config: Config = validated("", lambda: TypeAdapter(kind).validate_python(values), list(_names(hints)))
    chosen = {str(group): str(name) for group, name in (choices or {}).items() if not str(group).startswith("hydra")}
    return dataclasses.replace(
        config, overrides=list(overrides), choices=chosen, run_dir=run_dir or Path(), sweep=sweep, resolved=resolved
    )


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


@contextmanager
def explained(verb: str, overrides: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra says of a bad override into one message that names the key and the nearest that exists."""
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from yaml import YAMLError

    try:
        yield
    except MissingConfigException as error:
        raise _no_such_choice(error) from error
    except OverrideParseException as error:
        raise RequestError(
            "an argument is not an override",
            got=error.override,
            expected="key=value",
            fix="quote special characters: 'key=\"value\"'",
        ) from error
    except YAMLError as error:
        raise RequestError(
            f"a configuration file can't be read: {' '.join(str(error).split())}",
            expected="plain YAML: texts, numbers, lists and mappings, no tags of Python objects",
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise _no_such_key(verb, overrides, error) from error
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        unnamed = [each for each in overrides if parse(each).value in ("null", "true", "false")]
        raise RequestError(
            "a configuration group was given no name",
            got=unnamed or str(error),
            expected="GROUP=NAME, as in model=vdsr",
            fix="leave the override out, or delete a group with ~GROUP",
        ) from error


def _no_such_choice(error: Any) -> RequestError:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options or [])
    if not group:
        return RequestError(str(error).splitlines()[0])
    if group == "hydra/launcher" and name in _EXTRAS:
        return RequestError(
            f"{group}={name} is not installed",
            expected=f"one of {', '.join(options)}",
            fix=f'pip install "srexp[{_EXTRAS[name]}]"',
        )
    return RequestError(
        f"{group}={name} does not exist",
        expected=f"one of {', '.join(options)}" if options else f"a file conf/{group}/NAME.yaml",
        fix=did_you_mean(name, [*options, *_EXTRAS] if group == "hydra/launcher" else options),
    )


def _no_such_key(verb: str, overrides: Sequence[str], error: Exception) -> RequestError:
    text = str(error)
    if "Ambiguous value" in text:
        return RequestError(
            text.splitlines()[0], fix="add -m to run every value; quote a text with commas: 'key=\"a,b\"'"
        )
    named = re.search(r"Could not override '([^'@]+)|Could not find a match for '([^']+)|override '([^'@]+)'", text)
    key = next(filter(None, named.groups()), "") if named else ""
    if not key:
        return RequestError(text.splitlines()[0])
    if named and any(parse(each)[:2] == ("", key) for each in overrides):
        known = _all_keys(verb)
        if entry := re.search(rf"full_key: ({re.escape(key)}\.(\S+))", str(error.__cause__)):
            nearest = "" if entry[2] in known else did_you_mean(entry[1], [each for each in known if each != key])
            adding = f"where any entries may be, '+{key}={{...}}' adds them"
            return RequestError(f"{entry[1]} does not exist", expected=f"entries that {key} has", fix=nearest or adding)
        nearest = did_you_mean(key, known)
        return RequestError(
            f"{key} does not exist", expected="a key or group that --cfg job shows", fix=nearest or "see --cfg job"
        )
    return RequestError(text.splitlines()[0], fix=did_you_mean(key, _all_keys(verb)))


def _all_keys(verb: str) -> list[str]:
    with _hydra() as hydra_compose:
        tree = OmegaConf.to_container(hydra_compose(config_name=verb), resolve=False)

    def walk(node: Any, prefix: str) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                path = f"{prefix}.{key}" if prefix else str(key)
                yield path
                yield from walk(value, path)

    return [key for key in walk(tree, "") if not key.endswith("_target_")]
