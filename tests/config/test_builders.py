from __future__ import annotations

from typing import Literal

import pytest

import srexp
from srexp.config.builders import build, check_section, locate
from srexp.errors import RequestError


def example(lr: float, kind: Literal["soft", "hard"] = "soft", sizes: list[int] | None = None) -> NotImported:  # type: ignore[name-defined]  # noqa: F821
    """Stand in for a builder whose return type is not importable in a check."""
    return lr, kind, sizes


@pytest.fixture(autouse=True)
def _reachable(monkeypatch):
    from srexp.training import optimizers

    monkeypatch.setattr(example, "__module__", optimizers.__name__)
    monkeypatch.setattr(optimizers, "example", example, raising=False)
    monkeypatch.setattr(optimizers, "Literal", Literal, raising=False)


def section(**options):
    return check_section("optimizer", {"_target_": "srexp.training.optimizers.example", **options}, [])


def test_options_take_the_types_of_the_signature():
    checked = section(lr=1, sizes=[3])
    assert checked.options == {"lr": 1.0, "sizes": [3]}
    assert checked.lr == 1.0
    assert build(checked) == (1.0, "soft", [3])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lrr": 1.0, "lr": 1.0}, "optimizer.lrr does not exist"),
        ({"lr": "abc"}, "optimizer.lr='abc'"),
        ({"lr": 1.0, "kind": "sotf"}, "optimizer.kind='sotf'"),
        ({}, "optimizer.lr is missing"),
        ({"lr": 1.0, "sizes": [1, "x"]}, "optimizer.sizes.1='x'"),
    ],
)
def test_a_wrong_option_is_named(options, said):
    with pytest.raises(RequestError, match=said):
        section(**options)


def test_a_misspelt_option_gets_its_nearest():
    with pytest.raises(RequestError, match=r"did you mean optimizer.kind\?"):
        section(lr=1.0, kindd="soft")


@pytest.mark.parametrize("target", ["os.system", "subprocess.run", "srexpevil.x", "builtins.eval"])
def test_targets_outside_the_allow_list_are_refused(target):
    with pytest.raises(RequestError, match="not allowed"):
        check_section("model", {"_target_": target}, [])


def test_an_extension_is_allowed_and_left_to_the_building():
    checked = check_section("model", {"_target_": "fractions.Fraction", "numerator": 3}, ["fractions"])
    assert build(checked, denominator=4) == 0.75
    with pytest.raises(RequestError, match="cannot be called"):
        build(check_section("model", {"_target_": "fractions.Fraction", "nominator": 3}, ["fractions"]))


@pytest.mark.parametrize("target", ["srexp.nowhere.build", "srexp.errors.nothing"])
def test_a_target_that_is_not_there_is_named(target):
    with pytest.raises(RequestError, match="cannot be imported"):
        locate("model", target)


def test_what_builds_nothing_is_no_target():
    with pytest.raises(RequestError, match=r"model\._target_ is not something that builds"):
        locate("model", "srexp.errors.__name__")


def test_a_section_without_a_target_is_refused():
    with pytest.raises(RequestError, match="no _target_"):
        check_section("model", {"name": "x"}, [])


def test_a_whole_number_is_a_text_where_one_is_wanted():
    typed = ["run_name=20241128", "+tags.year=2024", "experiment_name=7", "dataset=folder", "dataset.root=2024"]
    config = srexp.compose(typed)
    assert (config.run_name, config.tags, config.experiment_name) == ("20241128", {"year": "2024"}, "7")
    assert str(config.dataset.root) == "2024"


@pytest.mark.parametrize("value", ["1.10", "true"])
def test_what_was_written_otherwise_is_not_guessed(value):
    with pytest.raises(RequestError, match="quotes make it a text"):
        srexp.compose([f"run_name={value}"])


def test_overrides_that_are_no_list_are_told():
    for call in (lambda: srexp.compose("model=vdsr"), lambda: srexp.run("check", "model=vdsr")):
        with pytest.raises(RequestError, match=r"fix: +\['model=vdsr'\]"):
            call()


@pytest.mark.parametrize(
    ("typed", "verb", "said"),
    [
        (["dataset=folder"], "train", "the folder of the images"),
        ([], "enhance", "such as 'scans"),
        (["optimizer.lr=???"], "train", "give it a value: optimizer.lr=..."),
    ],
)
def test_a_missing_value_is_described(typed, verb, said):
    with pytest.raises(RequestError, match="is missing") as refused:
        srexp.compose([*typed, *(["model_uri=bicubic"] if verb == "enhance" else [])], verb)
    assert said in str(refused.value)
