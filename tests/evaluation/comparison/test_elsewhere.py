"""The table of other test sets: who helps where, who does harm, and who knew the images."""

import csv
import io

from srexp.evaluation.comparison.elsewhere import Elsewhere, Gain, comma_separated, table
from srexp.evaluation.grid import markdown

SETS = [
    Elsewhere("ct-blur-x2", 16, "whole", {"ours": Gain(-0.2, (-0.3, -0.1), 0), "theirs": Gain(0.1, (0.0, 0.2), 3)}),
    Elsewhere("mr-bicubic-x2", 1, "centre crops of 64 pixels", {"theirs": Gain(1.5, None, None)}),
    Elsewhere("odd", 2, "whole", {"ours": Gain(None, None, 0)}),
]


def test_a_row_for_each_test_set_and_a_column_for_each_model():
    lines = markdown(table(SETS, ["ours", "theirs"])).splitlines()
    assert lines[0] == "| test set | ours gain dB [95 %] | theirs gain dB [95 %] |"
    assert lines[2] == (
        "| ct-blur-x2 16 images, whole | -0.20 [-0.30, -0.10] | **+0.10** [+0.00, +0.20], saw 3 of them |"
    )
    assert lines[3] == "| mr-bicubic-x2 1 image, centre crops of 64 pixels | - | +1.50 may have seen them |"
    assert lines[4] == "| odd 2 images, whole | - | - |"


def test_the_file_has_every_figure():
    rows = list(csv.DictReader(io.StringIO(comma_separated(SETS))))
    assert [(row["task"], row["model"]) for row in rows][:2] == [("ct-blur-x2", "ours"), ("ct-blur-x2", "theirs")]
    assert (rows[1]["gain_low"], rows[1]["seen"]) == ("0.0", "3")
    assert (rows[2]["gain_low"], rows[2]["seen"]) == ("", "")
    assert SETS[0].as_dict()["gains"]["ours"]["gain"] == -0.2
