"""From a `_target_` in YAML to a checked call: signature as schema, construction."""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, get_type_hints

from srexp.config import allowed_targets
from srexp.config.sections.section import RUNTIME, STRICT, Section
from srexp.errors import RequestError, did_you_mean

#: Groups whose builders import nothing heavy.
_LIGHT = ("loss", "schedule")
#: What pydantic calls a value that should be a text, or the path of a file.
_TEXTS = ("string_type", "path_type")
_KEY = re.compile(r"(?!(int|float|bool|str|none|dict|list)$)[a-z_]\w*")


def check_section(group: str, options: Mapping[str, Any], extensions: Sequence[str]) -> Section:
    """Hold the keys of a section against the signature of the builder that it names.

    Builders of `keras.*` and of extensions are not imported here, so that a check stays light; their keys are held
    against the signature when they are built.

    Args:
        group: Configuration group, such as `optimizer`.
        options: The composed section with its `_target_`.
        extensions: Packages beside srexp and keras whose builders the user allows.

    Returns:
        The target with its options converted to the builder's types.

    Raises:
        RequestError: The target is missing or not allowed, or a key is unknown, missing or of the wrong type.
    """
    own = {str(key): value for key, value in options.items() if key != "_target_"}
    target = options.get("_target_")
    if not isinstance(target, str):
        raise RequestError(
            f"{group} has no _target_",
            expected="the dotted path of a builder",
            fix=f"choose a file of conf/{group}: leave _target_ as it is there",
        )
    target = allowed_targets.current(target)
    allowed_targets.require_allowed(group, target, extensions)
    if target.startswith("srexp."):
        builder = locate(group, target)
        if not builder.__module__.startswith("srexp."):
            raise allowed_targets.not_allowed(group, target, extensions)
        own = _convert(group, builder, own)
    return Section(group, target, own)


def locate(group: str, target: str) -> Callable[..., Any]:
    """Import the builder that a `_target_` names.

    Raises:
        RequestError: There is no such module or name in it.
    """
    module, _, name = target.rpartition(".")
    try:
        builder = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise RequestError(f"{group}._target_ cannot be imported: {error}", got=target) from error
    if not callable(builder):
        raise RequestError(f"{group}._target_ is not something that builds", got=target, expected="a function or class")
    return builder  # type: ignore[no-any-return]


def build(section: Section, **runtime: Any) -> Any:
    """Call the builder of a section.

    Args:
        section: A checked section.
        **runtime: Values known only at run time, such as `scale`; those that the builder does not take are left out.

    Returns:
        What the builder returns.

    Raises:
        RequestError: The builder does not take one of the options.
    """
    builder = locate(section.group, section.target)
    try:
        signature = inspect.signature(builder)
        takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        wanted = {key: value for key, value in runtime.items() if takes_any or key in signature.parameters}
        signature.bind(**section.options, **wanted)
    except TypeError as error:
        raise RequestError(f"{section.group}: {section.target} cannot be called: {error}") from error
    return builder(**section.options, **wanted)


def check_arguments(section: Section, **runtime: Any) -> None:
    """Refuse what the builder of a section would refuse, without what it imports to build.

    Args:
        section: A checked section; those of Keras and of extensions are held against their arguments when they are
            built.
        **runtime: See `build`.

    Raises:
        RequestError: In the builder's own words.
    """
    if not section.target.startswith("srexp."):
        return
    builder = locate(section.group, section.target)
    if check := getattr(builder, "check", None):  # see `checked_by`
        parameters = inspect.signature(builder).parameters
        check(**section.options, **{key: value for key, value in runtime.items() if key in parameters})
    elif section.group in _LIGHT:
        build(section, **runtime)


def _convert(group: str, builder: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Convert options to the types of a builder's signature, through a pydantic model made from it."""
    model = section_model(group, builder)
    known = [f"{group}.{name}" for name in model.model_fields]
    checked = validated(group, lambda given: model(**given), options, known)
    return {name: getattr(checked, name) for name in options}


@functools.lru_cache(maxsize=256)  # pydantic takes longer to make one than to use it
def section_model(group: str, builder: Callable[..., Any]) -> Any:
    """Give the pydantic model of what a builder's section may say."""
    from pydantic import create_model

    parameters = {
        name: parameter
        for name, parameter in inspect.signature(builder).parameters.items()
        if name not in RUNTIME.get(group, ()) and parameter.kind is not parameter.VAR_KEYWORD
    }
    # Only these are resolved: a return type may name a library that a check must not import.
    annotations = {name: p.annotation for name, p in parameters.items() if p.annotation is not p.empty}
    # A class may inherit arguments from one in another module, where their types are named.
    origins = reversed(builder.__mro__) if isinstance(builder, type) else [builder]
    names = {name: value for origin in origins for name, value in vars(sys.modules[origin.__module__]).items()}
    hints = get_type_hints(SimpleNamespace(__annotations__=annotations), globalns=names, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints.get(name, Any), ... if p.default is p.empty else p.default) for name, p in parameters.items()
    }
    return create_model(f"{group} section", __config__=STRICT, **fields)


def validated(
    where: str, make: Callable[[dict[str, Any]], Any], values: Mapping[str, Any], known: Collection[str]
) -> Any:
    """Run a pydantic validation; turn what it refuses into one message that names the keys.

    A whole number is a text where a text is wanted: Hydra reads `run_name=20241128` as a number.

    Args:
        where: Section that is validated, or the empty string for the root.
        make: The validation.
        values: What is validated.
        known: Whole names of the keys that exist, such as `optimizer.lr`, for did-you-mean.

    Raises:
        RequestError: The validation refused something.
    """
    from pydantic import ValidationError

    given = copy.deepcopy(dict(values))
    try:
        return make(given)
    except ValidationError as refused:
        found = refused.errors()
    if any(_made_text(given, _place(error)) for error in found if error["type"] in _TEXTS):
        return validated(where, make, given, known)
    lines, expected, fixes = [], [], []
    for error in found:
        key = ".".join(filter(None, [where, *map(str, _place(error))]))
        if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            lines.append(f"{key} does not exist")
            beside = key.rpartition(".")[0]
            siblings = sorted(name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == beside)
            expected.append(f"{f'the keys of {beside}' if beside else 'the top-level keys'}: {', '.join(siblings)}")
            fixes.append(did_you_mean(key, known))
        elif error["type"] in ("missing", "missing_argument"):
            lines.append(f"{key} is missing")
        else:
            said = error["msg"].removeprefix("Value error, ")  # of a check of ours
            lines.append(f"{key}={error['input']!r}: {said[0].lower()}{said[1:]}")
            if error["type"] in _TEXTS and isinstance(error["input"], bool | float):
                fixes.append(f"quotes make it a text: '{key}=\"{error['input']}\"'")
    raise RequestError(
        "; ".join(dict.fromkeys(lines)),
        expected="; ".join(dict.fromkeys(expected)),
        fix=" ".join(filter(None, fixes)),
    )


def _place(error: Any) -> list[Any]:
    """Give the keys that lead to what pydantic refused, without the branches of unions, which it adds to them."""
    return [part for part in error["loc"] if isinstance(part, int) or _KEY.fullmatch(part)]


def _made_text(node: Any, place: Sequence[Any]) -> bool:
    """Write a whole number as a text, where there is one."""
    for key in place[:-1]:
        node = node[key]
    if is_number := type(node[place[-1]]) is int:
        node[place[-1]] = str(node[place[-1]])
    return is_number
