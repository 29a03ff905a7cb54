"""The table of the best trials: ranked rightly, complete, and nothing in it taken for markup."""

import csv
import io
from datetime import datetime, timedelta

import pytest

from srexp.evaluation.search_report.table import best_trials, comma_separated, markdown
from srexp.types import Trial

START = datetime(2026, 1, 1)


def trial(number, *objectives, state="finished", values=None, **more):
    return Trial(number=number, state=state, values=values or {}, objectives=objectives or None, **more)


def test_the_ten_best_come_first_and_equal_ones_by_number():
    trials = [trial(number, 40 + (number % 7) / 10) for number in range(20)]

    rows = best_trials(trials, ["val_psnr"])

    written = list(csv.DictReader(io.StringIO(comma_separated(rows, ["val_psnr"]))))
    assert [int(row["rank"]) for row in written] == [*range(1, 11)]
    assert [row.number for row in rows] == [6, 13, 5, 12, 19, 4, 11, 18, 3, 10]
    assert len(best_trials(trials, ["val_psnr"], n=3)) == 3


def test_a_low_time_is_a_good_one():
    trials = [trial(0, 0.3), trial(1, 0.1), trial(2, 0.2)]
    assert [row.number for row in best_trials(trials, ["seconds"])] == [1, 2, 0]


def test_several_objectives_give_the_whole_pareto_set():
    front = [trial(number, 30.0 + number, 1.0 + number) for number in range(15)]
    worse = [trial(15, 29.0, 1.0), trial(16, 44.0, 15.5)]

    rows = best_trials([*worse, *front], ["val_psnr", "seconds"], n=10)

    assert [row.number for row in rows] == [*range(14, -1, -1)]


def test_only_finished_trials_with_numbers_are_ranked():
    trials = [
        trial(0, state="failed"),
        trial(1, state="pruned", curve={1: 50.0}),
        trial(2, float("nan")),
        trial(3, float("inf")),
        trial(4, state="running"),
        trial(5, 40.0),
    ]
    assert [row.number for row in best_trials(trials, ["val_psnr"])] == [5]


def test_a_row_says_what_a_trial_took():
    noted = trial(0, 41.0, curve={1: 40.0, 7: 41.0}, facts={"seconds": 12}, started=START)
    timed = trial(1, 40.0, started=START, ended=START + timedelta(seconds=90))
    unknown = trial(2, 39.0, started=START)

    rows = csv.DictReader(io.StringIO(comma_separated([noted, timed, unknown], ["val_psnr"])))

    assert [(row["epochs"], row["took_seconds"]) for row in rows] == [("7", "12.0"), ("", "90.0"), ("", "")]


def test_csv_has_all_digits_and_every_key():
    values = {"optimizer.lr": 0.00012345678901234, "model.filters": [64, 32], "note": 'a,"b'}
    trials = [trial(3, 41.123456789, 0.25, values=values), trial(4, 40.0, 0.125, values={"model": "vdsr"})]

    objectives = ["val_psnr", "seconds"]
    read = list(csv.DictReader(io.StringIO(comma_separated(best_trials(trials, objectives), objectives))))

    assert float(read[0]["val_psnr"]) == 41.123456789
    assert float(read[0]["optimizer.lr"]) == values["optimizer.lr"]
    assert (read[0]["model.filters"], read[0]["note"], read[0]["model"]) == ("[64, 32]", 'a,"b', "")
    assert (read[1]["model"], read[1]["seconds"], read[1]["took_seconds"]) == ("vdsr", "0.125", "")


def test_markdown_takes_nothing_for_markup():
    rows = best_trials([trial(0, 41.0, values={"a|b": "<b>[red]x|y\n*z*"})], ["val_psnr"])

    lines = markdown(rows, ["val_psnr"]).splitlines()

    assert lines[0].endswith(r"| a\|b |")
    assert lines[2].endswith(r"| \<b\>[red]x\|y \*z\* |")
    assert len(lines) == 3


@pytest.mark.parametrize("objectives", [["val_psnr"], ["val_psnr", "seconds"]])
def test_without_a_finished_trial_the_table_is_empty(objectives):
    rows = best_trials([trial(0, state="failed")], objectives)

    assert rows == []
    assert markdown(rows, objectives).startswith("| rank | trial |")
    assert comma_separated(rows, objectives) == "rank,trial,epochs,took_seconds\r\n"
