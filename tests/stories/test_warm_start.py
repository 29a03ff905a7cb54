"""A command that finds TensorFlow loaded is a process like any other, and nothing it does or says is different."""

from __future__ import annotations

import os
import re
import subprocess

import psutil
import pytest

from srexp.system.forks import forked
from tests.warm_start import CHECKOUT, Command

pytestmark = pytest.mark.system
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@pytest.mark.slow
def test_it_has_streams_a_folder_a_session_and_an_exit_code_of_its_own(project, tmp_path):
    (tmp_path / "here").mkdir()
    with Command(
        ["check", "hydra.run.dir=out"],
        env=os.environ,
        cwd=tmp_path / "here",
        text=True,
        start_new_session=True,
        **PIPES,
    ) as process:
        assert (process.warm, process.poll()) == (True, None)
        assert os.getpgid(process.pid) == process.pid != os.getpgid(0)
        assert psutil.Process(process.pid).num_threads() == 1
        said, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (0, "")
    assert "fits" in said
    assert (tmp_path / "here" / "out" / "result.json").is_file()
    wrong = project.run("check", "model=vdsrr")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean vdsr?" in wrong.stderr


def test_it_can_be_waited_for_and_killed(project):
    with project.start("check") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.kill()
        assert process.wait(60) == -9


def test_what_is_read_at_the_start_is_there_at_the_start(project):
    with Command(["check"], env={**os.environ, "OMP_NUM_THREADS": "3"}, **PIPES) as process:
        assert not process.warm
    assert process.returncode == 0


def test_its_server_has_no_thread_but_those_of_openblas_which_it_looks_after_itself(project):
    assert project.run("check").returncode == 0
    server = psutil.Process(
        forked.server_for("tests.warm_start:become", {**os.environ, "PYTHONPATH": str(CHECKOUT)}).process.pid
    )
    assert server.num_threads() <= int(os.environ.get("OPENBLAS_NUM_THREADS", os.cpu_count()))


@pytest.mark.slow
def test_it_gives_what_a_cold_start_gives(project, folder_of):
    """But for names, times and memory."""
    done = [project.run(*folder_of, "model=vdsr", "model.depth=3", "seed=3", cold=cold) for cold in (True, False)]
    assert [each.returncode for each in done] == [0, 0]
    said = [re.sub(r"[0-9a-f]{32}|version \d|\d+:\d\d|\d+/s", "", each.stdout + each.stderr) for each in done]
    assert said[0] == said[1]
    cold, warm = project.results()
    for key in cold.keys() - {
        "run_id",
        "model_uri",
        "registered",
        "seconds",
        "train_patches_per_second",
        "peak_rss_mb",
    }:
        assert cold[key] == warm[key], key
    assert project.weights(cold["model_uri"]) == project.weights(warm["model_uri"])
