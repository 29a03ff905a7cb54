"""No password, and nothing that steers a terminal, comes out of a command: in messages, logs, or what Hydra keeps."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.cli import run
from srexp.errors import SrexpError
from srexp.system.masking.redaction import Masked

PASSWORD = "q7Xv_not_to_be_seen"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    return tmp_path / "project"


def kept(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


def test_an_unforeseen_failure_shows_no_password(project: Path, monkeypatch, capfd) -> None:
    """The libraries below name the address in their own messages, and in the traceback."""
    from srexp.commands import check

    def fail(_config):
        raise ValueError(f"API request to http://ann:{PASSWORD}@host:5000/api failed")

    monkeypatch.setattr(check, "run", fail)
    assert run(["check", f"tracking.uri=http://ann:{PASSWORD}@host:5000"]) == 1
    caught = capfd.readouterr()
    assert PASSWORD not in caught.out + caught.err
    assert "http://***@host:5000/api failed" in caught.err
    [log] = project.rglob("srexp.log")
    assert "Traceback" in log.read_text()
    assert kept(project) == []


def test_what_hydra_says_of_the_jobs_of_a_multirun_shows_no_password_and_forges_no_line(project: Path, capfd) -> None:
    typed = ["-m", "check", "seed=1,2", f"tracking.uri=http://ann:{PASSWORD}@127.0.0.1:9", "+tags.a='x\x1b[2J\u202ey'"]
    assert run(typed) == 0
    caught = capfd.readouterr()
    assert "seed=2" in caught.out
    assert PASSWORD not in caught.out + caught.err
    assert not {"\x1b", "\u202e"} & set(caught.out + caught.err)


def test_ui_over_a_server_that_is_away_shows_its_address_without_the_password(capfd) -> None:
    with pytest.raises(SrexpError, match="Connection refused") as refused:
        srexp.run("ui", [f"tracking.uri=http://ann:{PASSWORD}@127.0.0.1:9"])
    assert PASSWORD not in capfd.readouterr().out + str(refused.value)
    assert "http://***@127.0.0.1:9" in str(refused.value)


def test_names_of_files_do_not_steer_the_terminal(tmp_path: Path, capfd) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(folder / "good.png")
    (folder / "\x1b[2Jbad\x07\x9b31m.png").write_bytes(b"no image")
    assert run(["data", "dataset=folder", f"dataset.root={folder}"]) == 2
    caught = capfd.readouterr()
    assert "bad" in caught.err
    assert not {"\x1b", "\x07", "\x9b"} & set(caught.out + caught.err)


def test_a_log_is_masked_to_its_last_traceback(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "log")
    handler.setFormatter(Masked("%(levelname)s %(message)s"))
    logger = logging.getLogger("of a library")
    logger.addHandler(handler)
    failure = OSError(f"mysql://ann:{PASSWORD}@db/runs\x1b[2J")
    logger.error("at %s", f"https://host/?token={PASSWORD}", exc_info=failure)
    logger.removeHandler(handler)
    handler.close()
    text = (tmp_path / "log").read_text()
    assert PASSWORD not in text
    assert "\x1b" not in text
    assert text.startswith("ERROR at https://host/?token=***\n  OSError: mysql://***@db/runs")


def test_processes_of_a_multirun_have_no_password_in_their_titles(monkeypatch) -> None:
    """The address comes from the environment, as the documentation says; every user sees its command lines."""
    from srexp.system import child_process

    seen = []
    start = subprocess.Popen

    def watched(command, *arguments, **options):
        seen.append(" ".join(map(str, command)))
        return start(command, *arguments, **options)

    monkeypatch.setattr(child_process.subprocess, "Popen", watched)
    started = child_process.start(os.path.isabs, f"postgresql://ann:{PASSWORD}@db/runs")
    assert started.wait(timeout=60) == 0
    child_process.hang_up(started)
    assert seen
    assert not any(PASSWORD in command for command in seen)


@pytest.mark.parametrize("verb", ["ui", "serve"])
def test_servers_listen_on_the_loopback_address_by_default(verb: str) -> None:
    overrides = ["model_uri=bicubic"] if verb == "serve" else []
    assert srexp.compose(overrides, verb=verb).host == "127.0.0.1"


def test_serve_is_not_reached_from_outside() -> None:
    from srexp.commands.serve import _listen

    with _listen("127.0.0.1", 0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
