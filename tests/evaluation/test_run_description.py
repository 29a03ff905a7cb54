"""What a run says of itself in Markdown."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from srexp.evaluation.run_description import beginning, listed, scored

RESULT: dict[str, Any] = {
    "experiment_name": "knees_x2", "test": {"psnr": 44.1, "ssim": 0.98, "n_images": 12},
    "baseline": {"bicubic": {"psnr": 43.0, "ssim": 0.985}}, "gain_db": 1.1, "gain_ci95": [0.9, 1.2],
    "validation": {"psnr": 43.5, "ssim": 0.97}, "best_epoch": 7, "warnings": ["3 *images* of <b>"],
    "model_uri": "models:/m-1", "registered": {"name": "knees_x2", "version": 3, "alias": "candidate"},
}  # fmt: skip


def test_the_table_marks_what_is_better_and_says_what_limits_it_and_what_is_next() -> None:
    text = scored(RESULT, "vdsr", typed=["model=vdsr", "seed=2"], picture="![curve](x)")
    lines = text.splitlines()
    assert lines[2] == "| vdsr | **44.100 dB** | 0.98000 | +1.100 dB [+0.900, +1.200] | ![curve](x) |"
    assert lines[3] == "| bicubic | 43.000 dB | **0.98500** |  |  |"
    assert r"- 3 \*images\* of \<b\>" in lines
    assert "knees\\_x2, 12 test images, best epoch 7; validation 43.500 dB." in lines
    for command in ("compare 'runs=[RUN_ID,OTHER]'", "promote name=knees_x2 version=3", "model=vdsr seed=2"):
        assert f"    python -m srexp {command}" in lines


@pytest.mark.parametrize("who", ["test", "bicubic"])
def test_means_over_different_images_are_not_compared(who: str) -> None:
    """The worse network, which spoils a black slice a little, has the higher published mean."""
    exact = {name: {"n_infinite": int(name == who)} for name in ("test", "bicubic")}
    result = {
        **RESULT,
        "test": RESULT["test"] | exact["test"],
        "baseline": {"bicubic": RESULT["baseline"]["bicubic"] | exact["bicubic"]},
    }
    lines = scored(result, "vdsr", typed=[], picture="").splitlines()
    assert lines[2].startswith("| vdsr | 44.100 dB | 0.98000 |")
    assert lines[3].startswith("| bicubic | 43.000 dB | **0.98500** |")


@pytest.mark.parametrize("gone", ["psnr", "gain"])
def test_figures_that_are_not_there_are_no_failure(gone: str) -> None:
    result = {**RESULT, "registered": None, "model_uri": "/folder/model", "warnings": []}
    del result["validation"]
    if gone == "psnr":
        result["test"] = {"psnr": None, "ssim": None, "n_images": 1}
    text = scored({**result, "gain_db": None, "gain_ci95": None}, "vdsr", verb="evaluate", typed=[], picture="")
    assert "| vdsr | " in text
    assert "promote" not in text
    assert "    python -m srexp evaluate" in text


def test_bicubic_is_listed_once() -> None:
    assert scored(RESULT, "bicubic", typed=[], picture="").count("| bicubic |") == 1


def test_a_long_command_stands_in_lines_that_the_shell_joins() -> None:
    typed = ["dataset=folder", "dataset.root=/a/folder with/a/long/name", "dataset.fractions=[0.6,0.2,0.2]", "scale=3"]
    text = beginning("task", "vdsr", typed)
    told = text[text.index("    python") :]
    assert max(map(len, told.splitlines())) <= 4 + 76 + 2
    joined = told.replace("\\\n", "")
    assert shlex.split(joined) == ["python", "-m", "srexp", *typed]


def test_no_name_of_a_run_becomes_markup() -> None:
    assert beginning("a|b", "<img>", ["run_name=`x`\n**y**"]).splitlines()[0] == r"\<img\> on a\|b: no scores yet."
    assert "\n**y**" not in beginning("a", "b", ["run_name=`x`\n**y**"])


def test_a_parent_shows_its_picture_first() -> None:
    text = listed([["model", "dB"], ["vdsr", "44"]], picture="![p](x)", notes=["1 seed"], following=["python"])
    assert text.startswith("![p](x)\n\n| model | dB |\n| --- | --- |\n| vdsr | 44 |")
    assert "- 1 seed" in text
