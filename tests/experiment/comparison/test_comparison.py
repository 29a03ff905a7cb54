"""What a comparison says of its times: whether they compare."""

from types import SimpleNamespace

import pytest

from srexp.experiment.comparison.comparison import _times_apart


def ran_on(host, processors=2, *, earlier=False):
    environment = {"platform": "Linux", "processors": processors, **({} if earlier else {"process": {"host": host}})}
    return SimpleNamespace(run=SimpleNamespace(tags={"srexp.host": host} if earlier else {}), environment=environment)


@pytest.mark.parametrize(
    ("entries", "again", "said"),
    [
        ([ran_on("a"), ran_on("a")], False, "by each run when it ended"),
        ([ran_on("a"), ran_on("a", earlier=True)], False, "by each run when it ended"),
        ([ran_on("a"), ran_on("b", earlier=True)], False, "on different machines"),
        ([ran_on("a"), ran_on("b")], False, "on different machines"),
        ([ran_on("a"), ran_on("a", 4)], False, "on different machines"),
        ([ran_on("a"), ran_on("b")], True, "measured anew, all on one machine and with onednn kernels"),
    ],
)
def test_times_of_different_machines_are_said_not_to_compare(entries, again, said):
    [note] = _times_apart(entries, SimpleNamespace(time_again=again))
    assert said in note
