"""Tables whose figures are aligned, rounded as far as they mean something, and whose names are text in every format."""

import csv
import io
import math
from dataclasses import replace

import pytest

from srexp.evaluation.comparison.conclusions import limits
from srexp.evaluation.comparison.standings import BASELINE, Contender, standings
from srexp.evaluation.comparison.tables import comma_separated, common_input, costs, further, pairs, scores
from srexp.evaluation.cost import Cost
from srexp.evaluation.grid import latex, markdown, terminal
from srexp.evaluation.timing import Timing
from srexp.system.terminal import Terminal

NASTY = "<script>&50%_$x$ [a](b) |é\\"


def timing(shape, median):
    return Timing(shape, (median,), median, (median, median), 2)


@pytest.fixture
def found():
    values = {"psnr": [31.0, 33.0], "ssim": [0.91, 0.93], "edge": [1.0, 2.0]}
    timings = {"image 64": timing((32, 32, 1), 0.5), "batch of 4": timing((4, 16, 16, 1), 2.0)}
    nasty = Contender(name=NASTY, values=values, timings=timings, cost=Cost(57281, 57.18e9), train_seconds=754.0)
    bicubic = {"psnr": [30.0, 31.0], "ssim": [0.9, 0.9], "edge": [1.5, 2.5]}
    return standings(["a", "b"], [nasty, Contender(name=BASELINE, values=bicubic)])


def test_rows_say_mean_and_spread(found):
    best, bicubic = scores(found).rows
    assert [str(cell) for cell in best] == [
        NASTY, "32.00 [31.00, 33.00]", "0.9200 [0.9100, 0.9300]", "+1.50 [+1.00, +2.00]", "-", "2",
    ]  # fmt: skip
    assert [cell.main for cell in bicubic][3:] == ["-", "-", "0"]
    assert [str(cell) for cell in costs(found).rows[0]][1:] == [
        "57\u202f281", "57.2 G", "12 min 34 s", "-", "500 ms [500, 500]",
    ]  # fmt: skip
    assert [str(cell) for cell in further(found).rows[0]] == [NASTY, "1.500 [1.000, 2.000]"]


def test_a_model_whose_detail_is_invented_is_marked_in_every_table(found):
    made_up = replace(found.rows[0].contender, invents=True)
    again = standings(["a", "b"], [made_up, found.rows[1].contender])
    for table in (scores(again), further(again), costs(again)):
        assert [str(row[0]) for row in table.rows] == [f"{NASTY} detail invented", BASELINE]
    assert "detail invented" in markdown(scores(again))
    assert any("is invented" in said for said in limits(again))
    assert not any("is invented" in said for said in limits(found))


def test_the_best_value_of_a_column_is_marked_where_values_differ(found):
    def marked(grid):
        return [[cell.best for cell in row] for row in grid.rows]

    assert marked(scores(found)) == [[False, True, True, True, False, True], [False] * 6]
    assert "**32.00** [31.00, 33.00]" in markdown(scores(found))
    alike = Contender(name="copy", values={**found.rows[0].contender.values, "mae": [1.0, 2.0]})
    rows = [replace(row.contender, values={**row.contender.values, "mae": [1.5, 2.5]}) for row in found.rows]
    three = standings(["a", "b"], [*rows, alike])
    assert [row[1] for row in marked(scores(three))] == [True, True, False]  # of equal ones, both
    least = further(three)
    column = [cell.main for cell in least.headings].index("mean error")
    assert [row[0].main for row in least.rows if row[column].best] == ["copy"]


def test_means_over_different_images_are_not_held_against_each_other():
    exact = Contender(name="exact", values={"psnr": [math.inf, 33.0], "ssim": [1.0, 0.93]})
    bicubic = Contender(name=BASELINE, values={"psnr": [30.0, 31.0], "ssim": [0.9, 0.9]})
    assert [row[1].best for row in scores(standings(["a", "b"], [exact, bicubic])).rows] == [False, False]


def test_times_on_different_inputs_are_not_put_side_by_side(found):
    assert common_input(found) == "image 64"
    other = Contender(
        name="other", values=found.rows[0].contender.values, timings={"image 64": timing((16, 16, 1), 0.1)}
    )
    mixed = standings(["a", "b"], [row.contender for row in found.rows] + [other])
    assert common_input(mixed) is None
    assert {str(row[-1]) for row in costs(mixed).rows} == {"-"}


def test_names_are_escaped_in_latex(found):
    written = latex(scores(found))
    assert r"\textless{}script\textgreater{}\&50\%\_\$x\$ [a](b) |é\textbackslash{} & \textbf{32.00}" in written
    assert written.count(r"\toprule") == written.count(r"\bottomrule") == 1


def test_names_are_escaped_in_markdown(found):
    lines = markdown(pairs(found)).splitlines()
    assert r"\<script\>&50%\_$x$ [a]\(b) \|é\\" in lines[2]
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1


def test_names_are_text_on_the_terminal(found):
    out = io.StringIO()
    Terminal(file=out, width=200).print(terminal(scores(found), "[red]title[/red]"))
    assert NASTY in out.getvalue()
    assert "[red]title[/red]" in out.getvalue()


def test_a_terminal_of_80_columns_breaks_no_interval():
    bicubic = Contender(name=BASELINE, values={"psnr": [30.0, 31.0], "ssim": [0.9, 0.9]})
    model = Contender(name="srcnn", values={"psnr": [31.0, 33.0], "ssim": [0.91, 0.93]})
    out = io.StringIO()
    Terminal(file=out, width=80).print(terminal(scores(standings(["a", "b"], [bicubic, model])), "title"))
    for interval in ("[31.00, 33.00]", "[0.9100, 0.9300]", "[+1.00, +2.00]"):
        assert interval in out.getvalue().replace("\u00a0", " ")


def test_csv_is_not_rounded(found):
    best, bicubic = csv.DictReader(io.StringIO(comma_separated(found)))
    assert (best["model"], float(best["psnr"]), float(best["psnr_gain"])) == (NASTY, 32.0, 1.5)
    assert float(best["seconds of image 64"]) == 0.5
    assert (bicubic["psnr_gain"], bicubic["wins"]) == ("", "0")
