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
        assert process_identity.process_is_gone({**theirs, "srexp.process_start": "1.00"}) is True
        process.kill()
    assert process_identity.process_is_gone(theirs) is True
    assert process_identity.process_is_gone({**theirs, "srexp.host": "elsewhere"}) is None
    assert process_identity.process_is_gone({}) is None


def test_facts_that_name_no_process_say_nothing():
    assert process_identity.is_named(process_identity.facts_of())
    assert not process_identity.is_named({"host": "here"})
    assert process_identity.is_gone({"pid": "no number", "host": "here", "process_start": "1.0"}) is None
