"""Whether the process of a run or a trial still lives."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from srexp.system import process_identity


def test_the_process_that_ends_a_run_may_be_another():
    parent = psutil.Process().parent()
    tags = process_identity.process_tags(parent.pid)
    assert tags["srexp.pid"] == str(parent.pid)
    assert float(tags["srexp.process_start"]) == pytest.approx(parent.create_time(), abs=0.01)


def test_a_living_process_a_dead_one_and_one_of_elsewhere_are_told_apart():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        theirs = process_identity.process_tags(process.pid)
        assert process_identity.process_is_gone(theirs) is False
        earlier = {"srexp.process_start": "1.00", "srexp.process_since_boot": "-100"}
        assert process_identity.process_is_gone({**theirs, **earlier}) is True
        process.kill()
    assert process_identity.process_is_gone(theirs) is True
    assert process_identity.process_is_gone({**theirs, "srexp.host": "elsewhere"}) is None
    assert process_identity.process_is_gone({}) is None


def test_facts_that_name_no_process_say_nothing():
    assert process_identity.is_named(process_identity.facts_of())
    assert not process_identity.is_named({"host": "here"})
    assert process_identity.is_gone({"pid": "no number", "host": "here", "process_start": "1.0"}) is None


@pytest.mark.parametrize("step", [-7200.0, -6.0, 6.0, 7200.0])
def test_a_clock_that_is_set_ends_no_process(step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux reckons the start of a process from that of the machine, and this from the clock."""
    tags = process_identity.process_tags()
    boot_time, create_time = psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time() + step)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + step)
    assert process_identity.process_is_gone(tags) is False
    of_an_earlier_version = {name: tag for name, tag in tags.items() if name != "srexp.process_since_boot"}
    assert process_identity.process_is_gone(of_an_earlier_version) is True


def test_an_earlier_machine_start_is_told_apart() -> None:
    """After a new start of the machine a process may have the number of an earlier one."""
    tags = process_identity.process_tags()
    earlier = float(tags["srexp.process_start"]) - 86400
    before = {**tags, "srexp.process_start": str(earlier), "srexp.process_since_boot": "12.5"}
    assert process_identity.process_is_gone(before) is True
