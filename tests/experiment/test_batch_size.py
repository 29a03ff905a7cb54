"""The batch size that was found once is remembered, as long as its note can be read."""

import json

import pytest

import srexp
from srexp.experiment import batch_size
from srexp.experiment.task import Task
from srexp.training.memory import Measured


@pytest.mark.parametrize("content", [b"", b'{"batch_si', b"\xff\xfe", b"[]", b'{"batch_size": null}'])
def test_a_damaged_note_counts_as_none_and_is_written_anew(tmp_path, monkeypatch, content):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    task = Task(srexp.compose(["trainer.batch_size=auto", "dataset=samples"]))
    tried = []
    monkeypatch.setattr(batch_size, "_tried", lambda task: tried.append(task) or [Measured(16, 1.0, 0)])
    place = task.config.paths.cache / "batch_sizes" / f"{batch_size._key(task)}.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    for _ in range(2):
        assert batch_size.sized(task).config.trainer.batch_size == 16
    assert len(tried) == 1
    assert json.loads(place.read_text())["batch_size"] == 16
