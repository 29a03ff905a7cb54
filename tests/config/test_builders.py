from __future__ import annotations

from typing import Literal

import pytest

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


def test_a_section_without_a_target_is_refused():
    with pytest.raises(RequestError, match="no _target_"):
        check_section("model", {"name": "x"}, [])
