"""Shards are all of an input, overlap nowhere, and are refused before anything slow."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp.cli import run
from srexp.config.command_line import CommandLine
from srexp.config.shards import Shard, all_shards


@given(st.lists(st.text(), unique=True), st.integers(1, 9))
def test_every_name_is_in_one_shard(names, count):
    shards = Shard(1, count).all
    assert [sum(name in shard for shard in shards) for name in names] == [1] * len(names)


def test_shards_are_of_about_one_size_and_the_same_on_every_machine():
    names = [f"{number}.png" for number in range(1000)]
    sizes = [sum(name in shard for name in names) for shard in Shard(1, 4).all]
    assert sizes == [246, 264, 252, 238]
    assert [name for name in ("a.png", "b.png", "c.png", "d.png") if name in Shard(2, 2)] == ["c.png"]


def test_names_that_are_no_utf8_belong_to_one_shard():
    assert sum("\udcff.png" in shard for shard in Shard(1, 5).all) == 1


@pytest.mark.one_in(3)
@pytest.mark.parametrize("typed", ["0/4", "5/4", "1/0", "text", "1", "1/", "-1/4", "1/4/4", "1.0/4", "all/4", "''"])
@pytest.mark.parametrize(
    "verb", [["enhance", "model_uri=bicubic", "input=nowhere", "output=out"], ["evaluate", "model_uri=bicubic"]]
)
def test_a_shard_that_is_none_is_refused(verb, typed, capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    assert run([*verb, f"shard={typed}"]) == 2
    said = capfd.readouterr().err
    assert "expected NUMBER/COUNT with a NUMBER from 1 to COUNT, such as 2/8" in said
    assert "-m shard=all/8" in said


def test_it_is_refused_before_anything_slow_is_imported(tmp_path):
    code = (
        "import sys\nfrom srexp.cli import run\n"
        "code = run(['evaluate', 'model_uri=bicubic', 'shard=5/4'])\n"
        "print(code, [name for name in ('tensorflow', 'keras', 'mlflow', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "2 []"


def test_all_shards_are_written_out_in_a_multirun_alone():
    assert all_shards(["shard=all/2", "run_name=all/2", "+shard=all/1"]) == [
        "shard=1/2,2/2",
        "run_name=all/2",
        "+shard=1/1",
    ]
    assert CommandLine.read(["-m", "enhance", "shard=all/2"], ["enhance"]).overrides == ["shard=1/2,2/2"]
    assert CommandLine.read(["enhance", "shard=all/2"], ["enhance"]).overrides == ["shard=all/2"]
