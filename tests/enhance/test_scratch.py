"""Scratch folders go with their process, or with the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from srexp.enhance import scratch
from srexp.enhance.scratch import scratch_folder
from srexp.system import process_identity
from srexp.system.signals import Interrupted

MAKING = """
import sys
from pathlib import Path
from srexp.enhance.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as made:
    (made / "half.png").write_bytes(b"half")
    print(made.name, flush=True)
    input()
"""


@pytest.fixture
def other(tmp_path):
    """Another process, which has a scratch folder."""
    command = [sys.executable, "-c", MAKING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield process
        process.kill()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.system
def test_what_a_killed_process_left_goes_and_what_a_living_one_uses_stays(other, tmp_path):
    with scratch_folder(tmp_path), scratch_folder(tmp_path):
        assert len(names(tmp_path)) == 3
    (theirs,) = names(tmp_path)
    other.kill()
    other.wait()
    assert names(tmp_path) == {theirs}
    with scratch_folder(tmp_path) as own:
        assert names(tmp_path) == {own.name}
    assert not names(tmp_path)


@pytest.mark.system
def test_sigterm_takes_it_along(other, tmp_path):
    other.terminate()
    other.wait()
    assert not names(tmp_path)


def test_what_is_of_another_machine_or_of_nobody_stays(tmp_path, monkeypatch):
    gone = process_identity.facts_of() | {"process_start": 1.0, "process_since_boot": 1.0, "host": "else-where.example"}
    monkeypatch.setattr(scratch, "facts_of", lambda: gone)
    with scratch_folder(tmp_path) as abroad:
        for name in (".srexp-shards", ".srexp-abcdefgh", "image.png"):
            (tmp_path / name).mkdir()
        before = names(tmp_path)
        with scratch_folder(tmp_path):
            pass
        assert names(tmp_path) == before
        assert abroad.name.endswith("-else-where.example")


def test_a_number_that_is_used_again_is_of_another_process(tmp_path, monkeypatch):
    earlier = process_identity.facts_of() | {"process_start": 1.0, "process_since_boot": 1.0}
    with monkeypatch.context() as patched:
        patched.setattr(scratch, "facts_of", lambda: earlier)
        left = scratch_folder(tmp_path)
        left.__enter__()
    with scratch_folder(tmp_path) as own:
        assert names(tmp_path) == {own.name}
    left.__exit__(None, None, None)


@pytest.mark.parametrize("moment", ["mkdir", "rmtree"])
def test_a_signal_while_it_is_made_or_removed_leaves_nothing(moment, tmp_path, monkeypatch):
    place, name = {"mkdir": (Path, "mkdir"), "rmtree": (scratch.shutil, "rmtree")}[moment]
    done = getattr(place, name)

    def struck(*given, **options):
        signal.raise_signal(signal.SIGTERM)
        done(*given, **options)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(place, name, struck)
    with pytest.raises(Interrupted), scratch_folder(tmp_path):
        pass
    assert not names(tmp_path)
