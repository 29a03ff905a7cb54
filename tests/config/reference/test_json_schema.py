from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from srexp.config.paths import config_home
from srexp.config.reference import json_schema
from srexp.config.reference.json_schema import schemas, write

CONF = config_home() / "conf"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return schemas()


def test_the_schemas_for_editors_are_those_of_the_typed_sections(
    tmp_path: Path, found: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_schema, "schemas", lambda: found)
    write(tmp_path)
    made = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("schema.json")}
    kept = {str(path.relative_to(CONF)): path.read_text() for path in CONF.rglob("schema.json")}
    assert made == kept, "make schema writes them anew"


def test_a_verb_and_a_builder_refuse_the_keys_of_others(found: dict[str, Any]) -> None:
    of = {each["if"]["properties"]["verb"]["const"]: each["then"] for each in found["schema.json"]["allOf"]}
    assert of["enhance"]["properties"]["format"] != of["export"]["properties"]["format"]
    models = {
        each["if"]["properties"]["_target_"]["const"]: each["then"] for each in found["model/schema.json"]["allOf"]
    }
    vdsr = models["srexp.models.vdsr.build"]
    assert "depth" in vdsr["properties"]
    assert "kernels" not in vdsr["properties"]
    assert vdsr["additionalProperties"] is False


def test_each_reference_leads_to_a_schema_beside_it(found: dict[str, Any]) -> None:
    text = json.dumps(found["schema.json"])
    named = {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}
    assert "optimizer/schema.json" in named
    assert {name for name in named if not (CONF / name).is_file()} == set()
