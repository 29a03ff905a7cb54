from __future__ import annotations

from pathlib import Path

import pytest

from srexp.config.paths import config_home
from srexp.config.reference.keys import in_words, is_global, keys, opening, root

CONF = config_home() / "conf"
FILES = [
    path
    for folder in (CONF, config_home() / "sweeps")
    for path in sorted(folder.rglob("*.yaml"))
    if "hydra" not in path.parts  # how logs are arranged
]


def test_a_file_is_read_with_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "# @package _global_\n# yaml-language-server: $schema=none.json\n# What it is.\n#   python -m srexp a=1\n"
        "defaults:\n  - override /model@here: vdsr  # the network\n  - _self_\n\na:\n  # above\n  b: 1\n"
        "  c: [1, 2] # beside | it\n  d: {e: x}  # flow\nf: {}  # empty\n"
    )
    assert [(key.name, key.default, key.comment, key.type) for key in keys(path)] == [
        ("model", "vdsr", "the network", ""),
        ("a.b", "1", "above", ""),
        ("a.c", "[1, 2]", "beside | it", ""),
        ("a.d", "{e: x}", "flow", ""),
        ("f", "{}", "empty", ""),
    ]
    assert opening(path) == ["What it is.", "  python -m srexp a=1"]
    assert is_global(path)


@pytest.mark.parametrize(
    ("file", "name", "kind", "choices"),
    [
        ("enhance", "format", "same, png, jpeg, bmp, tiff or dicom", "same png jpeg bmp tiff dicom"),
        ("export", "format", "savedmodel, onnx, openvino or litert", "savedmodel onnx openvino litert"),
        ("serve", "port", "whole number from 1 up to 65535", ""),
        ("promote", "promote.max_slowdown", "number or null", ""),
        ("base", "checkpoint.minutes", "number from 0 or null", ""),
        ("model/vdsr", "width", "whole number", ""),
        ("dataset/folder", "fractions", "list of numbers", ""),
        ("trainer/default", "batch_size", "whole number from 1 or auto", "auto"),
        ("debug/profile", "trainer.profile", "true or false", "true false"),
    ],
)
def test_a_key_has_the_type_of_its_section_or_builder(file: str, name: str, kind: str, choices: str) -> None:
    found = {key.name: key for key in keys(root(file))}[name]
    assert (found.type, found.choices) == (kind, choices.split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_names_a_schema_that_knows_its_keys(path: Path) -> None:
    first, second = path.read_text().splitlines()[:2]
    assert "yaml-language-server: $schema=" in (second if first == "# @package _global_" else first)
    untyped = [key.name for key in keys(path) if not key.schema and not key.name.startswith("hydra")]
    choices = [name for name in untyped if (CONF / name).is_dir()]
    assert [name for name in untyped if name not in choices and not name.startswith(("tags.", "search.space."))] == (
        ["steps.contrast.level", "steps.contrast.spread", "steps.contrast.grey", "steps.blur.sigma",
         "steps.blur.spread", "steps.noise.photons", "steps.noise.read_noise", "steps.noise.spread"]
        if path.stem == "xray" else []
    )  # fmt: skip


def test_every_verb_has_two_examples() -> None:
    for path in CONF.glob("*.yaml"):
        commands = [line for line in opening(path) if line.startswith(f"  python -m srexp {path.stem}")]
        assert path.stem == "base" or len(commands) >= 2, path


def test_words_for_what_a_value_may_be() -> None:
    assert in_words({}) == ""
    assert in_words({"type": "array"}) == "list"
    assert in_words({"anyOf": [{"type": "null"}, {"type": "string", "format": "path"}]}) == "path or null"
