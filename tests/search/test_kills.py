"""Ten kills at random moments lose nothing and double nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killing.py")
TRIALS = 16


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "options", "workers"),
    [("optuna", {}, 1), ("optuna", {}, 2), ("keras_tuner", {"tuner": "hyperband"}, 2)],
    ids=["optuna", "optuna two workers", "keras tuner two workers"],
)
def test_ten_kills_leave_exactly_the_asked_number(engine, options, workers, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])}
    words = [sys.executable, str(SCRIPT), engine, str(tmp_path), str(TRIALS), str(workers), json.dumps(options)]
    done = subprocess.run(
        words, cwd=SCRIPT.parents[2], env=environment, timeout=200, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    trials = found["trials"]

    assert found["codes"] == [0] * workers, done.stderr[-4000:]
    states = Counter(state for _, state, _, _ in trials)
    assert states["finished"] + states["pruned"] == TRIALS
    assert set(states) <= {"finished", "pruned", "failed"}
    assert [number for number, *_ in trials] == list(range(len(trials)))
    failed = [number for number, state, _, _ in trials if state == "failed"]
    again = [facts["retry_of"] for *_, facts in trials if "retry_of" in facts]
    assert len(again) == len(set(again))
    reasons = {number: facts["reason"] for number, state, _, facts in trials if state == "failed"}
    assert all(reason.startswith("its worker was killed") for reason in reasons.values()), reasons
    given_up = [number for number, reason in reasons.items() if "so were the 3 trials before" in reason]
    assert sorted([*again, *given_up]) == failed  # tried again exactly once, but for those that kill each time
    values = {number: values for number, _, values, _ in trials}
    for number, _, _, facts in trials:
        if "retry_of" in facts:
            assert values[facts["retry_of"]].items() <= values[number].items()
