"""JSON Schema of the configuration, for editors and for help: `python -m srexp.config.reference.json_schema` writes it.

From the typed sections come names and types, from the comments of `conf/` the descriptions. `conf/schema.json` is of
verbs, presets and recipes, `conf/GROUP/schema.json` of the choices of a group; each YAML file names its own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from srexp.config.builders import locate, section_model
from srexp.config.paths import config_home
from srexp.config.reference import keys as reference
from srexp.config.sections.base import FILLED_IN, Config
from srexp.config.sections.section import Section
from srexp.config.sections.verbs import VERB_CONFIGS
from srexp.system.files.atomic_files import write_whole

Schema = dict[str, Any]
_DRAFT = "http://json-schema.org/draft-07/schema#"
_INTERPOLATION = {"title": "interpolation", "type": "string", "pattern": r"^(\$\{.*|\?\?\?)$"}
#: What a section has that a builder makes, beside the builder's own keys.
_TARGET = {"type": "string", "description": "dotted path of the builder of this section"}
_DEFAULTS = {"type": "array", "description": "files that this one goes on from, and what it chooses of groups"}


def schemas() -> dict[str, Schema]:
    """Give each schema, by its path below `conf/`."""
    found = {f"{name}/schema.json": _group(name) for name in reference.groups()}
    return {"schema.json": _root(), **found}


def write(conf: Path) -> None:
    """Write all of them.

    Args:
        conf: The folder `conf/`.
    """
    for name, schema in schemas().items():
        write_whole(conf / name, json.dumps(schema, indent=1, ensure_ascii=False) + "\n")


def _root() -> Schema:
    """Of the roots of `conf/`, and of presets, which may change the keys of all verbs."""
    said = {key.name: key.comment for key in reference.keys(reference.root("base"))}
    shared = {name: _described(schema, said.get(name, "")) for name, schema in _fields(Config)}
    verbs = [path.stem for path in sorted((config_home() / "conf").glob("*.yaml")) if path.stem != "base"]
    own = {verb: _own(verb, shared) for verb in verbs}
    several: dict[str, list[Schema]] = {}
    for properties in ({name: each for name, each in shared.items() if name != "verb"}, *own.values()):
        for name, schema in properties.items():
            if name != "verb" and schema not in several.setdefault(name, []):
                several[name].append(schema)
    union = {name: found[0] if len(found) == 1 else {"anyOf": found} for name, found in several.items()}
    hydra = {"type": "object", "description": "how Hydra runs it: folders, launcher, what is swept"}
    return {
        "$schema": _DRAFT,
        "title": "a verb, a preset or a recipe of srexp",
        **_object({"defaults": _DEFAULTS, "verb": {"enum": verbs}, **union, "hydra": hydra}),
        "allOf": [{**_where("verb", verb), "then": {"properties": properties}} for verb, properties in own.items()],
    }


def _own(verb: str, shared: Mapping[str, Schema]) -> dict[str, Schema]:
    """Give the keys that a verb adds, or means in its own way."""
    said = {key.name: key.comment for key in reference.keys(reference.root(verb))}
    kind = VERB_CONFIGS.get(verb, Config)
    fields = {**dict(_fields(kind, verb)), "verb": {"const": verb}}
    found = {name: _described(schema, said.get(name, "")) for name, schema in fields.items()}
    groups = {name for name in shared if (config_home() / "conf" / name).is_dir()}  # which say themselves what they are
    return {name: schema for name, schema in found.items() if name not in shared or name in said.keys() - groups}


def _fields(kind: type[Any], verb: str = "") -> Iterator[tuple[str, Schema]]:
    """Give the keys of a typed section with their types."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name in FILLED_IN:
            continue
        if (config_home() / "conf" / name).is_dir():
            yield name, {"allOf": [{"$ref": f"{name}/schema.json"}]}
        elif hint is Section:
            yield name, _section(name, [reference.root(verb)])
        elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield name, _object(dict(_with_comments(_fields(hint), name)))
        else:
            yield name, _value(_plain(hint))


def _with_comments(fields: Iterator[tuple[str, Schema]], within: str) -> Iterator[tuple[str, Schema]]:
    said = {key.name: key.comment for key in reference.keys(reference.root("base"))}
    for name, schema in fields:
        yield name, _described(schema, said.get(f"{within}.{name}", ""))


