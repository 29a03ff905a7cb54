"""No text that comes to a terminal steers it or forges a line, wherever in a table or a bar it stands."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group, RenderableType
from rich.progress import Progress, TextColumn
from rich.styled import Styled
from rich.table import Column, Table
from rich.text import Text

from srexp.system.masking.redaction import printable
from srexp.system.terminal import Terminal

MARKS = "\x1b\x07\r\n\t\x85\x9b\u061c\u200e\u202e\u2028\u2066\udc80"
NAMES = st.text(st.sampled_from(f"ab[]/: {MARKS}"), min_size=1, max_size=12) | st.text(min_size=1, max_size=12)


def table(*cells: RenderableType, heading: str = "", title: str = "") -> Table:
    made = Table(heading, *[""] * (len(cells) - 1), title=title)
    made.add_row(*cells)
    return made


def progress(name: str, terminal: Terminal) -> RenderableType:
    bars = Progress(TextColumn("{task.description}", markup=False), console=terminal)
    bars.add_task(name)
    return bars.get_renderable()


PLACES: dict[str, Callable[[str, Terminal], RenderableType]] = {
    "line": lambda name, _: f"image {name}",
    "beside others": lambda name, _: Text.assemble(("warning ", "yellow"), name),
    "text with looks": lambda name, _: Text(name, "yellow"),
    "looks": lambda name, _: Styled(name, "yellow"),
    "below others": lambda name, _: Group("image", name),
    "cell": lambda name, _: table(name, "1.0"),
    "line of a cell": lambda name, _: table(Group(name, "1.0"), Styled(name, "red")),
    "heading": lambda name, _: table("1.0", heading=name),
    "title": lambda name, _: table("1.0", title=name),
    "bar": progress,
}


def drawn(place: str, name: str, **options: bool) -> str:
    out = io.StringIO()
    terminal = Terminal(file=out, width=200, **options)
    terminal.print(PLACES[place](name, terminal))
    return out.getvalue()


@pytest.mark.parametrize("place", PLACES)
@given(NAMES)
def test_a_name_stays_on_its_line_and_steers_nothing(place: str, name: str) -> None:
    lines = drawn(place, name).split("\n")
    assert len(lines) == len(drawn(place, "a").split("\n"))
    assert all(printable(line) == line for line in lines)


@pytest.mark.parametrize("place", PLACES)
def test_a_name_is_no_markup_and_shows_no_password(place: str) -> None:
    assert "[red]a[/red] :smile: http://***@h" in drawn(place, "[red]a[/red] :smile: http://ann:pa55@h")


@pytest.mark.parametrize("place", PLACES)
def test_a_terminal_gets_no_other_codes_than_for_a_name_like_others(place: str) -> None:
    codes = [drawn(place, name, force_terminal=True).count("\x1b") for name in ("a\x1b[2J", "a")]
    assert codes[0] <= codes[1]


def test_what_is_shown_in_one_line_may_be_drawn_over() -> None:
    out = io.StringIO()
    Terminal(file=out).print("images 1/2", end="\r")
    assert out.getvalue() == "images 1/2\r"


@pytest.mark.parametrize("width", [30, 60, 120])
def test_a_table_is_whole_at_any_width(width: int, capsys) -> None:
    cells = [["srcnn", "57 281", "3 finished, best", "118 ms"], ["steps_per_epoch=20", "0", "1 failed", "-"]]
    costs = Table(
        Column("model", overflow="fold"), Column("weights", no_wrap=True), "state", "inference", title="costs"
    )
    for row in cells:
        costs.add_row(*row)
    Terminal(width=width, force_terminal=False).table(costs)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said
    for part in ("costs", "57 281", "118 ms", "weights", "finished,"):
        assert part in said
    beside = any("srcnn" in line and "57 281" in line for line in said.splitlines())
    assert beside == (width > 30)
    if not beside:
        assert re.search(r"^model +steps_per_epoch=20\s+weights +0 *$", said, re.M)


@pytest.mark.parametrize("columns", [40, 80])
def test_words_are_whole_on_a_terminal_and_lines_are_in_a_file(columns: int) -> None:
    words = "patients are unknown: each file counts as a patient of its own, so images of one may lie in several splits"
    told, path = f"{words} (/a/rather/long/folder/whose/name/is/not/broken\nfind)", "python -m srexp runs " + "a" * 90
    out, file = io.StringIO(), io.StringIO()
    for terminal in (Terminal(file=out, width=columns, force_terminal=True), Terminal(file=file)):
        terminal.about("note", told, "yellow")
        terminal.about("send them", path, whole=True)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    note, rest = shown[:-1], shown[-1]
    assert note[0].startswith("note        patients")
    assert all(line.startswith(" " * 12) for line in note[1:])
    assert " ".join(line[12:] for line in note) == printable(told)
    assert all(len(line) <= columns or line.strip().startswith("(/a/") for line in note)
    assert len(note) > 2
    assert rest == f"send them   {path}"
    assert len(file.getvalue().splitlines()) == 2


def test_files_are_named_whole_and_can_be_clicked(tmp_path: Path) -> None:
    out = io.StringIO()
    names = [f"figures/{name}.png" for name in ("learning_curves", "inference_times", "validation")]
    Terminal(file=out, width=50, force_terminal=True, legacy_windows=False).files("files", tmp_path, names)
    for name in names:
        assert re.search(rf"file://\S+/{name}\x1b\\{name}\x1b", out.getvalue())
    assert len(out.getvalue().splitlines()) == 1 + len(names)
