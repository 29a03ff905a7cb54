"""A network has one colour, whatever it is compared with, as far as colours go."""

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from srexp.evaluation.figures.hues import GREY, PALETTE, colours

NETWORKS = sorted(path.stem for path in Path(__file__).parents[3].glob("conf/model/*.yaml"))


def test_two_networks_keep_their_colours_whatever_their_order():
    alone = {name: colours([name])[name] for name in NETWORKS}
    for one, other in itertools.permutations(["srcnn", "vdsr", "hybrid", "edsr", "fsrcnn", "espcn", "minisub"], 2):
        assert colours([one, other]) == {"bicubic": GREY, one: alone[one], other: alone[other]}


def test_all_networks_together_differ():
    assert len(set(colours(NETWORKS[: len(PALETTE)]).values())) == len({*NETWORKS[: len(PALETTE)], "bicubic"})


def test_a_run_has_the_colour_of_its_network():
    assert (
        colours(["edsr_se lr=1e-3"])["edsr_se lr=1e-3"] == colours(["edsr_se"])["edsr_se"] != colours(["edsr"])["edsr"]
    )


@given(st.lists(st.text(max_size=5), unique=True, max_size=len(PALETTE)))
def test_no_two_models_of_a_report_share_a_colour(names):
    hue = colours(names)
    assert set(hue) == {*names, "bicubic"}
    assert len(set(hue.values())) == len(hue)
