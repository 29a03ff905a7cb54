from __future__ import annotations

import pytest

from srexp.cli import VERBS
from srexp.config.command_line import CommandLine
from srexp.errors import RequestError


@pytest.mark.parametrize(
    ("words", "verb", "overrides"),
    [
        ([], "train", []),
        (["--config-dir", "data", "check"], "check", []),
        (["--config-dir", "data"], "train", []),
        (["model=vdsr", "-m", "seed=1,2", "evaluate"], "evaluate", ["model=vdsr", "seed=1,2"]),
        (["--info", "runs"], "runs", []),
        (["--info", "defaults", "runs"], "runs", []),
        (["--cfg", "job", "~schedule", "+debug=fast", "seed=3"], "train", ["~schedule", "seed=3", "+debug=fast"]),
    ],
)
def test_verb_options_and_overrides_stand_in_any_order(words: list[str], verb: str, overrides: list[str]) -> None:
    line = CommandLine.read(words, VERBS)
    assert (line.verb, line.overrides) == (verb, overrides)


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("check train", "several verbs"),
        ("--cfg job --cfg=hydra", "--cfg is given twice"),
        ("--config-dir=a check -cd b", "--config-dir is given twice"),
        ("--info --info=config", "--info is given twice"),
        ("--cfg job -p a -p b", "--package is given twice"),
    ],
)
def test_what_is_asked_for_twice_is_refused(words: str, refused: str) -> None:
    with pytest.raises(RequestError, match=refused):
        CommandLine.read(words.split(), VERBS)


@pytest.mark.parametrize("word", ["--config-name=", "--config-path=", "--experimental-rerun=", "--package="])
def test_an_option_with_an_empty_value_is_not_passed_over(word: str) -> None:
    with pytest.raises(RequestError):
        CommandLine.read([word, "check"], VERBS)


@pytest.mark.parametrize(
    ("words", "about"),
    [("help", None), ("--help", None), ("help enhance", "enhance"), ("enhance -h", "enhance"), ("help model", "model"),
     ("model=vdsr --help", None)],
)  # fmt: skip
def test_help_is_about_a_verb_or_a_group(words: str, about: str | None) -> None:
    line = CommandLine.read(words.split(), VERBS)
    assert (line.options.help, line.about) == (True, about)


def test_help_is_asked_about_one_thing() -> None:
    with pytest.raises(RequestError, match="several verbs"):
        CommandLine.read(["help", "train", "check"], VERBS)
