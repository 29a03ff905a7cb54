"""What a configuration would be typed as leads back to the same configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

import srexp
from srexp.config import overrides
from srexp.config.identity import INDIFFERENT
from srexp.config.sections.base import Config
from srexp.errors import RequestError

REQUESTS = [
    ["model=vdsr", "optimizer.lr=1e-4", "seed=7"],
    ["+experiment=vdsr_samples", "scale=4"],
    ["+debug=fast", "degradation=identity"],
    ["degradation=xray", "degradation.steps.noise.photons=123", "~degradation.steps.contrast"],
    ["dataset=folder", 'dataset.root="/some where/it\'s"', r'dataset.patients="^(\d{8})"', "model.kernels=[9,1,5]"],
    ["dataset=paired", "dataset.root=x", "experiment_name=mine"],
    ["dataset=folder", 'dataset.root="/bilder/größe 日本"', "experiment_name='\\${seed}'"],
    ["+tags.note='a, b: {c} \\'d\\' 1e3'", "schedule=step", "schedule.milestones=[0.5]", "protocol=y"],
]


def decisive(config: Config) -> dict[str, object]:
    return {key: value for key, value in config.resolved.items() if key not in INDIFFERENT}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("request_", REQUESTS, ids=" ".join)
def test_typing_it_gives_the_same_configuration(request_: list[str]) -> None:
    config = srexp.compose(request_)
    again = srexp.compose(overrides.overrides_of(config))
    assert decisive(again) == decisive(config)


def test_nothing_superfluous_is_typed() -> None:
    assert overrides.overrides_of(srexp.compose([])) == []
    assert overrides.overrides_of(srexp.compose(["scale=4"])) == ["scale=4"]
    assert overrides.overrides_of(srexp.compose(["+experiment=vdsr_samples"]))[0] == "model=vdsr"


def test_places_are_typed_where_asked_for() -> None:
    config = srexp.compose(["paths.root=/tmp/runs", "tracking.max_images=1", "+tags.a=b"])
    assert overrides.overrides_of(config) == []
    expected = {"paths.root=/tmp/runs", "tracking.max_images=1", "+tags.a=b"}
    assert set(overrides.overrides_of(config, without=("verb",))) == expected


def test_a_text_of_a_configuration_survives_hydra() -> None:
    texts = ["a b", "null", "1e3", r"\d'", "größe 日本", "${seed}", r"\\${x}\\", "$HOME", "a,b={c}\n"]
    tags = {f"x{index}": text for index, text in enumerate(texts)}
    typed = [f"+{overrides.override(f'tags.{key}', overrides.literal(text))}" for key, text in tags.items()]
    composed = srexp.compose(typed)
    assert composed.tags == tags
    again = srexp.compose(overrides.overrides_of(composed, without=("verb",)))
    assert again.tags == tags


def test_a_key_with_a_dot_in_it_is_refused() -> None:
    with pytest.raises(RequestError, match=r"tags\.a.* can't be typed"):
        overrides.overrides_of(srexp.compose(["+tags={a.b:c}"]), without=("verb",))


@given(st.text(alphabet="ab\\${}:,'\" \n", max_size=10))
def test_what_is_literal_comes_out_of_a_configuration_as_it_is(text: str) -> None:
    tree = OmegaConf.create({"x": [overrides.literal(text)]})
    assert OmegaConf.to_container(tree, resolve=True) == {"x": [text]}


@pytest.mark.parametrize("request_", [REQUESTS[0], REQUESTS[1], REQUESTS[4]], ids=" ".join)
def test_a_preset_composes_to_the_same_configuration(request_: list[str], tmp_path: Path) -> None:
    config = srexp.compose(request_)
    (tmp_path / "experiment").mkdir()
    text = overrides.preset(config, "Found by a search.\nCost: none.")
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert text.startswith("# @package _global_\n# Found by a search.\n# Cost: none.\n")
    again = srexp.compose(["+experiment=mine", f"hydra.searchpath=[file://{tmp_path}]"])
    assert decisive(again) == decisive(config)
    assert "experiment_name" not in OmegaConf.create(text)


def test_a_preset_names_no_extensions() -> None:
    assert "extensions" not in overrides.preset(srexp.compose(["extensions=[fractions]"]), "Found.")
