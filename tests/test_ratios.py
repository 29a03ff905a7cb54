"""The table of `make bench`: what is written comes back, and what lost is marked."""

from __future__ import annotations

import pytest

from tests.benchmarks.ratios import parts, table
from tests.benchmarks.ratios.table import Cost, Row

COMMITTED = Row("train srcnn", "Keras", ratio=1.0, low=0.9, high=1.2, clock=1.1, seconds=3.0, pairs=3)


@pytest.mark.parametrize(("ratio", "lost"), [(1.14, False), (1.16, True), (0.5, False)])
def test_a_ratio_that_lost_more_than_its_share_is_marked(ratio, lost):
    assert table.told(COMMITTED._replace(ratio=ratio), COMMITTED).endswith("LOST") is lost


def test_what_the_table_has_no_row_of_is_said():
    assert table.told(COMMITTED, None).endswith("no row in the table")


def test_rows_come_back_and_replace_those_of_the_same_parts(tmp_path):
    path = tmp_path / "ratios.csv"
    other = COMMITTED._replace(part="score srcnn", peer="a, b", pairs=1)
    table.write([COMMITTED, other], "first", path)
    table.write([COMMITTED._replace(ratio=2.0)], "second", path)
    assert table.read(path) == (
        ["first", "second"],
        {"train srcnn": COMMITTED._replace(ratio=2.0), "score srcnn": other},
    )
    table.write([COMMITTED, other], "third", path)
    assert table.read(path)[0] == ["third"]


def test_no_table_is_an_empty_one(tmp_path):
    assert table.read(tmp_path / "ratios.csv") == ([], {})


def test_a_row_is_of_the_median_pair():
    pairs = [(Cost(2, 2), Cost(1, 4)), (Cost(9, 1), Cost(1, 1)), (Cost(3, 3), Cost(1, 1))]
    assert table.row("a", "b", pairs) == Row("a", "b", ratio=3, low=2, high=9, clock=1, seconds=3, pairs=3)


def test_the_committed_table_is_of_parts_that_there_are():
    about, rows = table.read()
    assert about
    assert {(row.part, row.peer) for row in rows.values()} <= {(name, peer) for name, peer, _ in parts.parts()}
