"""Two processes train one network over loopback: one run, one device's curve, and what a lost process leads to."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest

import srexp
from tests.stories.test_resume import history

pytestmark = [pytest.mark.system, pytest.mark.slow]

ASKED = ["trainer.epochs=3", "trainer.steps_per_epoch=6", "optimizer.clip_norm=0.001", "seed=3"]
#: Long enough to be killed in the midst.
LONG = ["trainer.epochs=3", "trainer.steps_per_epoch=40", "checkpoint.minutes=0", "seed=3"]
TOGETHER = "trainer.strategy=multi_worker"


def free_ports(number: int) -> list[int]:
    with ExitStack() as open_ones:
        sockets = [open_ones.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start(project, monkeypatch, words) -> list:
    """Start a chief, and one that follows it."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": workers}, "task": task}))
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(project.start(*words, **piped))
    monkeypatch.delenv("TF_CONFIG")
    return started


def ended(started) -> tuple[list[int], list[tuple[str, str]]]:
    said = [process.communicate(timeout=240) for process in started]
    return [process.returncode for process in started], said


def of_chief(project) -> list[dict]:
    return [result for result in project.results() if "run_id" in result]


def numbers(project, run_id) -> dict[tuple[str, int], float]:
    found = history(project, run_id)
    return {(name, step): value for name in found if not name.startswith("time/") for step, value in found[name]}


def killed_after(epoch: str, project, monkeypatch, words, victim: int) -> tuple[int, str]:
    """Kill one of two processes after an epoch; give the exit code of the other one, and what it says."""
    started = start(project, monkeypatch, words)
    for line in started[0].stderr:
        if line.startswith(epoch):
            break
    time.sleep(0.3)
    started[victim].kill()
    began = time.monotonic()
    codes, said = ended(started)
    assert time.monotonic() - began < 60
    return codes[1 - victim], said[1 - victim][1]


def test_two_processes_train_as_one_does(project, folder_of, monkeypatch) -> None:
    codes, said = ended(start(project, monkeypatch, [*folder_of, *ASKED, TOGETHER]))
    assert codes == [0, 0], said
    assert "process 2 of 2: process 1, the chief, has the network and the run" in said[1][0]
    assert "process 1 of 2" in said[0][1]
    [tracked] = project.runs()
    assert tracked.info.status == "FINISHED"
    assert sorted("run_id" in each for each in project.results()) == [False, True]
    [together] = of_chief(project)
    alone = srexp.run("train", [*folder_of, *ASKED, "trainer.strategy=single"])
    ours, theirs = numbers(project, together["run_id"]), numbers(project, alone["run_id"])
    assert sum(name == "_train/loss" for name, _ in ours) == 3
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_lost_processes_end_the_others_and_all_go_on(project, folder_of, monkeypatch) -> None:
    asked = [*folder_of, *LONG, TOGETHER]
    codes, said = ended(start(project, monkeypatch, asked))
    assert codes == [0, 0], said
    [expected] = of_chief(project)

    code, told = killed_after("epoch 1/", project, monkeypatch, asked, victim=1)
    assert code == 1, told
    assert "another process of this training is gone" in told
    lost = project.runs()[0]
    assert lost.info.status == "FAILED"
    assert f"python -m srexp resume={lost.info.run_id} " in told
    going_on = [f"resume={lost.info.run_id}"]

    code, told = killed_after("epoch 2/", project, monkeypatch, going_on, victim=0)
    assert code == 1, told
    assert "another process of this training is gone" in told

    codes, said = ended(start(project, monkeypatch, going_on))
    assert codes == [0, 0], said
    assert numbers(project, lost.info.run_id) == numbers(project, expected["run_id"])
    resumed = of_chief(project)[-1]
    assert resumed["run_id"] == lost.info.run_id
    assert project.weights(resumed["model_uri"]) == project.weights(expected["model_uri"])
    assert len(project.runs()) == 2
