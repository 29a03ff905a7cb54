"""The batch size that was found once is remembered, as long as its note can be read; and how it is found."""

import json
from dataclasses import replace

import pytest

import srexp
from srexp.errors import SrexpError
from srexp.experiment import batch_size
from srexp.experiment.task import Task
from srexp.training.memory import Measured


@pytest.mark.one_in(3)
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


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    small = ["model=srcnn", "model.kernels=[3,1,3]", "model.filters=[4,4]", "trainer.patch_size=16"]
    words = [*small, "trainer.batch_size=auto", "trainer.patches_per_image=4", "dataset=samples"]
    return Task(replace(srexp.compose(words), run_dir=tmp_path / "run"))


@pytest.mark.slow
def test_sizes_are_tried_upwards_as_long_as_there_is_time(task, tmp_path, monkeypatch):
    found = tmp_path / "found.jsonl"
    monkeypatch.setattr(batch_size, "TRYING_SECONDS", 0.0)
    assert batch_size.try_sizes(task.config, 1, found) == 0
    [first] = [Measured(**json.loads(line)) for line in found.read_text().splitlines()]
    assert first.size == 4
    assert first.seconds > 0


def test_where_no_size_could_be_tried_it_is_said_how_that_ended(task, monkeypatch):
    for code, said, end in (
        (-9, "trainer.batch_size=auto: no size could be tried", "the process that tried ended by SIGKILL"),
        (0, "not even the smallest batch fits", "the process that tried ended with exit code 0"),
    ):
        monkeypatch.setattr(batch_size.child_process, "run_alone", lambda *_, code=code: code)
        with pytest.raises(SrexpError, match=said) as failed:
            batch_size._tried(task)
        assert end in failed.value.got
        assert "trainer.batch_size=16" in failed.value.fix


def test_what_a_process_found_before_it_ended_counts(task, monkeypatch):
    def killed(_, config, channels, found):
        found.write_text(json.dumps({"size": 8, "seconds": 0.5, "grown": 7}) + "\n")
        return -9

    monkeypatch.setattr(batch_size.child_process, "run_alone", killed)
    assert batch_size._tried(task) == [Measured(8, 0.5, 7)]


def test_what_an_earlier_run_left_in_the_folder_does_not_count(task, monkeypatch):
    task.config.run_dir.mkdir()
    (task.config.run_dir / "batch_sizes.jsonl").write_text(json.dumps({"size": 256, "seconds": 0.1, "grown": 7}))
    monkeypatch.setattr(batch_size.child_process, "run_alone", lambda *_: -9)
    with pytest.raises(SrexpError, match="no size could be tried"):
        batch_size._tried(task)


def test_for_a_network_that_learns_nothing_nothing_is_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    monkeypatch.setattr(batch_size.child_process, "run_alone", lambda *_: pytest.fail("a process was started"))
    task = Task(srexp.compose(["model=bicubic", "trainer.batch_size=auto", "dataset=samples"]))
    [size] = batch_size._tried(task)
    assert size.size in (4, 8, 16)
