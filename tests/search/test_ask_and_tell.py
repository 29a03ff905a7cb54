"""What a worker does between two trials, and what it says of a trial that failed."""

from __future__ import annotations

import pytest

from srexp.errors import SrexpError
from srexp.search import ask_and_tell
from srexp.search.ask_and_tell import AskAndTell, RunningTrial, TrialOutcome, reason_of, require_finite
from srexp.system.masking import pseudonyms


class Held(RunningTrial):
    def _report(self, epoch, val_psnr):
        raise NotImplementedError

    def note(self, **facts):
        raise NotImplementedError


class Given(AskAndTell):
    objectives = ("val_psnr", "seconds")

    def __init__(self, *answers):
        self.answers, self.told = list(answers), []

    def ask(self):
        return self.answers.pop(0)

    def tell(self, trial, outcome):
        self.told.append((trial.number, outcome))


def test_who_has_to_wait_asks_again_after_a_second(monkeypatch):
    slept = []
    monkeypatch.setattr(ask_and_tell.time, "sleep", slept.append)
    given = Given("wait", "wait", Held(number=3, values={}), "wait", "over", "never asked")
    given.work(lambda trial: [30, 2])
    assert slept == [1.0] * 3
    assert given.told == [(3, TrialOutcome("finished", [30.0, 2.0]))]
    assert given.answers == ["never asked"]
    assert Held(number=3, values={}).epochs is None


@pytest.mark.parametrize("values", [[30.0], [30.0, 2.0, 1.0], [30.0, float("nan")], [float("-inf"), 2.0]])
def test_a_trial_comes_to_one_number_for_each_objective(values):
    given = Given(Held(number=0, values={}), "over")
    given.work(lambda trial: values)
    [(_, outcome)] = given.told
    assert (outcome.state, outcome.objectives) == ("failed", None)
    with pytest.raises((SrexpError, ValueError)):
        require_finite(values, given.objectives)


def test_the_number_that_is_none_is_named():
    with pytest.raises(SrexpError, match="seconds is inf, no finite number"):
        require_finite([1.0, float("inf")], ["val_psnr", "seconds"])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("\n  first \nsecond"), "ValueError: first "),
        (ValueError(" \n "), "ValueError"),
        (KeyError(), "KeyError"),
        (SrexpError("no layer", fix="another"), "SrexpError: no layer"),
    ],
)
def test_a_reason_is_one_line(error, reason):
    assert reason_of(error) == reason


def test_a_reason_names_no_image(monkeypatch):
    monkeypatch.setattr(pseudonyms, "_noted", {})
    pseudonyms.note(["doe_jane_7.png"])
    reason = reason_of(OSError("can't read /data/doe_jane_7.png"))
    assert reason.startswith("OSError: can't read /data/image")
    assert "doe" not in reason
