"""What is planned for a folder; what is done is in tests/commands/test_enhance.py."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from srexp.errors import RequestError
from srexp.experiment.restoration.folder_enhancement import FolderEnhancement, Outcome, find_jobs


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "c.png").write_text("no image")
    output = tmp_path / "out"
    return SimpleNamespace(
        input=str(tmp_path / "in"), output=output, format="same", overwrite=False, compare=False, self_ensemble=False
    )


def test_files_are_named_with_what_they_become(asked):
    jobs, outcome = find_jobs(asked)
    assert [(job.name, job.target, job.kind) for job in jobs] == [
        ("a.png", "a.png", "png"),
        ("deep/b.png", "deep/b.png", "png"),
    ]
    assert list(outcome.failed) == ["c.png"]


def test_output_replaces_no_input(asked):
    asked.output = asked.output.parent / "in"
    with pytest.raises(RequestError, match="would replace"):
        find_jobs(asked)


def test_a_second_time_nothing_is_left_to_do(asked, identity):
    jobs, outcome = find_jobs(asked)
    shown = []
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *step: shown.append(step))
    assert outcome.restored == outcome.outputs == ["a.png", "deep/b.png"]
    assert shown[0] == (0, "a.png", 0)
    again = Outcome()
    FolderEnhancement(asked, identity).run(jobs, again, lambda *_: None)
    assert (again.restored, again.skipped) == ([], ["a.png", "deep/b.png"])


def test_results_of_another_model_are_not_mixed_in(asked, identity):
    jobs, outcome = find_jobs(asked)
    FolderEnhancement(asked, identity).run(jobs, outcome, lambda *_: None)
    other = FolderEnhancement(asked, identity)
    other.manifest.settings = "of another model"
    with pytest.raises(RequestError, match="another model"):
        other.require_same_model([job.name for job in jobs])
    asked.overwrite = True
    other.require_same_model([job.name for job in jobs])
