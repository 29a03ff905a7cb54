from __future__ import annotations

import re

import pytest

from srexp.cli import VERBS
from srexp.config.reference import help as reference
from srexp.config.reference.keys import PRESETS, files, groups, keys, root
from srexp.errors import RequestError


def shown(about: str | None, capsys: pytest.CaptureFixture[str]) -> str:
    reference.show(about, VERBS)
    return capsys.readouterr().out


def flowing(text: str) -> str:
    """The same in one line, as it was before it was wrapped."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_names_its_keys_groups_and_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(verb, capsys)
    for key in {key.name: key for name in ("base", verb) for key in keys(root(name))}.values():
        if not key.name.startswith("hydra/"):
            assert f"{key.name}=" in page, key.name
            assert key.comment in flowing(page), key.name
            assert key.type in flowing(page), key.name
    assert all(choice in page for group in groups() if group != "search" for choice in files(group))
    assert page.count(f"  srexp {verb}") >= 2
    assert "optimizer.lr=" not in page.partition("Groups:")[2]
    assert max(map(len, page.splitlines())) <= 80
    assert "\x1b" not in page


def test_help_without_a_verb_lists_verbs_groups_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(None, capsys)
    for word in (*VERBS, *groups(), *PRESETS, "--multirun", "--shell-completion", "Exit codes"):
        assert word in page
    assert "--config-path" not in page  # refused
    assert max(map(len, page.splitlines())) <= 80


@pytest.mark.parametrize("group", ["model", "debug", "degradation", "paths"])
def test_help_of_a_group_unfolds_its_choices(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(group, capsys)
    for name, path in files(group).items():
        assert f"{group}={name}" in page
        assert all(f"{key.name}=" in page for key in keys(path) if key.schema and not key.name.endswith("_target_"))


def test_help_of_nothing_known_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="did you mean model"):
        reference.show("modle", VERBS)


@pytest.mark.parametrize(
    ("columns", "about"), [(40, "serve"), (40, None), (40, "dataset"), (80, "enhance"), (300, "ui")]
)
def test_help_fits_a_terminal(
    columns: int, about: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(columns))
    bold = shown(about, capsys)
    assert "\x1b[1m" in bold
    plain = re.sub(r"\x1b\[\d*m", "", bold)
    # A word that is typed is left whole, and the terminal breaks it.
    wide = [line for line in plain.splitlines() if len(line) > min(columns, 100) and " " in line.strip(" \\")]
    assert wide == []
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(about, capsys) == plain


def test_a_long_example_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    page = shown("enhance", capsys)
    example = page[page.index("  srexp enhance model_uri=models") :]
    first, second = example.splitlines()[:2]
    assert first.endswith(" \\")
    assert second == "      output=restored"
