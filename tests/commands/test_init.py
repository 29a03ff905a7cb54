"""`init`: what is asked, what is shown, and what comes of it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.commands import init
from srexp.config.compose import compose
from srexp.errors import RequestError
from srexp.system.terminal import Terminal

NEEDED = {"search": ["+sweeps=srcnn_tpe"], "evaluate": ["model_uri=bicubic"], "adopt": ["weights=mine.npz"]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    root = tmp_path / "Chest scans"
    root.mkdir()
    for patient in range(3):
        for image in range(2):
            Image.fromarray(np.full((64, 48), patient, np.uint8)).save(root / f"{patient:04}_{image}.png")
    (root / "0009_0.png").write_text("no image")
    return root


@pytest.fixture
def answers(monkeypatch):
    """What is typed at a terminal; without it there is none."""
    given: list[str] = []
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(Terminal, "is_terminal", property(lambda _: bool(given)))
    monkeypatch.setattr(Terminal, "input", lambda _, prompt: given.pop(0))
    return given


def test_it_asks_shows_and_writes_what_check_accepts(folder, answers, capfd):
    given = [str(folder), r"^(\d{9})", r"^(\d{4})_", "never asked for"]
    answers += given
    result = srexp.run("init")
    said = capfd.readouterr().out

    assert answers == given[3:]
    assert (result.name, result.patients, result.images) == ("chest_scans", 3, 7)
    assert "64 x 48" in said
    assert "####_#.png (7)" in said
    assert "unreadable  0009_0.png: is no PNG" in said  # on the terminal by its name
    assert "matches no patient in" in said  # the first pattern, which was asked for again
    assert "0009" not in (result.folder / "result.json").read_text()
    assert srexp.run("check", ["+experiment=chest_scans"]).images == 7
    for verb in ("check", "data", "train", "search", "evaluate", "adopt"):  # each that takes a data set
        assert compose(verb, ["+experiment=chest_scans", *NEEDED.get(verb, [])])[0].dataset.root == str(folder)
    with pytest.raises(RequestError, match="an experiment of this name"):
        srexp.run("init", [f"dataset.root={folder}"])


def test_what_is_typed_is_not_asked_for_nor_where_there_is_no_terminal(folder, answers, capfd):
    typed = [f"dataset.root='{folder}'", "name=mine"]
    assert srexp.run("init", typed).patients is None
    assert "each file is a patient of its own; 'dataset.patients=" in capfd.readouterr().out
    with pytest.raises(RequestError, match=r"dataset.root is missing"):
        srexp.run("init")
    answers.append("never asked for")
    assert srexp.run("init", [*typed, "dataset.patients='^(\\d+)_'", "overwrite=true"]).patients == 3
    assert answers == ["never asked for"]
    with pytest.raises(RequestError, match="a folder of images"):
        srexp.run("init", [*typed, "dataset=paired"])
    with pytest.raises(RequestError, match=r"dataset=folder, dataset=paired have it"):
        srexp.run("init", ["dataset=montgomery"])


def test_ctrl_d_is_an_interruption(monkeypatch):
    monkeypatch.setattr(Terminal, "input", lambda *_: (_ for _ in ()).throw(EOFError))
    with pytest.raises(KeyboardInterrupt):
        init._ask(Terminal(), "folder")