def _group(name: str) -> Schema:
    """Of the choices of a group."""
    paths = [path for path in reference.files(name).values() if path.parent.name == name]
    hint = get_type_hints(Config, include_extras=True).get(name, Section)
    if hint is Section:
        schema = _section(name, paths)
    else:
        said = {key.name: key.comment for path in paths for key in reference.keys(path)}
        schema = _object({key: _described(each, said.get(key, "")) for key, each in _fields(hint)})
    schema["properties"] = {"defaults": _DEFAULTS, **schema["properties"]}
    return {"$schema": _DRAFT, "title": f"a choice of {name}", **schema}


def _section(group: str, paths: list[Path]) -> Schema:
    """Of a section that a builder makes: the keys of each builder that a file names, and of any other whatever it has.

    Args:
        group: Name of the section.
        paths: Files that name builders.
    """
    builders: dict[str, dict[str, Schema]] = {}
    for path in paths:
        within = f"{group}." if reference.is_global(path) else ""
        found = {key.name.removeprefix(within): key for key in reference.keys(path) if key.name.startswith(within)}
        if "_target_" in found:
            builder = found["_target_"].default
            model = section_model(group, locate(group, builder))
            properties = _inlined(model.model_json_schema(schema_generator=_generator())).get("properties", {})
            said = {key.name.removeprefix(within): key.comment for key in found.values()}
            builders[builder] = {
                name: _described(_value(_bare(each)), said.get(name, "")) for name, each in properties.items()
            }
    union: dict[str, Schema] = {}
    for properties in builders.values():
        for name, schema in properties.items():
            same = _undescribed(union.get(name, schema)) == _undescribed(schema)
            union[name] = schema if same else {key: schema[key] for key in ("description",) if key in schema}
    target = {**_TARGET, "examples": list(builders)}
    return {
        "type": "object",
        "properties": {"_target_": target, **union},
        # Keys are refused beside another builder's name only where srexp has no such builder.
        "if": {"properties": {"_target_": {"enum": list(builders)}}},
        "then": {"propertyNames": {"enum": ["defaults", "_target_", *union]}},
        "allOf": [
            {**_where("_target_", builder), "then": _object({"defaults": {}, "_target_": {}, **properties})}
            for builder, properties in builders.items()
        ],
    }


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _where(key: str, value: str) -> Schema:
    return {"if": {"properties": {key: {"const": value}}, "required": [key]}}


def _undescribed(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "description"}


def _described(schema: Schema, comment: str) -> Schema:
    return {"description": comment, **schema} if comment else schema


def _plain(hint: Any) -> Schema:
    from pydantic import TypeAdapter

    plain: Schema = _bare(_inlined(TypeAdapter(hint).json_schema()))
    return plain


def _generator() -> Any:
    """Give what makes schemas, without warnings of defaults that it can't write, which are left out anyway."""
    from pydantic.json_schema import GenerateJsonSchema

    return type("_Generator", (GenerateJsonSchema,), {"ignored_warning_kinds": {"non-serializable-default"}})


def _value(schema: Schema) -> Schema:
    """Let a value be an interpolation, or missing, as well."""
    if schema == {"type": "string"} or not schema:
        return schema
    return {"anyOf": [*(schema["anyOf"] if list(schema) == ["anyOf"] else [schema]), _INTERPOLATION]}


def _inlined(schema: Schema) -> Schema:
    """Put what pydantic defines apart where it is named."""
    apart = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return walk(apart[node["$ref"].rpartition("/")[2]])
            return {key: walk(value) for key, value in node.items() if key != "$defs"}
        return [walk(each) for each in node] if isinstance(node, list) else node

    whole: Schema = walk(schema)
    return whole


def _bare(node: Any) -> Any:
    """Leave out the titles that pydantic makes of names, and defaults of signatures, which the files overrule."""
    if not isinstance(node, dict):
        return [_bare(each) for each in node] if isinstance(node, list) else node
    # A mapping of that name is the schema of a key.
    return {
        key: _bare(value) for key, value in node.items() if isinstance(value, dict) or key not in ("title", "default")
    }


if __name__ == "__main__":
    write(config_home() / "conf")
