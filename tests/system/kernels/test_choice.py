"""Which kernels a process is told to take, who may say otherwise, and what the committed table has to have."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from srexp.config.paths import config_home
from srexp.system.kernels import choice
from srexp.system.kernels.choice import JOBS, SWITCH, environment_for, in_force, instruction_set, settle

ROWS = """# by a test
network,job,instructions,ratio
quick,training,avx2,0.30
quick,restoring,avx2,1.50
even,training,avx2,1.05
even,restoring,avx2,0.95
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Nothing was decided in this process, and nobody said anything."""
    monkeypatch.delenv(SWITCH)
    monkeypatch.setattr(choice._Decided, "value", None)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A processor with AVX2 and without bfloat16, and a measurement on it."""
    file = tmp_path / "measured.csv"
    file.write_text(ROWS)
    monkeypatch.setattr(choice, "MEASURED", file)
    monkeypatch.setattr(choice, "instruction_set", lambda: "avx2")
    monkeypatch.setattr(choice, "has_bfloat16", lambda: False)
    choice._ratios.cache_clear()
    yield
    choice._ratios.cache_clear()


@pytest.fixture
def cold(monkeypatch):
    """A process that has not imported TensorFlow, as far as `choice` can see."""
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.delitem(sys.modules, "tensorflow")


@pytest.mark.parametrize(
    ("network", "job", "expected"),
    [
        ("quick", "training", {SWITCH: "1"}),
        ("quick", "restoring", {SWITCH: "0"}),
        ("even", "training", {}),
        ("even", "restoring", {}),
        ("unknown", "training", {}),
        (None, "restoring", {}),
    ],
)
def test_the_faster_kind_is_taken_where_it_is_clearly_faster(table, network, job, expected):
    assert environment_for(network, job) == expected


def test_what_was_not_measured_is_left_to_tensorflow(table, monkeypatch):
    assert environment_for("quick", "training", precision="auto") == {SWITCH: "1"}
    assert environment_for("quick", "training", precision="mixed_bfloat16") == {}
    monkeypatch.setattr(choice, "has_bfloat16", lambda: True)
    assert environment_for("quick", "training", precision="auto") == {}
    assert environment_for("quick", "training") == {SWITCH: "1"}
    monkeypatch.setattr(choice, "instruction_set", lambda: "avx512")
    assert environment_for("quick", "training") == {}
    monkeypatch.setattr(choice, "instruction_set", lambda: None)
    assert environment_for("quick", "training") == {}


@pytest.mark.parametrize("value", ["0", "1", ""])
def test_what_the_user_set_stays(table, cold, monkeypatch, value):
    monkeypatch.setenv(SWITCH, value)
    assert environment_for("quick", "training") == {}
    settle("quick", "training")
    choice.settle_as("onednn")
    choice.settle_as("eigen")
    assert os.environ[SWITCH] == value


def test_a_later_decision_takes_the_place_of_an_earlier_one(table, cold):
    settle("quick", "training")
    assert (os.environ[SWITCH], in_force()) == ("1", "onednn")
    settle("quick", "restoring")
    assert (os.environ[SWITCH], in_force()) == ("0", "eigen")
    settle("unknown", "restoring")
    assert SWITCH not in os.environ
    assert in_force() == choice.DEFAULT


def test_a_run_goes_on_with_its_kind(table, cold):
    choice.settle_as("eigen")
    assert in_force() == "eigen"
    choice.settle_as(None)
    assert in_force() == choice.DEFAULT


def test_where_tensorflow_is_imported_nothing_is_changed(table):
    import tensorflow as tf

    assert tf
    before = in_force()
    assert before == "onednn"  # what the whole suite runs with
    settle("quick", "restoring")
    choice.settle_as("eigen")
    assert SWITCH not in os.environ
    assert in_force() == before


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu fma avx2 avx512f avx512bw avx512dq avx512vl", "avx512"),
        ("fpu fma avx2 avx512f", "avx2"),
        ("fpu avx", None),
    ],
)
def test_the_widest_measured_set_of_instructions(tmp_path, flags, expected):
    told = tmp_path / "cpuinfo"
    told.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert instruction_set(told) == expected
    assert instruction_set(tmp_path / "missing") is None


def test_what_is_committed_says_where_it_is_from_and_has_the_networks_that_are_used_most():
    about, rows = choice.measured()
    assert about
    for line in about:
        assert all(each in line for each in ("bench_kernels.py", "tensorflow ", "keras ", "cores", "; 20"))
    there = {(row["network"], row["job"], row["instructions"]) for row in rows}
    assert len(there) == len(rows)
    networks = {path.stem for path in (config_home() / "conf" / "model").glob("*.yaml")} - {"bicubic"}
    assert there <= set(itertools.product(networks, JOBS, choice.SETS))
    assert there >= set(itertools.product(("srcnn", "vdsr", "hybrid"), JOBS, choice.SETS))
    assert all(0.05 < float(row["ratio"]) < 20 for row in rows)


ASKED = """
import json, os, sys
from srexp.system.kernels import choice
told = [choice.in_force()]
import tensorflow
told.append(choice.in_force())
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("kind", ["onednn", "eigen"])
def test_tensorflow_does_what_it_is_told(kind):
    environment = {**os.environ, SWITCH: choice.KINDS[kind], "PYTHONPATH": str(Path(__file__).parents[3])}
    said = subprocess.run([sys.executable, "-c", ASKED], env=environment, capture_output=True, check=True, text=True)
    assert json.loads(said.stdout) == [kind, kind]
