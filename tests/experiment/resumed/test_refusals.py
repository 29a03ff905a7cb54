"""Which runs go on, and what each refusal says."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from srexp.errors import RequestError
from srexp.experiment import resume
from srexp.system import process_identity
from srexp.system.masking import pseudonyms
from srexp.tracking.journal.journal import PENDING
from srexp.tracking.names import CHECKPOINTS_TAG
from srexp.tracking.runs import queries
from tests.experiment.resumed.interruption import TASK, go_on, put, refused


def test_an_unknown_run(interrupted):
    assert "no such run" in refused("resume=" + "0" * 32)
    assert "python -m srexp runs sync=true sends it" in refused(f"resume={PENDING}0f")


@pytest.mark.parametrize(
    "typed",
    ["optimizer.lr=1e-3", "model=vdsr", "trainer.epochs=9", "+debug=fast", "run_name=x", "trainer.memory_mb=512"],
)
def test_what_would_change_the_numbers(interrupted, typed):
    said = refused(f"resume={interrupted}", typed)
    assert "can't be given beside resume" in said
    assert typed in said


@pytest.mark.slow
def test_a_multirun(interrupted, capfd):
    from srexp.cli import run

    assert run(["-m", f"resume={interrupted},{interrupted}"]) == 2
    assert "this is a multirun" in capfd.readouterr().err


def test_other_images(interrupted, root, tmp_path):
    changed = shutil.copytree(root / "images", tmp_path / "changed")
    Image.new("L", (24, 24), 77).save(changed / "00000003_000.png")
    said = refused(f"resume={interrupted}", "dataset=folder", f"dataset.root={changed}")
    assert "its fingerprint differs" in said


@pytest.fixture
def dead():
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        return process_identity.process_tags(process.pid)


def test_a_finished_run(interrupted, tracking):
    put(tracking, interrupted, "FINISHED")
    assert "finished; there is nothing to go on with" in refused(f"resume={interrupted}")


def test_a_run_that_still_runs(interrupted, tracking):
    put(tracking, interrupted, "RUNNING", **process_identity.process_tags())
    assert "still runs" in refused(f"resume={interrupted}")


def test_an_open_run_of_another_machine(interrupted, tracking, dead):
    put(tracking, interrupted, "RUNNING", **{**dead, "srexp.host": "far"})
    assert "reap_hosts=[far]" in refused(f"resume={interrupted}")


def test_an_open_run_whose_process_is_gone(interrupted, tracking, dead, conducted):
    put(tracking, interrupted, "RUNNING", **dead)
    assert go_on(f"resume={interrupted}")["run_id"] == interrupted


def test_a_trial_of_a_search(interrupted, tracking):
    put(tracking, interrupted, **{"srexp.search": "vdsr_tpe"})
    assert "belongs to a search" in refused(f"resume={interrupted}")


def test_what_is_no_training(tracking):
    with tracking.run(TASK, tags={"verb": "evaluate"}) as run:
        pass
    assert "no training that can go on" in refused(f"resume={run.id}")


def test_a_folder_that_is_not_here(interrupted, tmp_path):
    shutil.rmtree(tmp_path / "run")
    assert "is not here" in refused(f"resume={interrupted}")


def test_one_process_at_a_time(interrupted, tmp_path):
    from filelock import FileLock

    with FileLock(tmp_path / "run" / "resume.lock"):
        assert "another process goes on" in refused(f"resume={interrupted}")


def test_the_next_start_of_the_same_command_says_that_it_could_go_on(interrupted, tracking, asked, same):
    config = dataclasses.replace(asked[1], overrides=[*asked[0], "tracking.max_images=1"])
    said = resume.resumable(tracking, config, same)
    assert "interrupted at step 300" in said
    assert f"python -m srexp resume={interrupted} tracking.max_images=1" in said

    assert resume.resumable(tracking, config, "another") is None
    for path in Path(queries.get_run(tracking.store, interrupted).tags[CHECKPOINTS_TAG]).iterdir():
        path.unlink()
    assert resume.resumable(tracking, config, same) is None


def test_a_run_of_another_key_of_pseudonyms_does_not_go_on(monkeypatch):
    """Its images would be called by two names."""

    def found(**tags):
        return queries.StoredRun("f1", "srcnn", TASK, "KILLED", 0, tags=tags, metrics={})

    resume._require_same_key(found())
    resume._require_same_key(found(**{pseudonyms.TAG: pseudonyms.fingerprint()}))
    then = pseudonyms.fingerprint()
    monkeypatch.setenv(pseudonyms.VARIABLE, "the key of somebody else")
    with pytest.raises(RequestError) as refused:
        resume._require_same_key(found(**{pseudonyms.TAG: then}))
    assert refused.value.what == "run f1 calls its images by the pseudonyms of another key"
    assert refused.value.got == f"the key {pseudonyms.fingerprint()}"
    assert then in refused.value.expected
    assert refused.value.fix == "SREXP_PSEUDONYM_KEY= that key"
